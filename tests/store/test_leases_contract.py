"""Leases: each open order is lent to one asker at a time, the oldest first, and comes back by itself."""

from dataclasses import replace

from tests.store.building import LEASE, NOW, Store, order, with_code, write
from webhookctl.core.deliveries import Via
from webhookctl.core.orders import ActionKind, Move, OrderStatus
from webhookctl.core.ports.leases import Concern, Leased, Settled, Standing
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery

LATER = NOW + 1_000


def lease(store: Store, *, now: int = LATER, limit: int = 10, older_than: int | None = NOW) -> list[Leased]:
    return store.leases.claim_stale_orders("acme", older_than=older_than, now=now, until=now + LEASE, limit=limit)


def put(store: Store, *numbers: int) -> None:
    for number in numbers:
        write(store, Move(order(f"ORD-{number}", created_at=NOW - number)))


def references(leased: list[Leased]) -> list[str]:
    return [one.order.reference for one in leased]


def test_the_oldest_come_first_and_once(store: Store) -> None:
    """Two askers share what is due, the oldest first; nobody gets what the other has."""
    put(store, 1, 2, 3)

    first, second, third = lease(store, limit=2), lease(store, limit=2), lease(store)

    assert (references(first), references(second), third) == (["ORD-3", "ORD-2"], ["ORD-1"], [])
    assert [one.items for one in first] == [1, 1]


def test_a_lease_runs_out(store: Store) -> None:
    """What an asker held when it was killed is due again at the end of its lease, and no earlier."""
    put(store, 1)
    lease(store)

    assert lease(store, now=LATER + LEASE - 1) == []
    assert references(lease(store, now=LATER + LEASE)) == ["ORD-1"]


def test_a_lost_lease_writes_nothing(store: Store) -> None:
    """Whoever comes back after its lease was taken over changes nothing and tells nobody."""
    put(store, 1)
    (lost,) = lease(store)
    (held,) = lease(store, now=LATER + LEASE)

    concern = Concern("late", "too late")
    assert store.leases.settle([Settled(lost, LATER, answered=True, concern=concern)], now=LATER) == [False]
    assert store.leases.settle([Settled(held, LATER, answered=True)], now=LATER) == [False]
    assert store.outbox.find(ActionQuery(kind=ActionKind.ALERT)) == []


def test_it_is_asked_about_again_when_it_is_due(store: Store) -> None:
    """An answer puts the order off until its next time, and counts; what was not asked keeps its turn."""
    put(store, 1, 2)
    answered, put_off = lease(store)
    store.leases.settle(
        [
            Settled(answered, LATER + 500, answered=True, note="why"),
            Settled(put_off, None, answered=False),
        ],
        now=LATER,
    )

    assert references(lease(store)) == ["ORD-1"]
    (again,) = lease(store, now=LATER + 500)
    assert (again.order.reference, again.asked, again.note) == ("ORD-2", 1, "why")


def test_only_open_orders_of_their_age_are_stale(store: Store) -> None:
    """What is younger, at its end, or another supplier's is not asked about."""
    put(store, 1)
    write(store, Move(order("ORD-9", created_at=NOW + 1)))
    write(store, Move(with_code(order("ORD-8"), "CODE")))
    write(store, Move(order("ORD-7", supplier="other")))

    assert store.leases.count_stale_orders("acme", older_than=NOW, now=LATER) == 1
    assert [one.reference for one in store.leases.stale_orders("acme", older_than=NOW, now=LATER, limit=5)] == ["ORD-1"]
    assert references(lease(store)) == ["ORD-1"]


def test_what_is_wanted_now_comes_first(store: Store) -> None:
    """An order that is to be asked now is leased before older ones, whatever its state, and wanted once."""
    put(store, 1)
    wanted = replace(with_code(order("ORD-9"), "CODE"), ask_at=NOW)
    write(store, Move(wanted))

    assert store.leases.is_any_wanted("acme", now=LATER)
    (first,) = lease(store, older_than=None)
    assert first.order.reference == "ORD-9"
    assert lease(store, older_than=None) == []
    store.leases.settle([Settled(first, LATER, answered=True)], now=LATER)
    assert not store.leases.is_any_wanted("acme", now=LATER + LEASE)


