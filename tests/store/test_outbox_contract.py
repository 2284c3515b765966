"""Every store's `Outbox` does what its port says."""

from dataclasses import replace
from typing import Any

import pytest

from tests.store.building import LEASE, NOW, Store, action, claim_actions, order, put, restrain, write
from webhookctl.core.errors import UsageError
from webhookctl.core.orders import ActionKind, ActionState, Move, NewAction
from webhookctl.core.ports.outbox import ActionQuery, ClaimedAction, Settlement

LATER = NOW + LEASE


def _settle(store: Store, claimed: ClaimedAction, state: ActionState, *, now: int = NOW, **more: Any) -> bool:  # noqa: ANN401 - fields of a settlement
    (written,) = store.outbox.settle([Settlement(claimed.action.id, claimed.claim, state, "HTTP 500", **more)], now=now)
    return written


def _state(store: Store, kind: ActionKind = ActionKind.DELIVER) -> ActionState:
    (found,) = store.outbox.find(ActionQuery(kind=kind, reference="ORD-1"))
    return found.state


def _alerts(store: Store) -> list[tuple[str, str]]:
    return [(one.subject, one.cause) for one in store.outbox.find(ActionQuery(kind=ActionKind.ALERT))]


def test_an_action_is_claimed_once_until_its_lease_ends(store: Store) -> None:
    """A second worker gets nothing; after the lease the action is due again under the same id."""
    put(store)
    (first,) = claim_actions(store)

    assert claim_actions(store, now=LATER - 1) == []
    (second,) = claim_actions(store, now=LATER)

    assert (first.action.id, first.action.attempts) == (second.action.id, 1)
    assert (second.action.attempts, second.action.state) == (2, ActionState.RUNNING)
    assert first.claim != second.claim


def test_only_due_actions_of_the_kinds_asked_for_are_claimed_and_the_longest_due_first(store: Store) -> None:
    """What waits for a handler that is not there stays; what is postponed waits for its time."""
    put(store, ActionKind.DELIVER, ActionKind.NOTIFY, ActionKind.REFUND)
    notify, refund = claim_actions(store, ActionKind.NOTIFY, ActionKind.REFUND)
    _settle(store, notify, ActionState.WAITING, next_at=NOW + 20)
    _settle(store, refund, ActionState.WAITING, next_at=NOW + 10)

    asked = (ActionKind.NOTIFY, ActionKind.REFUND)
    assert claim_actions(store, *asked, now=NOW + 9) == []
    assert store.outbox.claim((), now=NOW, limit=9, lease_ms=LEASE) == []
    assert [one.action.kind for one in claim_actions(store, *asked, now=NOW + 30, limit=1)] == [ActionKind.REFUND]
    assert [one.action.kind for one in claim_actions(store, now=NOW + 30)] == [ActionKind.DELIVER, ActionKind.NOTIFY]


def test_there_is_one_action_per_cause(store: Store) -> None:
    """A second `deliver` of an order is not added, whatever its state has become."""
    put(store)
    (claimed,) = claim_actions(store)
    _settle(store, claimed, ActionState.DONE)

    put(store)

    assert [one.id for one in store.outbox.find(ActionQuery(reference="ORD-1"))] == [claimed.action.id]
    assert claim_actions(store, now=LATER) == []


def test_a_cooldown_keeps_the_next_one_of_its_kind_away(store: Store) -> None:
    """`balance.low` tops up at most once an hour per supplier, then again."""

    def low(cause: str, now: int, supplier: str = "acme") -> None:
        write(store, Move(None, (NewAction(supplier, "", ActionKind.TOP_UP, cause, cooldown_ms=3_600_000),)), now=now)

    low("low:a", NOW)
    low("low:b", NOW + 3_599_999)
    low("low:c", NOW + 1, "other")
    low("low:d", NOW + 3_600_000)
    low("lower:e", NOW + 3_600_001)

    assert {one.cause for one in store.outbox.find(ActionQuery())} == {"low:a", "low:c", "low:d", "lower:e"}


