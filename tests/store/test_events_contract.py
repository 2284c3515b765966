"""Every store's `Events` does what its port says."""

from dataclasses import replace
from typing import Any

import pytest

from tests.store.building import (
    HEADERS,
    LEASE,
    NOW,
    Store,
    application,
    arrive,
    claim_events,
    delivery_id,
    order,
    said,
    verified,
)
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import UsageError
from webhookctl.core.events import Event, EventState, EventType, StoredEvent
from webhookctl.core.orders import Move
from webhookctl.core.ports.events import Application, Applied, EventQuery
from webhookctl.core.ports.orders import Reveal


def _handle(store: Store) -> None:
    """Apply four events, and leave a fifth queued."""
    store.intake.accept([verified(number, supplier="acme" if number % 2 else "other") for number in range(1, 5)])
    types = [EventType.CREATED, EventType.FULFILLED, EventType.CREATED, EventType.FAILED]
    batch = []
    for claimed, type_ in zip(claim_events(store), types, strict=True):
        one = claimed.event
        reference = f"ORD-{(one.id + 1) // 2}"
        event = Event(one.supplier, type_, reference, f"SUP-{one.id}", NOW)
        state = EventState.DEAD if one.id == 3 else EventState.DONE
        batch.append(Application(one.id, claimed.claim, state, None, event))
    store.events.apply(batch, now=NOW)
    store.intake.accept([verified(5)])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"limit": 2}, [5, 4]),
        ({"supplier": "acme"}, [5, 3, 1]),
        ({"supplier": "nobody"}, []),
        ({"state": EventState.QUEUED}, [5]),
        ({"state": EventState.DONE}, [4, 2, 1]),
        ({"state": EventState.DEAD, "supplier": "other"}, []),
        ({"type": "order.created"}, [3, 1]),
        ({"reference": "ORD-1"}, [2, 1]),
        ({"reference": "ORD-1", "supplier": "acme"}, [1]),
        ({"order_id": "SUP-4"}, [4]),
        ({"since": NOW + 2, "until": NOW + 4}, [3, 2]),
        ({"since": NOW + 5}, [5]),
        ({"until": NOW + 5, "supplier": "other"}, [4, 2]),
        ({"via": Via.WEBHOOK, "state": EventState.DEAD}, [3]),
        ({"via": Via.WEBHOOK, "reference": "ORD-1"}, [2, 1]),
        ({"via": Via.POLL}, []),
    ],
)
def test_events_are_listed_newest_first(store: Store, filters: dict[str, Any], expected: list[int]) -> None:
    """Each filter narrows the list, alone and together; bodies and headers stay closed."""
    _handle(store)

    found = store.events.find(EventQuery(**filters))

    assert [event.id for event in found] == expected
    assert {(event.body, event.headers) for event in found} <= {(b"", ())}


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"supplier": "acme"},
        {"state": EventState.QUEUED},
        {"state": EventState.DONE, "via": Via.WEBHOOK},
        {"type": "order.created"},
        {"reference": "ORD-1"},
        {"order_id": "SUP-4"},
        {"since": NOW + 2, "until": NOW + 5},
        {"via": Via.WEBHOOK, "since": NOW + 2},
    ],
)
@pytest.mark.parametrize("page", [1, 2, 50])
def test_a_walk_goes_through_the_same_events_oldest_first(store: Store, filters: dict[str, Any], page: int) -> None:
    """Whatever the page holds, the walk meets each event once, and those of one moment by their number."""
    _handle(store)
    store.intake.accept([verified(3), verified(1)])  # received together with others, and stored later
    query = EventQuery(**filters)
    expected = sorted(store.events.find(query), key=lambda event: event.place)

    walked = list[StoredEvent]()
    while found := store.events.walk(replace(query, limit=page), after=walked[-1].place if walked else None):
        assert len(found) <= page
        walked += found
        assert len(walked) <= len(expected)

    assert walked == expected
    assert walked


@pytest.mark.parametrize("filters", [{}, {"supplier": "acme"}, {"state": EventState.DEAD}, {"reference": "ORD-1"}])
def test_events_are_counted_whatever_the_limit(store: Store, filters: dict[str, Any]) -> None:
    """As many as the list without a limit has."""
    _handle(store)

    assert store.events.count(EventQuery(limit=1, **filters)) == len(store.events.find(EventQuery(**filters))) > 0


def test_deliveries_that_are_here_are_found_by_their_id(store: Store) -> None:
    """Queued or handled, up to a number."""
    _handle(store)
    ids = [delivery_id(number).bytes for number in (1, 5, 9)]

    assert store.events.here(ids, upto=5) == {ids[0], ids[1]}
    assert store.events.here(ids, upto=4) == {ids[0]}


def test_many_reveals_are_written_at_once(store: Store) -> None:
    """Each of the events says who has seen it."""
    _handle(store)
    look = Reveal(NOW, "ada", "why")

    store.events.record_reveals([1, 5], look)

    assert [store.events.reveals(number) for number in (1, 2, 5)] == [[look], [], [look]]


