"""What an import brings asks nothing of the shop before a person has looked."""

import base64
import json
from typing import Any

from tests.cli.event_files import Place, exported
from tests.test_quarantine import said
from webhookctl.core.errors import UsageError
from webhookctl.core.orders import IMPORTED, ActionKind, ActionState
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery


def test_an_import_asks_nothing_of_the_shop_before_a_person_has_looked(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """What was delivered where the file comes from is not delivered again; what is new afterwards waits as well."""
    place.shop.receive(said("failed", 5), said("fulfilled", 6))
    place.shop.apply()
    other = make("other")
    other.counts(str(exported(place)), "--yes")
    other.shop.apply()
    held = {one.reference: one.held for one in other.store.orders.find(OrderQuery())}

    other.shop.receive(said("fulfilled", 2))
    other.shop.apply()
    asked = other.store.outbox.find(ActionQuery(limit=100))
    let_go = other.orders("release", "ORD-0", "ORD-5", "--done", "--reason", "the old server did it")
    too_early = other.orders("release", "ORD-0", "--done", "--reason", "again")
    other.orders("release", "ORD-1", "--reason", "it never came")
    after = {(one.subject, one.kind): one.state for one in other.store.outbox.find(ActionQuery(limit=100))}

    assert held == dict.fromkeys(("ORD-0", "ORD-1", "ORD-2", "ORD-5", "ORD-6"), IMPORTED)
    assert {(one.subject, one.kind) for one in asked} == {("ORD-5", ActionKind.REFUND)} | {
        (f"ORD-{number}", ActionKind.DELIVER) for number in (0, 1, 2, 6)
    }
    assert {one.state for one in asked} == {ActionState.HELD}
    assert let_go.exit_code == 0
    assert isinstance(too_early.exception, UsageError)
    assert after["ORD-0", ActionKind.DELIVER] is after["ORD-5", ActionKind.REFUND] is ActionState.DONE
    assert after["ORD-1", ActionKind.DELIVER] is ActionState.WAITING
    assert after["ORD-2", ActionKind.DELIVER] is after["ORD-6", ActionKind.DELIVER] is ActionState.HELD


def test_an_import_delivers_no_order_that_was_open_in_a_backup(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """An order that is known here is held, too, where an imported event would have its code go out."""
    other = make("other")
    other.shop.receive(said("created", 0), said("created", 2))
    other.shop.apply()
    other.counts(str(exported(place)), "--yes")
    other.shop.apply()
    other.shop.receive(said("fulfilled", 2))
    other.shop.apply()

    states = {one.subject: one.state for one in other.store.outbox.find(ActionQuery(limit=100))}
    assert states == {"ORD-0": ActionState.HELD, "ORD-1": ActionState.HELD, "ORD-2": ActionState.WAITING}


def test_an_old_balance_of_a_file_tops_nothing_up(make: Any) -> None:  # noqa: ANN401 - makes a place
    """Nor is anybody told of it: that was long ago."""
    one, other = make(), make("other")
    one.shop.receive(b'{"event": "balance.low", "data": {"balance": "1.00"}}')
    other.counts(str(exported(one)), "--yes")
    other.shop.apply()

    assert [event.type for event in other.all()] == ["balance.low"]
    assert other.store.outbox.find(ActionQuery(limit=100)) == []


def test_what_was_learned_by_asking_is_held_like_the_rest(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """On a person's word it comes in as an answer of old, and what it asks for waits all the same."""
    line = json.loads(exported(place).read_bytes().splitlines()[0])
    answer = {
        "reference": "ORD-8",
        "order_id": "SUP-8",
        "status": "fulfilled",
        "items": [{"sku": "a", "code": "CODE-8"}],
    }
    other = make("other")
    file = other.folder / "polled.jsonl"
    body = base64.b64encode(json.dumps(answer).encode()).decode()
    file.write_text(json.dumps(line | {"via": "poll", "body_base64": body}))
    other.counts(str(file), "--unsigned", "--reason", "moved", "--yes")
    other.shop.apply()

    (deliver,) = other.store.outbox.find(ActionQuery(limit=100))
    assert (deliver.subject, deliver.kind, deliver.state) == ("ORD-8", ActionKind.DELIVER, ActionState.HELD)
