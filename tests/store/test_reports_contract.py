"""Every store's `Reports` and `Upkeep` do what their ports say."""

from dataclasses import replace

from tests.store.building import (
    NOW,
    Store,
    action,
    application,
    arrive,
    claim_actions,
    claim_events,
    order,
    put,
    rejection,
    verified,
    with_code,
)
from webhookctl.core.deliveries import Via
from webhookctl.core.orders import ActionKind, ActionState, Move
from webhookctl.core.ports.outbox import Settlement
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds

DAY = 86_400_000


def test_an_empty_store(store: Store) -> None:
    """Nothing is counted, and nothing is oldest."""
    summary = store.reports.summary(now=NOW)

    assert (summary.orders, summary.events, summary.actions) == ({}, {}, {})
    assert (summary.held_orders, summary.overdue_orders, summary.repeats_answered) == (0, 0, 0)
    assert (summary.oldest_queued_at, summary.newest_event_at) == (None, None)
    assert summary.journal_mode in {"wal", "delete"}


def test_all_that_the_store_holds_is_counted(store: Store) -> None:
    """Orders by status, events by state, actions by kind and state; what is held, and what is past due."""
    first, second = arrive(store, 1, 2)
    late = replace(order("ORD-2"), due_at=NOW)
    held = replace(action(ActionKind.REFUND), state=ActionState.HELD)
    moves = (
        Move(with_code(order(), "CODE"), (action(), action(ActionKind.NOTIFY), held)),
        Move(late),
        Move(replace(order("ORD-3"), due_at=NOW + 1, held="why")),
        Move(replace(with_code(order("ORD-4"), "CODE"), due_at=NOW)),
    )
    store.events.apply([application(first, *moves, key=b"k"), application(second, key=b"k")], now=NOW)
    store.intake.accept([verified(3), verified(4)])
    claim_actions(store, ActionKind.NOTIFY)

    summary = store.reports.summary(now=NOW)

    assert summary.orders == {"fulfilled": 2, "pending": 2}
    assert summary.events == {"queued": 2, "done": 1, "duplicate": 1}
    assert summary.actions == {("deliver", "waiting"): 1, ("notify", "running"): 1, ("refund", "held"): 1}
    assert (summary.held_orders, summary.overdue_orders) == (1, 1)
    assert (summary.oldest_queued_at, summary.newest_event_at) == (NOW + 3, NOW + 4)


def test_repeats_add_up(store: Store) -> None:
    """Per supplier and day, in one number for the glance."""
    store.upkeep.count_repeats({"acme": 2, "other": 3}, now=NOW)
    store.upkeep.count_repeats({"acme": 5}, now=NOW + 1)
    store.upkeep.count_repeats({"acme": 1}, now=NOW + DAY)
    store.upkeep.count_repeats({}, now=NOW)

    assert store.reports.summary(now=NOW).repeats_answered == 11


def test_alerts_that_could_not_be_sent_are_counted(store: Store) -> None:
    """Those whose last attempt failed, and not those whose turn has not come."""
    put(store, ActionKind.ALERT, ActionKind.DELIVER)
    alert, deliver = claim_actions(store, ActionKind.ALERT) + claim_actions(store, ActionKind.DELIVER)
    before = store.reports.summary(now=NOW).untold_alerts
    again = [Settlement(one.action.id, one.claim, ActionState.WAITING, "mail is down", NOW) for one in (alert, deliver)]
    store.outbox.settle(again, now=NOW)

    assert (before, store.reports.summary(now=NOW).untold_alerts) == (0, 1)


def test_when_each_secret_matched_last(store: Store) -> None:
    """By supplier, from what was applied, whatever became of it; what was polled matched none."""
    old = [verified(number)._replace(matched="env:OLD") for number in (5, 3)]
    polled = verified(9)
    polled = polled._replace(delivery=polled.delivery._replace(via=Via.POLL), matched="poll")
    healed = verified(7, supplier="other")
    healed = healed._replace(delivery=healed.delivery._replace(via=Via.REVERIFY))
    store.intake.accept([verified(1), *old, polled, healed])
    assert store.reports.secret_uses() == {}

    claimed = claim_events(store)
    store.events.apply([application(one, key=b"the same") for one in claimed], now=NOW)
    later = arrive(store, 8)
    store.events.apply([application(later[0], key=b"the same")], now=NOW)

    assert store.reports.secret_uses() == {
        ("acme", "env:ACME_SECRET"): NOW + 8,
        ("acme", "env:OLD"): NOW + 5,
        ("other", "env:ACME_SECRET"): NOW + 7,
    }


def test_rejections_are_counted(store: Store) -> None:
    """Whoever looks at the shop sees that something waits in the quarantine."""
    assert store.reports.summary(now=NOW).rejected == 0
    store.quarantine.keep([rejection(1), rejection(2)], Bounds(), now=NOW)

    assert store.reports.summary(now=NOW).rejected == 2


def test_what_presses(store: Store) -> None:
    """Deliveries that wait for too long are counted, and what was rejected of late; nothing else is."""
    first, second = arrive(store, 1, 2)
    asked = (action(), action(ActionKind.NOTIFY))
    moves = [
        Move(with_code(order(name), "CODE"), tuple(replace(one, subject=name) for one in asked))
        for name in ("ORD-1", "ORD-2")
    ]
    store.events.apply([application(first, *moves[:1], key=b"a")], now=NOW)
    store.events.apply([application(second, *moves[1:], key=b"b")], now=NOW + 10)
    store.quarantine.keep([rejection(1), rejection(2)], Bounds(10, 1 << 20, 10, DAY), now=NOW)
    times = [one.received_at for one in store.quarantine.find(RejectedQuery())]

    early = store.reports.pressing(asked_before=NOW + 1, rejected_since=max(times))
    late = store.reports.pressing(asked_before=NOW + 11, rejected_since=min(times))

    assert (early.undelivered, late.undelivered) == (1, 2)
    assert (early.rejected, late.rejected) == (1, 2)
