"""What nobody vouches for, sent to the real program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.scene import Scene, bodies, scene
from tests.chaos.supplier import events_of, signature_of


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as built:
        yield built


def test_nothing_unsigned_is_parsed(stage: Scene) -> None:
    """What no parser takes gets the answer that any unsigned body gets, and no row; signed, it is kept."""
    nonsense = [b"", b"{", b"[" * 10_000, b"\xff\x00", b"NaN", b'{"event": "order.created"}']
    with stage.program().serve("--no-worker"):
        unsigned = [stage.supplier.post(body, "0" * 64) for body in nonsense]
        signed = [stage.supplier.post(body) for body in nonsense]
    with stage.opened() as store:
        stored = bodies(store)

    assert unsigned == [400] * len(nonsense)
    assert signed == [200] * len(nonsense)
    assert stored == set(nonsense)


def test_a_part_of_a_signature_is_none(stage: Scene) -> None:
    """The right signature, cut short or with something behind it, is a wrong one."""
    body = events_of([1])[0]
    whole = signature_of(body)
    with stage.program().serve("--no-worker"):
        wrong = [stage.supplier.post(body, some) for some in (whole[:2], whole[:62], whole[:63], f"{whole}00")]
        right = stage.supplier.post(body, whole)

    assert wrong == [400] * 4
    assert right == 200
