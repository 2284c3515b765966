"""Every store's `Alarms`, and what is late by them."""

from dataclasses import replace

import pytest

from tests.store.building import (
    NOW,
    Store,
    action,
    claim_actions,
    claim_events,
    order,
    put,
    verified,
    with_code,
    write,
)
from webhookctl.core.events import EventState, Spoken, Unmapped
from webhookctl.core.orders import ActionKind, ActionState, Move, Order, OrderStatus, Policy
from webhookctl.core.ports.events import Application
from webhookctl.core.ports.outbox import ActionQuery, Settlement
from webhookctl.flows.alarms import Alarms

MINUTE = 60_000
POLICIES = {"acme": Policy(return_window_ms=86_400_000)}


def alarms(store: Store) -> Alarms:
    return Alarms(store.alarms, lambda: POLICIES, lambda: 10 * MINUTE, lambda: 10 * MINUTE)


def told(store: Store) -> list[tuple[str, str]]:
    found = store.outbox.find(ActionQuery(kind=ActionKind.ALERT, limit=1000))
    return sorted((alert.subject, alert.cause) for alert in found)


def waits(store: Store, *order_ids: str, supplier: str = "acme", first: int = 1) -> None:
    """Have events come that name their order by the supplier's id alone, which nobody knows."""
    for number, order_id in enumerate(order_ids, first):
        store.intake.accept([verified(number, supplier=supplier)])
        (claimed,) = claim_events(store)
        said = Unmapped(supplier, EventState.DEAD, f"nobody knows {order_id}", None, order_id)
        store.events.apply([Application(claimed.event.id, claimed.claim, EventState.DEAD, said.reason, said)], now=NOW)


def due(reference: str, at: int, status: OrderStatus = OrderStatus.PENDING) -> Order:
    return replace(order(reference), due_at=at, status=status)


def test_an_overdue_order_is_alerted_once(store: Store) -> None:
    """Pending and partial ones past due are told, however often one looks, and by whichever process."""
    write(
        store,
        Move(due("LATE", NOW + 1)),
        Move(due("HALF", NOW + 2, OrderStatus.PARTIAL)),
        Move(due("SOON", NOW + MINUTE)),
        Move(due("DONE", NOW + 1, OrderStatus.FULFILLED)),
        Move(order("NEVER")),
    )
    first, second = alarms(store), alarms(store)

    counts = [first.run(now=NOW + 10), first.run(now=NOW + 20), second.run(now=NOW + 30)]

    assert counts == [2, 0, 0]
    assert told(store) == [("HALF", "overdue"), ("LATE", "overdue")]
    assert store.reports.summary(now=NOW + 30).overdue_orders == 2
    assert first.run(now=NOW + 2 * MINUTE) == 1


def test_many_overdue_orders_are_all_alerted(store: Store) -> None:
    """More than one transaction's worth."""
    write(store, *(Move(due(f"R{n}", NOW + n)) for n in range(1001)))

    assert alarms(store).run(now=NOW + 2000) == 1001


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ActionState.WAITING, [("ORD-1", "undelivered")]),
        (ActionState.RUNNING, [("ORD-1", "undelivered")]),
        (ActionState.DONE, []),
        (ActionState.HELD, []),
    ],
)
def test_what_is_not_delivered_in_time_is_alerted_once(
    store: Store, state: ActionState, expected: list[tuple[str, str]]
) -> None:
    """Ten minutes after it was asked for; a person has heard already of what is held."""
    write(store, Move(with_code(order(), "CODE")))
    put(store, state=ActionState.HELD if state is ActionState.HELD else ActionState.WAITING)
    if state in {ActionState.RUNNING, ActionState.DONE}:
        (claimed,) = claim_actions(store, ActionKind.DELIVER)
        if state is ActionState.DONE:
            store.outbox.settle([Settlement(claimed.action.id, claimed.claim, state, "")], now=NOW)
    watch = alarms(store)

    assert watch.run(now=NOW + 10 * MINUTE) == 0
    counts = [watch.run(now=NOW + 10 * MINUTE + 1), watch.run(now=NOW + 11 * MINUTE)]

    assert counts == [len(expected), 0]
    assert told(store) == expected