def test_settling_needs_the_claim(store: Store) -> None:
    """Whoever lost it writes nothing; whoever holds it, even past its end, writes once."""
    put(store)
    (late,) = claim_actions(store)
    (current,) = claim_actions(store, now=LATER)

    assert not _settle(store, late, ActionState.DEAD)
    assert _settle(store, current, ActionState.DONE, now=LATER * 2)
    assert not _settle(store, current, ActionState.DEAD)
    assert _state(store) is ActionState.DONE


def test_each_attempt_is_written_down(store: Store) -> None:
    """Attempts are numbered, those of workers that died included; success clears the error."""
    put(store)
    (one,) = claim_actions(store)
    _settle(store, one, ActionState.WAITING, next_at=NOW + 5)
    claim_actions(store, now=NOW + 5)
    (three,) = claim_actions(store, now=LATER + 5)
    before = store.outbox.get(three.action.id)
    _settle(store, three, ActionState.DONE, now=LATER + 6)
    after = store.outbox.get(three.action.id)

    assert before is not None
    assert after is not None
    assert before[0].error == "the worker ended before the attempt did"
    assert [(one.number, one.state) for one in after[1]] == [
        (1, ActionState.WAITING),
        (2, ActionState.WAITING),
        (3, ActionState.DONE),
    ]
    assert (after[0].error, after[0].finished_at, after[0].state) == (None, LATER + 6, ActionState.DONE)


def test_a_postponed_action_is_due_at_its_time(store: Store) -> None:
    """`next_at` and the last error are shown while it waits, and what it began is forgotten."""
    put(store)
    (claimed,) = claim_actions(store)
    store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)
    _settle(store, claimed, ActionState.WAITING, next_at=NOW + 99)

    (shown,) = store.outbox.find(ActionQuery(reference="ORD-1"))

    assert (shown.state, shown.next_at, shown.error, shown.started_at) == (
        ActionState.WAITING,
        NOW + 99,
        "HTTP 500",
        None,
    )


def test_what_was_begun_and_cut_off_is_ambiguous_and_alerted_once(store: Store) -> None:
    """Nobody knows whether it took effect: it is not tried again, and a person is told."""
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    assert store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)

    assert claim_actions(store, ActionKind.DELIVER, now=LATER) == []
    assert claim_actions(store, ActionKind.DELIVER, now=LATER * 2) == []
    assert _state(store) is ActionState.AMBIGUOUS
    assert _alerts(store) == [("ORD-1", f"ambiguous:{claimed.action.id}")]
    assert not _settle(store, claimed, ActionState.DONE)


def test_begin_needs_the_claim(store: Store) -> None:
    """A worker that slept past its lease must not take effect."""
    put(store)
    (late,) = claim_actions(store)
    claim_actions(store, now=LATER)

    assert not store.outbox.begin(late.action.id, late.claim, now=LATER)
    assert not store.outbox.begin("unknown", late.claim, now=LATER)


def test_renewing_keeps_the_claim(store: Store) -> None:
    """A handler that takes long keeps its action; one that lost it does not get it back so."""
    put(store)
    (claimed,) = claim_actions(store)
    held = [(claimed.action.id, claimed.claim)]

    store.outbox.renew(held, until=LATER + 1)
    assert claim_actions(store, now=LATER) == []
    (other,) = claim_actions(store, now=LATER + 1)
    store.outbox.renew(held, until=LATER * 2)

    assert claim_actions(store, now=LATER + 1 + LEASE)[0].action.id == other.action.id


def test_releasing_gives_back_uncounted(store: Store) -> None:
    """What was claimed and not begun is due as before; what was begun is kept."""
    put(store, ActionKind.DELIVER, ActionKind.REFUND)
    deliver, refund = claim_actions(store)
    store.outbox.begin(refund.action.id, refund.claim, now=NOW)

    store.outbox.release([(one.action.id, one.claim) for one in (deliver, refund)], now=NOW)

    (again,) = claim_actions(store)
    assert (again.action.id, again.action.attempts) == (deliver.action.id, 1)
    assert _state(store, ActionKind.REFUND) is ActionState.RUNNING


