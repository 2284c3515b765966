"""Every store's `Intake` does what its port says, and an application is written wholly or not at all."""

from dataclasses import replace

import pytest

from tests.store.building import (
    HEADERS,
    LEASE,
    NOW,
    Store,
    action,
    application,
    arrive,
    claim_actions,
    claim_events,
    delivery_id,
    order,
    verified,
    with_code,
)
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventState, EventType
from webhookctl.core.orders import ActionKind, Move, OrderStatus
from webhookctl.core.ports.events import Application, Applied, EventQuery


def test_what_was_accepted_is_claimed_oldest_first_and_whole(store: Store) -> None:
    """A claimed event carries the delivery's exact bytes, and all that was proven of it."""
    store.intake.accept([verified(1, body=b"\x00\xff", event_id=b"evt_1"), verified(2, event_id=b""), verified(3)])

    first, second, third = [one.event for one in claim_events(store)]

    assert (first.body, first.headers, first.event_id) == (b"\x00\xff", HEADERS, b"evt_1")
    assert (first.supplier, first.received_at, first.via, first.matched) == (
        "acme",
        NOW + 1,
        Via.WEBHOOK,
        "env:ACME_SECRET",
    )
    assert (first.delivery_id, first.attempts, first.state) == (str(delivery_id(1)), 1, EventState.QUEUED)
    assert (second.event_id, third.event_id) == (b"", None)


def test_accepting_nothing_is_nothing(store: Store) -> None:
    """An empty batch is no error."""
    store.intake.accept([])

    assert claim_events(store) == []


def test_a_claimed_event_is_nobody_elses_until_its_claim_ends(store: Store) -> None:
    """The second worker gets what the first left, and the first's only after the lease."""
    store.intake.accept([verified(1), verified(2)])
    (first,) = claim_events(store, limit=1)

    (second,) = claim_events(store, limit=2)
    again = claim_events(store, now=NOW + LEASE)

    assert second.event.id != first.event.id
    assert [(one.event.id, one.event.attempts) for one in again] == [(first.event.id, 2), (second.event.id, 2)]
    assert len({first.claim, second.claim, again[0].claim}) == 3


def test_whoever_lost_the_claim_writes_nothing(store: Store) -> None:
    """A worker that slept past its lease finds its event taken, and changes nothing."""
    (late,) = arrive(store)
    (current,) = claim_events(store, now=NOW + LEASE)

    assert store.events.apply([application(late, Move(order()))], now=NOW + LEASE) == [Applied.LOST]
    assert store.orders.get([("acme", "ORD-1")]) == {}
    assert store.events.apply([application(current, Move(order()))], now=NOW + LEASE) == [Applied.DONE]


def test_a_claim_that_ran_out_unnoticed_still_counts(store: Store) -> None:
    """Nobody took the event meanwhile: finishing it late is right, and finishing it twice is not."""
    (held,) = arrive(store)

    assert store.events.apply([application(held)], now=NOW + 10 * LEASE) == [Applied.DONE]
    assert store.events.apply([application(held)], now=NOW + 10 * LEASE) == [Applied.LOST]


def test_an_application_writes_event_order_and_actions(store: Store) -> None:
    """What one event does is written together."""
    (claimed,) = arrive(store)
    moved = with_code(order(), "XXXXX-YYYYY-ZZZZZ", "1234")

    applied = store.events.apply([application(claimed, Move(moved, (action(),)))], now=NOW)

    event = store.events.get("1")
    assert applied == [Applied.DONE]
    assert store.orders.get([moved.key]) == {moved.key: replace(moved, version=1)}
    assert [one.action.kind for one in claim_actions(store)] == [ActionKind.DELIVER]
    assert event is not None
    assert (event.state, event.type, event.reference, event.order_id, event.occurred_at) == (
        EventState.DONE,
        "order.created",
        "ORD-1",
        "SUP-ORD-1",
        NOW - 5,
    )


@pytest.mark.parametrize("state", [EventState.IGNORED, EventState.DEAD])
def test_what_says_nothing_to_an_order_is_kept_with_its_reason(store: Store, state: EventState) -> None:
    """An event that can't be read, or means nothing, leaves the queue and says why."""
    (claimed,) = arrive(store)

    applied = store.events.apply([Application(claimed.event.id, claimed.claim, state, "no JSON")], now=NOW)

    event = store.events.get("1")
    assert applied == [Applied.DONE]
    assert event is not None
    assert (event.state, event.error, event.type) == (state, "no JSON", None)


def test_the_second_event_of_a_key_is_a_duplicate(store: Store) -> None:
    """It names the first, and neither its order nor its actions are written."""
    first, second = arrive(store, 1, 2)
    moves = Move(order("ORD-2"), (action(of=order("ORD-2")),))

    applied = store.events.apply(
        [application(first, Move(order()), key=b"evt_1"), application(second, moves, key=b"evt_1")], now=NOW
    )

    event = store.events.get("2")
    assert applied == [Applied.DONE, Applied.DUPLICATE]
    assert event is not None
    assert (event.state, event.duplicate_of) == (EventState.DUPLICATE, 1)
    assert store.orders.get([("acme", "ORD-2")]) == {}
    assert claim_actions(store) == []