def test_what_could_not_be_asked_is_wanted_later(store: Store) -> None:
    """Without an answer, what is to be asked now is to be asked at the next time: not again and again."""
    write(store, Move(replace(order("ORD-1"), ask_at=NOW)))
    (first,) = lease(store, older_than=None)

    store.leases.settle([Settled(first, LATER + 500, answered=False)], now=LATER)

    assert lease(store, older_than=None) == []
    assert references(lease(store, older_than=None, now=LATER + 500)) == ["ORD-1"]


def test_one_order_whatever_its_turn(store: Store) -> None:
    """An order that was asked for by name is leased at once, unless somebody has it."""
    write(store, Move(with_code(order("ORD-1"), "CODE")))

    first = store.leases.claim_order("acme", "ORD-1", now=LATER, until=LATER + LEASE)
    second = store.leases.claim_order("acme", "ORD-1", now=LATER, until=LATER + LEASE)

    assert first is not None
    assert first.order.status is OrderStatus.FULFILLED
    assert second is None
    assert store.leases.claim_order("acme", "ORD-2", now=LATER, until=LATER + LEASE) is None


def test_a_person_is_told_once(store: Store) -> None:
    """A concern alerts once per cause; handing over holds the order and ends the asking."""
    put(store, 1)
    told = list[bool]()
    for number, concern in enumerate((Concern("a", "A."), Concern("a", "A."), Concern("b", "B.", hold=True))):
        (one,) = lease(store, now=LATER + number * LEASE)
        told += store.leases.settle([Settled(one, LATER, answered=True, concern=concern)], now=LATER)

    (held,) = store.orders.find(OrderQuery(reference="ORD-1"))
    assert told == [True, False, True]
    assert held.held == "b"
    assert lease(store, now=LATER + 9 * LEASE) == []
    assert sorted(one.cause for one in store.outbox.find(ActionQuery(kind=ActionKind.ALERT))) == ["a", "b"]


def test_an_order_that_ended_meanwhile_concerns_nobody(store: Store) -> None:
    """A webhook that came while we asked leaves nothing to tell a person."""
    put(store, 1)
    (one,) = lease(store)
    write(store, Move(replace(with_code(one.order, "CODE"), version=one.order.version)))

    concerns = (Concern("a", "A."), Concern("b", "B.", hold=True))
    told = [store.leases.settle([Settled(one, LATER, answered=True, concern=each)], now=LATER) for each in concerns]

    assert told == [[False], [False]]


def test_a_suppliers_standing_is_kept(store: Store) -> None:
    """What is known of a supplier's API outlives the process; when it last answered is not forgotten."""
    store.leases.record_standing(Standing("acme", 1, 1))
    store.leases.record_standing(Standing("acme", 5, None, 5, 9, "down"))

    assert store.leases.standing("acme") == Standing("acme", 5, 1, 5, 9, "down")
    assert store.leases.standing("other") == Standing("other")


def test_of_missed_webhooks_a_person_hears_once(store: Store) -> None:
    """The alert comes once, and again only after it has been well in between."""
    told = [store.leases.tell_of_missed("acme", detail, now=now) for now, detail in enumerate(["x", "x", None, None])]
    told.append(store.leases.tell_of_missed("acme", "x", now=100_000_000))

    assert told == [True, False, False, False, True]
    assert len(store.outbox.find(ActionQuery(kind=ActionKind.ALERT))) == 2


def test_final_states_are_counted_by_what_told_them(store: Store) -> None:
    """Each final state counts when it was reached, as found by asking or not."""
    write(store, Move(with_code(order("ORD-1"), "CODE")))
    write(store, Move(replace(with_code(order("ORD-2"), "CODE"), learned_by=Via.POLL)))
    put(store, 3)

    (ended,) = store.leases.endings(since=NOW)
    assert (ended.ended, ended.found, ended.late) == (2, 1, 0)
    assert store.leases.endings(since=NOW + 1) == []


def test_the_last_beat_is_remembered(store: Store) -> None:
    """When we last received outlives the process."""
    assert store.leases.last_beat() is None
    store.leases.beat(now=1)
    store.leases.beat(now=2)
    assert store.leases.last_beat() == 2