@pytest.mark.parametrize("before", [ActionState.WAITING, ActionState.HELD])
@pytest.mark.parametrize("wanted", [ActionState.HELD, ActionState.CANCELLED])
def test_a_restraint_stops_what_has_not_begun(store: Store, before: ActionState, wanted: ActionState) -> None:
    """Held for a person or cancelled, with the reason; other kinds go on."""
    put(store, ActionKind.NOTIFY)
    put(store, ActionKind.DELIVER, state=before)

    restrain(store, ActionKind.DELIVER, wanted)

    (deliver,) = store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    assert (deliver.state, deliver.detail, deliver.next_at) == (wanted, f"{wanted} by a test", None)
    assert [one.action.kind for one in claim_actions(store)] == [ActionKind.NOTIFY]


@pytest.mark.parametrize("state", [ActionState.DONE, ActionState.AMBIGUOUS])
def test_a_restraint_comes_too_late_for_what_has_ended(store: Store, state: ActionState) -> None:
    """An action that took effect, or may have, stays as it ended, also when it was running at the time."""
    put(store)
    (claimed,) = claim_actions(store)
    restrain(store, ActionKind.DELIVER, ActionState.CANCELLED)
    _settle(store, claimed, state)
    restrain(store, ActionKind.DELIVER, ActionState.CANCELLED)

    assert _state(store) is state


@pytest.mark.parametrize("wanted", [ActionState.HELD, ActionState.CANCELLED])
@pytest.mark.parametrize("ending", ["settle", "expire", "release", "begin"])
def test_a_running_action_becomes_what_restrained_it_when_it_would_wait(
    store: Store, wanted: ActionState, ending: str
) -> None:
    """However its claim ends without an effect, it is not tried again."""
    put(store)
    (claimed,) = claim_actions(store)
    restrain(store, ActionKind.DELIVER, wanted)
    assert _state(store) is ActionState.RUNNING

    match ending:
        case "settle":
            assert _settle(store, claimed, ActionState.WAITING, next_at=NOW)
        case "expire":
            assert claim_actions(store, now=LATER) == []
        case "release":
            store.outbox.release([(claimed.action.id, claimed.claim)], now=NOW)
        case _:
            assert not store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)

    assert _state(store) is wanted
    assert claim_actions(store, now=LATER) == []


def test_a_cancellation_is_not_softened(store: Store) -> None:
    """Of two restraints on a running action the cancellation holds, whichever came last."""
    put(store)
    (claimed,) = claim_actions(store)
    restrain(store, ActionKind.DELIVER, ActionState.CANCELLED)
    restrain(store, ActionKind.DELIVER, ActionState.HELD)
    _settle(store, claimed, ActionState.WAITING)

    assert _state(store) is ActionState.CANCELLED


def test_a_settlement_raises_its_alert_once_per_order(store: Store) -> None:
    """The same cause tells a person once; an alert that fails raises no alert."""
    put(store, ActionKind.DELIVER, ActionKind.ALERT)
    deliver, alert = claim_actions(store)
    _settle(store, deliver, ActionState.WAITING, alert="refused")
    _settle(store, alert, ActionState.DEAD, alert="alert failed")
    (deliver,) = claim_actions(store, ActionKind.DELIVER)
    _settle(store, deliver, ActionState.DEAD, alert="refused")

    raised = store.outbox.find(ActionQuery(kind=ActionKind.ALERT, state=ActionState.WAITING))

    assert sorted(_alerts(store)) == [("ORD-1", "order"), ("ORD-1", "refused")]
    assert [(one.cause, one.detail) for one in raised] == [("refused", "HTTP 500")]


def test_an_action_that_goes_in_a_circle_ends(store: Store) -> None:
    """What kills its worker ten times in a row is dead and a person is told, who may have it tried again."""
    put(store)
    for number in range(1, 12):
        (claimed,) = claim_actions(store, ActionKind.DELIVER, now=NOW + number * LATER)
        if number == 1:  # an orderly end breaks the row
            _settle(store, claimed, ActionState.WAITING, next_at=NOW)

    assert claim_actions(store, ActionKind.DELIVER, now=NOW + 12 * LATER) == []
    assert _state(store) is ActionState.DEAD
    assert _alerts(store) == [("ORD-1", f"dead:{claimed.action.id}")]
    assert store.outbox.retry(claimed.action.id, now=NOW) is ActionState.DEAD
    assert [one.action.attempts for one in claim_actions(store, ActionKind.DELIVER)] == [12]


