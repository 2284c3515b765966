"""No query of the SQLite store reads a table from end to end."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.building import (
    LEASE,
    NOW,
    action,
    application,
    arrive,
    claim_actions,
    claim_events,
    delivery_id,
    order,
    rejection,
    said,
    verified,
    with_code,
)
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import Reason
from webhookctl.core.events import EventState, EventType, Place, Spoken, Unmapped
from webhookctl.core.orders import ActionKind, ActionState, Intervention, Move, NewAction, OrderStatus, Restraint
from webhookctl.core.ports.alarms import Window
from webhookctl.core.ports.chores import ChoreName
from webhookctl.core.ports.events import Application, EventQuery
from webhookctl.core.ports.leases import Concern, Settled, Standing
from webhookctl.core.ports.orders import OrderQuery, Reveal
from webhookctl.core.ports.outbox import ActionQuery, Settlement
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.ports.replays import ReplayState, Verdict
from webhookctl.core.quarantine import Bounds

_ALLOWED = {
    # A row for each of two chores.
    "SCAN chores",
    # What asking came to: each row is found by its rowid.
    "SCAN one VIRTUAL TABLE INDEX 1:",
    # What waits is all that is in these indexes.
    "SCAN events USING INDEX events_queue",
    "SCAN events USING COVERING INDEX events_queue",
    # Lists without a filter: walked from the newest until the limit.
    "SCAN events USING INDEX events_by_time",
    "SCAN orders USING INDEX orders_by_time",
    "SCAN actions USING INDEX actions_by_time",
    # Lists of one state, sorted: none of these keeps many for long.
    "SCAN actions USING INDEX actions_due",
    "SCAN actions USING INDEX actions_running",
    # Counts, without touching the tables.
    "SCAN orders USING COVERING INDEX orders_by_status",
    "SCAN orders USING COVERING INDEX orders_by_time",
    "SCAN orders USING INDEX orders_held",
    "SCAN events USING COVERING INDEX events_by_state",
    "SCAN actions USING COVERING INDEX actions_due",
    "SCAN actions USING COVERING INDEX actions_settled",
    # What the quarantine holds of whom: bounded, in an index that has all of it.
    "SCAN rejected USING COVERING INDEX rejected_by_source",
    "SCAN rejected USING INDEX rejected_by_time",
    # A row per supplier and day.
    "SCAN repeats",
    # A row per replay, from the newest on.
    "SCAN replays",
    # A row per secret.
    "SCAN secret_uses",
    # What the quarantine holds, without touching its table.
    "SCAN rejected USING COVERING INDEX rejected_by_time",
    # The name of the one table whose numbers are remembered.
    "SCAN sqlite_sequence",
    # What the statement itself brings.
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN 2-ROW VALUES CLAUSE",
    "SCAN 10-ROW VALUES CLAUSE",
}


@pytest.fixture
def sqlite(path: Path, cipher: AesGcmCipher) -> Iterator[SqliteStore]:
    with closing(open_store(path, cipher, create=True)) as store:
        yield store


def _plans(store: SqliteStore, statements: set[str]) -> dict[str, list[str]]:
    queries = [one for one in statements if one.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "INSERT", "DELETE"}]
    with store.connection.reading() as raw:
        return {one: [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {one}")] for one in queries}


def _raise_alarms(store: SqliteStore, low: NewAction) -> None:
    store.alarms.overdue(lambda _: low, since=0, until=NOW, now=NOW)
    store.alarms.undelivered(lambda _order, _action: low, since=0, until=NOW, now=NOW)
    (unknown,) = arrive(store, 77)
    waiting = Unmapped("acme", EventState.DEAD, "unknown", None, "S77")
    store.events.apply([Application(unknown.event.id, unknown.claim, EventState.DEAD, None, waiting)], now=NOW)
    store.alarms.waiting("acme", lambda _: low, Window(0, NOW + 1000, 1), now=NOW)


def _use_everything(store: SqliteStore) -> None:
    first, second = arrive(store, 1, 2)
    moved = with_code(order(), "CODE", "PIN")
    restraint = Restraint(ActionKind.REFUND, ActionState.CANCELLED, "why")
    moves = (Move(moved, (action(), action(ActionKind.NOTIFY)), (restraint,)), Move(order("ORD-2")))
    store.events.apply([application(first, *moves, key=b"k"), application(second, key=b"k")], now=NOW)
    (several,) = arrive(store, 3)
    spoken = (Spoken(EventState.DONE, "order.created", "ORD-1", "SUP-1"),)
    store.events.apply([Application(several.event.id, several.claim, EventState.DONE, orders=spoken)], now=NOW)
    store.events.queue_sealed()
    arrive(store, 4)
    claim_events(store, now=NOW + LEASE)
    for name in ("1", str(delivery_id(1))):
        store.events.get(name)
    again = _act(store)
    store.orders.suppliers_of({"ORD-1"})
    store.orders.references_of({("acme", "SUP-1")})
    store.orders.get([moved.key])
    store.orders.record_reveal("acme", "ORD-1", Reveal(NOW, "ann", "why"))
    moved = store.orders.get([moved.key])[moved.key]
    by = Intervention(NOW, "ann", "held", "why")
    decided = Move(moved, restraints=(restraint,), releases=(ActionKind.DELIVER,), intervention=by)
    low = NewAction("acme", "", ActionKind.TOP_UP, "low:1", cooldown_ms=1)
    about = NewAction(*moved.key, ActionKind.ALERT, "x", about=ActionKind.DELIVER)
    store.orders.write([decided, Move(None, (low, about))], now=NOW)
    store.outbox.resolve(again, ActionState.DONE, by=by, now=NOW)
    store.outbox.interventions(again)
    _raise_alarms(store, low)
    for only_held, overdue_at in ((True, None), (True, NOW), (False, NOW)):
        store.orders.find(OrderQuery(held=only_held, overdue_at=overdue_at))
    store.orders.story("acme", "ORD-1")
    store.upkeep.count_repeats({"acme": 1}, now=NOW)
    store.upkeep.count_sealed()
    mark = store.upkeep.rekey(None, limit=2).mark
    while mark is not None:
        mark = store.upkeep.rekey(mark, limit=2).mark
    _use_the_quarantine(store)
    _report_everything(store)
    _ask_about_everything(store)


def _act(store: SqliteStore) -> str:
    """Claim, begin, settle and retry actions; returns the id of one that was tried again."""
    claimed = claim_actions(store)
    held = [(one.action.id, one.claim) for one in claimed]
    store.outbox.begin(*held[0], now=NOW)
    store.outbox.renew(held, until=NOW + LEASE)
    store.outbox.release(held, now=NOW)
    claim_actions(store, now=NOW + LEASE)
    again, *_ = claim_actions(store, now=NOW + 2 * LEASE)
    store.outbox.settle([Settlement(again.action.id, again.claim, ActionState.DEAD, "", alert="x")], now=NOW)
    deferred, *_ = claim_actions(store, now=NOW + 3 * LEASE)
    later = Settlement(deferred.action.id, deferred.claim, ActionState.WAITING, "", NOW, is_attempt=False)
    store.outbox.settle([later], now=NOW)
    store.outbox.retry(again.action.id, now=NOW)
    store.outbox.get(again.action.id)
    return again.action.id


def _report_everything(store: SqliteStore) -> None:
    store.reports.summary(now=NOW)
    store.reports.secret_uses()
    store.reports.pressing(asked_before=NOW, rejected_since=NOW)


def _look_after_everything(store: SqliteStore) -> None:
    for plan in (True, False):
        prune_mark = store.upkeep.prune(None, before=NOW + LEASE, now=NOW, limit=2, plan=plan).mark
        while prune_mark is not None:
            prune_mark = store.upkeep.prune(prune_mark, before=NOW + LEASE, now=NOW, limit=2, plan=plan).mark
    store.upkeep.reclaim(pages=10)
    store.chores.begin(ChoreName.PRUNE, every=1, again_after=1, now=NOW)
    store.chores.end(ChoreName.PRUNE, done=False, detail="", now=NOW)
    store.chores.end(ChoreName.PRUNE, done=True, detail="", now=NOW)
    store.chores.all()


def _follow(store: SqliteStore) -> None:
    store.reports.effects(1)
    store.feed.newest()
    store.feed.has_grown()
    store.feed.again([event.id for event in store.feed.arrived(after=0, limit=9)])
    store.events.record_reveals([1, 2], Reveal(NOW, "ada", "why"))
    store.events.here([delivery_id(1).bytes, delivery_id(99).bytes], upto=9)


def _replay_everything(store: SqliteStore) -> None:
    by = Intervention(NOW, "ann", "tried again", "")
    for chosen in (ActionQuery(), ActionQuery(reference="ORD-1"), ActionQuery("acme", since=NOW, until=NOW)):
        store.outbox.count_dead(chosen, until=NOW)
        store.outbox.retry_dead(chosen, until=NOW, by=by, limit=2)
    store.orders.asked([action(), action(ActionKind.NOTIFY)], now=NOW)
    store.events.firsts([("acme", b"k"), ("acme", b"l")])


def _use_the_quarantine(store: SqliteStore) -> None:
    _follow(store)
    store.events.record_reveal(1, Reveal(NOW, "ada", "why"))
    store.events.reveals(1)
    rejections = [rejection(number) for number in range(10)]
    store.quarantine.keep(rejections, Bounds(rows=6, per_sender=3, bytes=3_000), now=NOW)
    store.quarantine.forget_old(before=NOW + 9)
    for one in store.quarantine.walk(RejectedQuery()):
        store.quarantine.get(one.id)
        store.quarantine.admit([(one.id, verified(10))])


def _send_elsewhere(store: SqliteStore) -> None:
    look = Reveal(NOW, "ada", "why")
    number = store.replays.begin("http://127.0.0.1", "fresh", look)
    store.replays.add(number, [1, 2], look)
    store.replays.complete(number)
    store.replays.claim(number, "c", now=NOW, until=NOW + 9)
    store.replays.claim(number, "d", now=NOW, until=NOW + 9)
    store.replays.renew(number, "c", until=NOW + 9)
    (first, *_) = store.replays.take(number, "c", 9)
    store.replays.settle(number, "c", [Verdict(first.number, "1", ReplayState.TAKEN, 200, 1, "")], now=NOW)
    store.replays.reopen(number, look, after=0, limit=9)
    store.replays.get(number)
    store.replays.get(None)
    store.replays.counts(number)
    store.replays.release(number, "c")


def _ask_about_everything(store: SqliteStore) -> None:
    leases = store.leases
    moves = (Move(order("ORD-3")), Move(replace(order("ORD-4"), ask_at=NOW)))
    claimed = arrive(store, 14)[-1]
    store.events.apply([application(claimed, *moves)], now=NOW)
    assert leases.is_any_wanted("acme", now=NOW)
    leases.stale_orders("acme", older_than=NOW, now=NOW, limit=10)
    leases.count_stale_orders("acme", older_than=NOW, now=NOW)
    leased = [
        *leases.claim_stale_orders("acme", older_than=None, now=NOW, until=NOW + LEASE, limit=1),
        *leases.claim_stale_orders("acme", older_than=NOW, now=NOW, until=NOW + LEASE, limit=10),
    ]
    concerns = (Concern("c", "d"), Concern("c", "d", hold=True))
    told = [Settled(one, NOW, answered=True, concern=concern) for one, concern in zip(leased, concerns, strict=False)]
    assert leases.settle(told, now=NOW) == [True, True]
    leases.claim_order("acme", "ORD-1", now=NOW, until=NOW + LEASE)
    leases.record_standing(Standing("acme", NOW))
    leases.standing("acme")
    leases.tell_of_missed("acme", "many", now=NOW)
    leases.endings(since=NOW)
    leases.beat(now=NOW)
    leases.last_beat()
    claimed = arrive(store, 15)[-1]
    late = said(order("ORD-3"), EventType.FULFILLED)
    store.events.apply([Application(claimed.event.id, claimed.claim, EventState.DONE, None, late)], now=NOW)


def _list_everything(store: SqliteStore) -> None:
    suppliers, references, spans = (None, "acme"), (None, "ORD-1"), ((None, None), (NOW, None), (NOW, NOW + 1))
    for supplier, reference, (since, until) in itertools.product(suppliers, references, spans):
        for reason in (None, Reason.MISMATCH):
            store.quarantine.find(RejectedQuery(supplier, reason, since, until))
        for state, type_, order_id, via in itertools.product(
            (None, *EventState), (None, "order.created"), (None, "SUP-1"), (None, Via.POLL)
        ):
            query = EventQuery(supplier, type_, state, reference, order_id, since, until, via=via)
            store.events.find(query)
            store.events.count(query)
            for after in (None, Place(NOW, 7)):
                store.events.walk(query, after=after)
        for status in (None, *OrderStatus):
            store.orders.find(OrderQuery(supplier, status, reference, since, until))
        for kind, end in itertools.product((None, ActionKind.ALERT), (None, *ActionState)):
            store.outbox.find(ActionQuery(supplier, kind, end, reference, since, until))


def _traced(store: SqliteStore, into: list[str]) -> None:
    with store.connection.reading() as raw:
        raw.set_trace_callback(into.append)


def test_every_query_has_its_index(sqlite: SqliteStore) -> None:
    """All that the ports ask, with every combination of filters, seeks or walks an index made for it."""
    seen = list[str]()
    _traced(sqlite, seen)
    _use_everything(sqlite)
    _send_elsewhere(sqlite)
    _list_everything(sqlite)
    _look_after_everything(sqlite)
    _replay_everything(sqlite)

    plans = _plans(sqlite, set(seen))

    scans = {step: one for one, plan in plans.items() for step in plan if step.startswith("SCAN")}
    ours = {step: one for step, one in scans.items() if not step.startswith(("SCAN CONSTANT", "SCAN (subquery"))}
    assert len(plans) > 300
    assert {step: one for step, one in ours.items() if step not in _ALLOWED} == {}


def test_long_lists_are_not_sorted(sqlite: SqliteStore) -> None:
    """What grows with the years comes out of its index in order, so that a list ends at its limit."""
    seen = list[str]()
    _traced(sqlite, seen)
    for state in (None, EventState.DONE, EventState.QUEUED):
        sqlite.events.find(EventQuery(state=state))
    sqlite.events.find(EventQuery(supplier="acme", until=NOW))
    sqlite.events.find(EventQuery(type="order.created"))
    sqlite.events.find(EventQuery(via=Via.WEBHOOK))
    for state, after in itertools.product((None, EventState.DONE), (None, Place(NOW, 7))):
        for asked in (
            EventQuery(state=state),
            EventQuery(supplier="acme", state=state, since=NOW),
            EventQuery(via=Via.POLL),
        ):
            sqlite.events.walk(asked, after=after, opened=True)
    sqlite.orders.find(OrderQuery(status=OrderStatus.FULFILLED))
    sqlite.orders.find(OrderQuery(supplier="acme"))
    sqlite.outbox.find(ActionQuery(state=ActionState.DONE, kind=ActionKind.DELIVER))
    sqlite.outbox.find(ActionQuery())

    plans = _plans(sqlite, set(seen))

    sorts = {one: plan for one, plan in plans.items() if any("TEMP B-TREE" in step for step in plan)}
    assert len(plans) >= 10
    assert {one for one in sorts if "state = 'queued'" not in one} == set()


def test_a_walk_seeks_its_place(sqlite: SqliteStore) -> None:
    """Each page begins at the moment where the last one ended, and reads nothing before it."""
    seen = list[str]()
    _traced(sqlite, seen)
    for filters in ({}, {"supplier": "acme"}, {"via": Via.POLL}, {"state": EventState.DEAD}, {"type": "order.created"}):
        sqlite.events.walk(EventQuery(since=NOW, **filters), after=Place(NOW, 7))

    plans = _plans(sqlite, {one for one in seen if "state = 'queued'" not in one})

    assert len(plans) == 5
    for (step,) in plans.values():
        assert step.endswith(("(received_at>?)", "AND received_at>?)"))


def test_measuring_reads_no_big_table(sqlite: SqliteStore) -> None:
    """Rows of what grows are counted along an index, and bytes are taken from the ends of each table."""
    seen = list[str]()
    _use_everything(sqlite)
    _traced(sqlite, seen)
    sqlite.checks.sizes(now=NOW)

    plans = _plans(sqlite, {one for one in seen if "FROM events" in one or "FROM orders" in one or "actions" in one})
    read = {one for one, plan in plans.items() if any("SCAN" in step and "COVERING INDEX" not in step for step in plan)}

    counted = {one for one in plans if "count(*)" in one}
    assert len(counted) >= 5
    assert read & counted <= {one for one in counted if "events_queue" in one}  # what waits is all that is in it
    assert all("LIMIT" in one for one in read - counted)
    assert not any("TEMP B-TREE" in step for plan in plans.values() for step in plan)
