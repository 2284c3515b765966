"""Rows that hold what no webhookctl writes: each is said to be so, and keeps no other from being worked on."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.building import NOW, action, claim_actions, claim_events, order, put, rejection, verified, write
from webhookctl import suppliers
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.errors import RowError
from webhookctl.core.events import EventState
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import ActionKind, ActionState, Intervention, Move, Policy
from webhookctl.core.outcomes import EventApplied
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds
from webhookctl.flows.alarms import Alarms
from webhookctl.flows.apply import Apply, Supplier

_LATER = NOW + 120_000


@pytest.fixture
def sqlite(path: Path, cipher: AesGcmCipher) -> Iterator[SqliteStore]:
    with closing(open_store(path, cipher, create=True)) as store:
        yield store


def _spoil(store: SqliteStore, statement: str) -> None:
    with store.connection.writing() as raw:
        assert raw.execute(statement).rowcount == 1


def _arrive(store: SqliteStore, *references: str) -> None:
    bodies = [json.dumps({"event": "order.refunded", "data": {"reference": one}}).encode() for one in references]
    store.intake.accept([verified(number, body=body) for number, body in enumerate(bodies, 1)])


def _apply(store: SqliteStore) -> list[EventApplied]:
    known = {"acme": Supplier(Mapping.parse(suppliers.preset("generic")["map"]), Policy())}
    return Apply(store.events, store.orders, known).run(now=NOW)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("UPDATE events SET via = 'carrier pigeon' WHERE id = 2", "event 2 holds what no webhookctl of this version"),
        ("UPDATE events SET delivery_id = x'00' WHERE id = 2", "it was changed, or put in another's place"),
    ],
)
def test_an_event_that_is_none_is_dead_and_its_neighbours_are_applied(
    sqlite: SqliteStore, wrong: str, reason: str
) -> None:
    """It would come back with each batch, and nothing would be applied any more."""
    _arrive(sqlite, "R1", "R2", "R3")
    _spoil(sqlite, wrong)

    outcomes = _apply(sqlite)

    assert [outcome.state for outcome in outcomes] == [EventState.DONE, EventState.DEAD, EventState.DONE]
    assert outcomes[1].needs_a_person
    assert reason in (outcomes[1].reason or "")


@pytest.mark.parametrize("wrong", ["UPDATE orders SET status = 'lost'", "UPDATE orders SET learned_by = 'hearsay'"])
def test_an_order_that_is_none_has_its_events_set_aside_and_no_others(sqlite: SqliteStore, wrong: str) -> None:
    """Once its row is mended they are handled again, as they were not yet."""
    put(sqlite)
    _spoil(sqlite, wrong)
    claim_events(sqlite)
    _arrive(sqlite, "ORD-1", "R2")

    outcomes = _apply(sqlite)

    assert [outcome.state for outcome in outcomes] == [EventState.DEAD, EventState.DONE]
    assert "order ORD-1 holds what no webhookctl" in (outcomes[0].reason or "")


def test_an_action_that_is_none_keeps_no_other_from_being_carried_out(sqlite: SqliteStore) -> None:
    """Its claim has run out, and can't be taken back: it is left for `store check` to name."""
    put(sqlite, ActionKind.DELIVER, ActionKind.NOTIFY)
    claim_actions(sqlite, ActionKind.DELIVER)
    _spoil(sqlite, "UPDATE actions SET kind = 'dispatch' WHERE kind = 'deliver'")

    claimed = claim_actions(sqlite, now=_LATER)

    assert [one.action.kind for one in claimed] == [ActionKind.NOTIFY]


def test_what_is_late_is_told_beside_an_order_that_is_none(sqlite: SqliteStore) -> None:
    """One row must not silence the alarms of all orders."""
    for reference in ("ORD-1", "ORD-2"):
        late = replace(order(reference), due_at=NOW)
        assert write(sqlite, Move(late, (action(of=late),))) == "done"
    _spoil(sqlite, "UPDATE orders SET learned_by = 'hearsay' WHERE reference = 'ORD-1'")

    Alarms(sqlite.alarms, dict, lambda: 1, lambda: 1).run(now=_LATER)

    told = sqlite.outbox.find(ActionQuery(kind=ActionKind.ALERT))
    assert {("ORD-2", "overdue"), ("ORD-2", "undelivered")} <= {(alert.subject, alert.cause) for alert in told}


@pytest.mark.parametrize("begun", [False, True])
def test_what_was_restrained_by_an_unknown_word_waits_for_a_person(sqlite: SqliteStore, *, begun: bool) -> None:
    """Whatever was meant, it was not that the action be carried out, nor, where nobody knows, that it be again."""
    put(sqlite)
    (claimed,) = claim_actions(sqlite)
    if begun:
        sqlite.outbox.begin(claimed.action.id, claimed.claim, now=NOW)
    _spoil(sqlite, "UPDATE actions SET restrained = 'perhaps'")

    assert claim_actions(sqlite, ActionKind.DELIVER, now=_LATER) == []
    if begun:
        by = Intervention(_LATER, "ann", "to be tried again", "asked the shop")
        sqlite.outbox.resolve(claimed.action.id, ActionState.WAITING, by=by, now=_LATER)
    (found,) = sqlite.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    assert found.state is ActionState.HELD


def test_who_looks_is_told_which_row_it_is(sqlite: SqliteStore) -> None:
    """In a sentence, which does not quote what stands there: it may be anything, even a code."""
    put(sqlite)
    assert write(sqlite, Move(order("ORD-2"), (action(of=order("ORD-2")),))) == "done"
    sqlite.quarantine.keep([rejection()], Bounds(), now=NOW)
    _spoil(sqlite, "UPDATE events SET via = 'HUSH-HUSH' WHERE id = 1")
    _spoil(sqlite, "UPDATE orders SET status = 'HUSH-HUSH' WHERE reference = 'ORD-2'")
    _spoil(sqlite, "UPDATE actions SET state = 'HUSH-HUSH' WHERE subject = 'ORD-2'")
    _spoil(sqlite, "UPDATE rejected SET reason = 'HUSH-HUSH'")

    looks: dict[str, Callable[[], object]] = {
        "event 1": lambda: sqlite.events.find(EventQuery()),
        "order ORD-2": lambda: sqlite.orders.find(OrderQuery()),
        "action ": lambda: sqlite.outbox.find(ActionQuery(reference="ORD-2")),
        "rejected delivery 1": lambda: sqlite.quarantine.find(RejectedQuery()),
    }
    for row, look in looks.items():
        with pytest.raises(RowError, match=f"The row of {row}.*store check") as told:
            look()
        assert "HUSH" not in str(told.value)