def test_the_alert_says_why_and_until_when_it_can_be_given_back(store: Store) -> None:
    """The last attempt's end, and the supplier's window where it is known."""
    write(store, Move(with_code(order(), "SECRET-CODE")))
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    failed = Settlement(claimed.action.id, claimed.claim, ActionState.WAITING, "HTTP 503", next_at=NOW + MINUTE)
    store.outbox.settle([failed], now=NOW)

    alarms(store).run(now=NOW + 11 * MINUTE)

    (alert,) = store.outbox.find(ActionQuery(kind=ActionKind.ALERT))
    assert "within 10 min: the last attempt: HTTP 503. The supplier takes it back until 2026-04-25T" in alert.detail
    assert "SECRET" not in alert.detail


def test_a_short_time_and_a_sentence_are_told_as_they_are(store: Store) -> None:
    """Three seconds are not called no minutes, and what ends with a full stop gets no second one."""
    write(store, Move(with_code(order(), "CODE")))
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    failed = Settlement(claimed.action.id, claimed.claim, ActionState.WAITING, "It is down.", next_at=NOW + MINUTE)
    store.outbox.settle([failed], now=NOW)

    Alarms(store.alarms, dict, lambda: 3000, lambda: 10 * MINUTE).run(now=NOW + MINUTE)

    (alert,) = store.outbox.find(ActionQuery(kind=ActionKind.ALERT))
    assert alert.detail.endswith("was not delivered within 3 s: the last attempt: It is down.")


def test_a_refund_says_since_when_the_code_was_out(store: Store) -> None:
    """What the alert says is how it stands when it is written, not when the event was read."""
    write(store, Move(with_code(order(), "CODE")))
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    store.outbox.settle([Settlement(claimed.action.id, claimed.claim, ActionState.DONE, "")], now=NOW)
    about = replace(action(ActionKind.ALERT), detail="Refunded.", about=ActionKind.DELIVER)

    write(store, Move(None, (about,)))

    (alert,) = store.outbox.find(ActionQuery(kind=ActionKind.ALERT))
    assert alert.detail == "Refunded. The code was out: delivered at 2026-04-24T03:06:40Z."


def test_an_event_that_waits_for_its_order_is_alerted_once(store: Store) -> None:
    """Not before the shop had ten minutes to make the order known, and once per id, whichever process looks."""
    waits(store, "S1", "S2", "S1")
    waits(store, "S7", supplier="gone", first=4)
    first, second = alarms(store), alarms(store)

    early = first.run(now=NOW + 9 * MINUTE)
    counts = [first.run(now=NOW + 11 * MINUTE), first.run(now=NOW + 13 * MINUTE), second.run(now=NOW + 14 * MINUTE)]

    assert (early, counts) == (0, [2, 0, 0])
    assert told(store) == [("", "unapplied:S1"), ("", "unapplied:S2")]
    (alert, _) = sorted(store.outbox.find(ActionQuery(kind=ActionKind.ALERT)), key=lambda one: one.cause)
    assert "speaks of its order 'S1' and waits: nobody knows S1." in alert.detail


def test_who_is_made_known_in_time_is_not_told(store: Store) -> None:
    """The order is registered after its event came, as shops do: the event goes on, and nobody is disturbed."""
    waits(store, "SUP-ORD-1")
    write(store, Move(order()), now=NOW + MINUTE)

    assert alarms(store).run(now=NOW + 11 * MINUTE) == 0


def test_an_order_among_others_that_waits_is_alerted(store: Store) -> None:
    """A delivery of several orders waits for those that nobody knows."""
    store.intake.accept([verified()])
    (claimed,) = claim_events(store)
    spoken = (Spoken(EventState.DONE, None, "ORD-1", None, None), Spoken(EventState.DEAD, None, None, "S2", "unknown"))
    waiting = Application(claimed.event.id, claimed.claim, EventState.DEAD, "1 of 2 handled", orders=spoken)
    store.events.apply([waiting], now=NOW)

    alarms(store).run(now=NOW + 11 * MINUTE)

    assert told(store) == [("", "unapplied:S2")]


def test_a_flood_of_unknown_orders_is_no_flood_of_alerts(store: Store) -> None:
    """Another shop's orders at the same account: twenty alerts an hour, oldest first, and the rest in later hours."""
    waits(store, *(f"S{number:02}" for number in range(50)))
    watch = alarms(store)

    counts = [watch.run(now=NOW + minute * MINUTE) for minute in (11, 13, 60, 72, 140)]

    assert counts == [20, 0, 0, 20, 10]
    assert told(store)[:20] == [("", f"unapplied:S{number:02}") for number in range(20)]