def test_a_key_belongs_to_its_supplier(store: Store) -> None:
    """Two suppliers may number their events alike, and an event without a key duplicates nothing."""
    store.intake.accept([verified(1), verified(2, supplier="other"), verified(3), verified(4)])
    keys = [b"1", b"1", None, None]

    applied = store.events.apply(
        [application(one, key=key) for one, key in zip(claim_events(store), keys, strict=True)], now=NOW
    )

    assert applied == [Applied.DONE] * 4


def test_an_order_that_moved_on_leaves_nothing_of_the_application(store: Store) -> None:
    """Stale: order, actions and key are as before, the event is still ours, and a new try succeeds."""
    first, second = arrive(store, 1, 2)
    store.events.apply([application(first, Move(order()))], now=NOW)
    stale = Move(order(), (action(),))

    applied = store.events.apply([application(second, stale, key=b"k")], now=NOW)

    assert applied == [Applied.STALE]
    assert claim_actions(store) == []
    fresh = Move(replace(order(), version=1, status=OrderStatus.PARTIAL), (action(),))
    assert store.events.apply([application(second, fresh, key=b"k")], now=NOW) == [Applied.DONE]
    assert store.orders.get([("acme", "ORD-1")])["acme", "ORD-1"].version == 2


@pytest.mark.parametrize("version", [1, 7])
def test_an_order_is_not_saved_over_a_version_that_is_not_there(store: Store, version: int) -> None:
    """Compare-and-set: only the version that was read is replaced."""
    (claimed,) = arrive(store)

    applied = store.events.apply([application(claimed, Move(replace(order(), version=version)))], now=NOW)

    assert applied == [Applied.STALE]
    assert store.orders.get([("acme", "ORD-1")]) == {}


def test_neighbours_in_a_batch_stand_or_fall_alone(store: Store) -> None:
    """One that is stale and one that can't be stored leave the others of their transaction written."""
    good, stale, unstorable, later = arrive(store, 1, 2, 3, 4)
    half = "\ud800"
    batch = [
        application(good, Move(order())),
        application(stale, Move(replace(order("ORD-2"), version=9))),
        application(unstorable, Move(replace(order("ORD-3"), order_id=half))),
        application(later, Move(replace(order(), version=1, order_id="SUP-2"))),
    ]

    applied = store.events.apply(batch, now=NOW)

    assert applied == [Applied.DONE, Applied.STALE, Applied.STALE, Applied.DONE]
    keys = [("acme", f"ORD-{number}") for number in (1, 2, 3)]
    assert {key: found.order_id for key, found in store.orders.get(keys).items()} == {keys[0]: "SUP-2"}


def test_codes_come_back_as_they_were(store: Store) -> None:
    """Whatever text a supplier calls a code, also one that UTF-8 can't write."""
    (claimed,) = arrive(store)
    moved = with_code(order(), "päß \ud83d\x00", "")

    store.events.apply([application(claimed, Move(moved))], now=NOW)

    assert store.orders.get([moved.key])[moved.key].items == moved.items


def test_what_takes_the_worker_down_is_set_aside_alone(store: Store) -> None:
    """Whatever came along with it is handled: what was claimed twice in vain is claimed by itself."""
    store.intake.accept([verified(number) for number in range(1, 6)])
    now = NOW
    for _ in range(20):
        now += LEASE
        claimed = claim_events(store, now=now)
        if all(one.event.id != 3 for one in claimed):  # whoever has the third ends there
            store.events.apply([application(one, Move(None)) for one in claimed], now=now)

    states = {one.id: one.state for one in store.events.find(EventQuery())}
    assert states == dict.fromkeys((1, 2, 4, 5), EventState.DONE) | {3: EventState.DEAD}
    assert [one.id for one in store.events.find(EventQuery()) if one.stops_the_worker] == [3]


def test_a_poison_event_is_set_aside(store: Store) -> None:
    """What was claimed five times and never applied is dead with its reason; what came after it flows."""
    arrive(store)
    for claim in range(1, 5):
        claim_events(store, now=NOW + claim * LEASE)
    store.intake.accept([verified(2)])

    left = claim_events(store, now=NOW + 5 * LEASE, limit=1)

    poison = store.events.get("1")
    assert [one.event.id for one in left] == [2]
    assert poison is not None
    assert (poison.state, poison.attempts) == (EventState.DEAD, 5)
    assert "claimed 5 times" in (poison.error or "")


def test_what_can_not_be_stored_ends_as_dead_and_says_so(store: Store) -> None:
    """An event whose words no store takes is tried again alone, and then set aside with the reason."""
    arrive(store)
    for claim in range(1, 6):
        for claimed in claim_events(store, now=NOW + claim * LEASE):
            unstorable = Event("acme", EventType.CREATED, "ORD-\ud800")
            wrong = replace(application(claimed), event=unstorable)
            assert store.events.apply([wrong], now=NOW) == [Applied.STALE]

    event = store.events.get("1")
    assert event is not None
    assert event.state is EventState.DEAD
    assert "can't be stored" in (event.error or "")
