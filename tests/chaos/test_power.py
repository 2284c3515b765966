"""What a power cut leaves."""

import threading
from pathlib import Path

import pytest

from tests.chaos.power import disk
from tests.chaos.scene import scene
from tests.chaos.supplier import events_of
from tests.e2e.program import until

ORDERS = 80


@pytest.mark.parametrize("acknowledged", [20, 90])
def test_a_power_cut_under_load(tmp_path: Path, acknowledged: int) -> None:
    """What was answered 200 is there when the power is back, the store is whole, and each order is delivered once.

    Where this user can't mount an image, the PRAGMA on which it rests is what can be looked at.
    """
    with disk(tmp_path) as lost, scene(tmp_path, store=tmp_path / "disk" / "shop.db") as stage:
        stage.supplier.waiting.extend(events_of(range(ORDERS)))
        dead = threading.Event()
        with stage.program().serve() as serving:
            posting = threading.Thread(target=stage.supplier.post_until, args=(dead.is_set,))
            posting.start()
            until(lambda: stage.supplier.ledger.count >= acknowledged, "it is under load")
            if lost:
                lost.cut()
            serving.process.kill()
            dead.set()
            posting.join()
        if lost:
            lost.come_back()
        stage.drain()
        with stage.opened() as store, store.connection.reading() as raw:
            (synchronous,) = raw.execute("PRAGMA synchronous").fetchone()

        assert stage.supplier.ledger.count >= acknowledged
        assert stage.faults(ORDERS) == []
        assert synchronous == 2