def test_retrying_makes_dead_and_waiting_actions_due(store: Store) -> None:
    """Under the same id; in any other state nothing is written, and the state is told."""
    put(store)
    (claimed,) = claim_actions(store)
    name = claimed.action.id
    assert store.outbox.retry(name, now=NOW) is ActionState.RUNNING
    _settle(store, claimed, ActionState.WAITING, next_at=LATER)

    assert store.outbox.retry(name[:30], now=NOW) is ActionState.WAITING
    (claimed,) = claim_actions(store)
    _settle(store, claimed, ActionState.DONE)
    assert store.outbox.retry(name, now=NOW) is ActionState.DONE
    assert claim_actions(store, now=LATER) == []
    assert store.outbox.retry("nothing", now=NOW) is None


def test_the_time_to_give_up_counts_from_the_first_attempt(store: Store) -> None:
    """However long it waited for a handler; a person who has it tried again gives it all of its time anew."""
    put(store)

    (first,) = claim_actions(store, now=LATER)
    _settle(store, first, ActionState.WAITING, next_at=LATER)
    (second,) = claim_actions(store, now=LATER + 1)
    _settle(store, second, ActionState.DEAD)
    store.outbox.retry(first.action.id, now=LATER + 2)
    (third,) = claim_actions(store, now=LATER + 3)

    assert [one.action.tried_since for one in (first, second, third)] == [LATER, LATER, LATER + 3]


def test_what_is_dead_can_be_restrained(store: Store) -> None:
    """A delivery that was given up is not revived once its order was refunded."""
    put(store, ActionKind.DELIVER)
    (claimed,) = claim_actions(store)
    _settle(store, claimed, ActionState.DEAD)

    restrain(store, ActionKind.DELIVER, ActionState.CANCELLED)

    assert store.outbox.retry(claimed.action.id, now=NOW) is ActionState.CANCELLED
    assert claim_actions(store, now=LATER) == []


def test_an_action_is_found_by_a_unique_beginning_of_its_id(store: Store) -> None:
    """In either case; what fits several is asked for more, what fits none is None."""
    put(store, ActionKind.DELIVER, ActionKind.NOTIFY)
    name = store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))[0].id

    found = store.outbox.get(name.upper())

    assert found is not None
    assert found[0].id == name
    with pytest.raises(UsageError, match="More than one"):
        store.outbox.get(name[:4])
    assert [store.outbox.get(other) for other in ("", "x", "%", name + "0")] == [None] * 4


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["c", "b", "a"]),
        ({"limit": 1}, ["c"]),
        ({"supplier": "acme"}, ["b", "a"]),
        ({"kind": ActionKind.NOTIFY}, ["b"]),
        ({"kind": ActionKind.NOTIFY, "supplier": "other"}, []),
        ({"state": ActionState.WAITING}, ["a"]),
        ({"state": ActionState.HELD}, ["b"]),
        ({"state": ActionState.DONE}, []),
        ({"state": ActionState.RUNNING}, ["c"]),
        ({"state": ActionState.HELD, "kind": ActionKind.NOTIFY, "since": NOW}, ["b"]),
        ({"reference": "ORD-1"}, ["a"]),
        ({"reference": "ORD-1", "state": ActionState.HELD}, []),
        ({"since": NOW + 1, "until": NOW + 2}, ["b"]),
    ],
)
def test_actions_are_listed_newest_first(store: Store, filters: dict[str, Any], expected: list[str]) -> None:
    """Each filter narrows the list, alone and together."""
    held = replace(action(ActionKind.NOTIFY, of=order("ORD-2"), cause="b"), state=ActionState.HELD)
    write(store, Move(order(), (action(cause="a"),)), now=NOW)
    write(store, Move(order("ORD-2"), (held,)), now=NOW + 1)
    alert = NewAction("other", "ORD-3", ActionKind.ALERT, "c")
    write(store, Move(order("ORD-3", supplier="other"), (alert,)), now=NOW + 2)
    claim_actions(store, ActionKind.ALERT, now=NOW + 2)

    assert [one.cause for one in store.outbox.find(ActionQuery(**filters))] == expected
