"""The shop's endpoint is down, slow or out of its mind; the supplier hears nothing of it."""

import signal
from pathlib import Path
from typing import Any

from tests.chaos.bad_shop import WAYS, bad_shop
from tests.chaos.scene import Scene, scene
from tests.e2e.program import free_port, until

GIVEN_UP = {"410"}
"""The shop says that it wants none of these, ever."""
TAKEN = {"endless"}
"""What it said before it went on for ever was 200."""
LONG = {"503-for-ages"}
"""It is believed for an hour at most, and the test is over before that."""


def test_whatever_the_shop_does_each_order_is_delivered_under_one_id(tmp_path: Path) -> None:
    """Down at first, then misbehaving once in each way: nothing hangs, no redirect is followed, no id changes."""
    port = free_port()
    with scene(tmp_path) as stage:
        settings = stage.folder / "webhookctl.toml"
        action = f'http://127.0.0.1:{port}/deliveries"\ntimeout = "1s"\n'
        settings.write_text(settings.read_text().replace(f'{stage.shop.url}"\n', action))
        with stage.program().serve() as serving:
            statuses = [stage.supplier.post(fulfilled(reference)) for reference in WAYS]
            until(lambda: any(one["attempts"] for one in delivers(stage)), "it was looked for in vain")
            with bad_shop(port) as shop:
                until(lambda: shop.ids.keys() == WAYS.keys(), "each was called for")
                until(lambda: all(has_ended(one) for one in delivers(stage)), "each has come to its end")
                ends = {one["reference"]: one["state"] for one in delivers(stage)}
            code = serving.stop(signal.SIGTERM)

    assert statuses == [200] * len(WAYS)
    assert ends == {way: "dead" if way in GIVEN_UP else "waiting" if way in LONG else "done" for way in WAYS}
    assert {way: len(set(ids)) for way, ids in shop.ids.items()} == dict.fromkeys(WAYS, 1)
    assert {way for way, ids in shop.ids.items() if len(ids) == 1} == GIVEN_UP | TAKEN | LONG
    assert shop.paths == {"/deliveries"}
    assert code == 0
    assert "Traceback" not in serving.words
    assert "\x1b" not in serving.words


def delivers(stage: Scene) -> list[dict[str, Any]]:
    return [one for one in stage.program().json("actions", "list", "--limit", "100") if one["kind"] == "deliver"]


def has_ended(action: dict[str, Any]) -> bool:
    return action["state"] in {"done", "dead"} or action["reference"] in LONG


def fulfilled(reference: str) -> bytes:
    text = '{"event": "order.fulfilled", "data": {"reference": "%s", "items": [{"sku": "a", "code": "CODE-1-SECRET"}]}}'
    return (text % reference).encode()