def test_a_walk_meets_what_is_handled_meanwhile(store: Store) -> None:
    """An event that leaves the queue between two pages is neither missed nor met twice."""
    store.intake.accept([verified(number) for number in range(1, 6)])
    (first, second) = store.events.walk(EventQuery(limit=2))
    store.events.apply([application(one) for one in claim_events(store)[:4]], now=NOW)

    rest = store.events.walk(EventQuery(), after=second.place)

    assert [first.id, second.id, *(one.id for one in rest)] == [1, 2, 3, 4, 5]


def test_a_walk_opens_what_it_is_asked_to(store: Store) -> None:
    """Headers and body are there exactly, of the queued as of the handled."""
    _handle(store)

    opened = store.events.walk(EventQuery(), opened=True)

    assert {(one.body, one.headers, one.unreadable) for one in opened} == {(verified().delivery.body, HEADERS, None)}


@pytest.mark.parametrize("name", ["5", "1", str(delivery_id(5)), str(delivery_id(1)).upper(), delivery_id(1).hex])
def test_an_event_is_found_by_row_and_by_delivery_id(store: Store, name: str) -> None:
    """Queued or handled, by number, by id, with and without dashes, in either case; headers and body opened."""
    _handle(store)

    found = store.events.get(name)

    assert found is not None
    assert (found.body, found.headers) == (verified().delivery.body, HEADERS)
    assert found.id == (5 if name in {"5", str(delivery_id(5))} else 1)


@pytest.mark.parametrize(
    "name", ["", "0", "6", "99999999999999999999", "019db", "../etc", "' OR 1=1 --", "\ud800", "٣"]
)
def test_an_event_that_is_not_there_is_none(store: Store, name: str) -> None:
    """Nonsense finds nothing and breaks nothing; seven characters of an id are too few."""
    _handle(store)

    assert store.events.get(name) is None


def test_a_unique_beginning_of_a_delivery_id_will_do(store: Store) -> None:
    """Eight characters or more, as long as only one event begins so."""
    store.intake.accept([verified(1), verified(9)])
    whole = str(delivery_id(1))

    found = store.events.get(whole[:13])

    assert found is not None
    assert found.delivery_id == whole
    with pytest.raises(UsageError, match="More than one"):
        store.events.get(whole[:8])


def test_who_saw_an_event_as_it_came_is_written_down(store: Store) -> None:
    """It stands at the event, and in the story of the order that the event speaks of."""
    store.intake.accept([verified(1), verified(2)])
    first, second = claim_events(store)
    store.events.apply([application(first, Move(order("ORD-1")), of=order("ORD-1")), application(second)], now=NOW)
    looks = [Reveal(NOW + 2, "ada at tty1", "their case"), Reveal(NOW + 1, "bob at tty2", "ours")]
    for look in looks:
        store.events.record_reveal(first.event.id, look)

    story = store.orders.story("acme", "ORD-1")

    assert store.events.reveals(first.event.id) == looks[::-1]
    assert store.events.reveals(second.event.id) == []
    assert story is not None
    assert [one.reason for one in story.reveals] == [
        f"event {first.event.id} as it came: ours",
        f"event {first.event.id} as it came: their case",
    ]


def again(number: int, before: EventState, *moves: Move) -> Application:
    return Application(number, None, EventState.DONE, None, said(order()), None, moves, before=before)


def test_what_is_handled_again_is_written_while_it_stands_as_it_was_read(store: Store) -> None:
    """No claim is needed, and of two who have read the same only one writes."""
    (claimed,) = arrive(store)
    store.events.apply([Application(1, claimed.claim, EventState.DEAD, "no such supplier")], now=NOW)

    first = store.events.apply([again(1, EventState.DEAD, Move(order()))], now=NOW)
    second = store.events.apply([again(1, EventState.DEAD, Move(order("ORD-2")))], now=NOW)

    assert (first, second) == ([Applied.DONE], [Applied.LOST])
    assert store.orders.get([("acme", "ORD-2")]) == {}


def test_what_a_worker_holds_is_not_handled_again(store: Store) -> None:
    """Until its claim ends."""
    arrive(store)

    assert store.events.apply([again(1, EventState.QUEUED)], now=NOW) == [Applied.LOST]
    assert store.events.apply([again(1, EventState.QUEUED)], now=NOW + LEASE) == [Applied.DONE]


def test_who_had_a_key_first_is_known(store: Store) -> None:
    """Per supplier; an event is no repeat of itself."""
    (claimed,) = arrive(store)
    store.events.apply([application(claimed, key=b"k")], now=NOW)

    assert store.events.firsts([("acme", b"k"), ("zeta", b"k"), ("acme", None), ("acme", b"other")]) == [
        1,
        None,
        None,
        None,
    ]


def test_the_newest_is_known(store: Store) -> None:
    """Of an empty log it is 0."""
    assert store.feed.newest() == 0
    arrive(store, 1, 2)
    assert store.feed.newest() == 2
