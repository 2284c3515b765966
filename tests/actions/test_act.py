"""Actions claimed, attempted and settled, on a real store."""

import asyncio
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.actions.seeded import START, Clock, Scripted, acting, actions, add, deliver, only, opened, order, turn
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.errors import StoreBusyError
from webhookctl.core.orders import ActionKind, ActionState, NewAction, Order
from webhookctl.core.outcomes import Ambiguous, Dead, Delivered, LostClaim, Postponed, PutBack
from webhookctl.core.ports.handler import Failed, GivenUp, Repeat, Succeeded, Unknown
from webhookctl.core.retries import HOUR, SECOND
from webhookctl.flows.act import LEASE_MS, Act

ONCE = Repeat.AT_MOST_ONCE
ALERT = ActionKind.ALERT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path) as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_success_is_done(store: SqliteStore, clock: Clock) -> None:
    """A handler that succeeds ends the action, and its document held the order with its code."""
    add(store, deliver(), orders=[order("SHOP-1")])
    handler = Scripted([Succeeded("The shop took it.")])

    (outcome,) = turn(acting(store, clock, handler))

    (task,) = handler.tasks
    assert isinstance(outcome, Delivered)
    assert only(store).state is ActionState.DONE
    assert json.loads(task.document)["order"]["items"][0]["code"] == "ABCD-EFGH-1234-5678"
    assert json.loads(task.document)["id"] == only(store).id


def test_kinds_without_handler_wait(store: SqliteStore, clock: Clock) -> None:
    """What nobody can carry out is not claimed, and never called done."""
    add(store, deliver(), NewAction("acme", "SHOP-1", ActionKind.REFUND, "failed"), orders=[order("SHOP-1")])

    turn(acting(store, clock, Scripted()))

    refund = only(store, ActionKind.REFUND)
    assert (refund.state, refund.attempts) == (ActionState.WAITING, 0)


def test_failure_waits(store: SqliteStore, clock: Clock) -> None:
    """A failure is tried again after the backoff, under the same id and not before."""
    add(store, deliver(), orders=[order("SHOP-1")])
    handler = Scripted([Failed("The shop answered 500."), Failed("The shop answered 503.", retry_after_ms=60_000)])
    act = acting(store, clock, handler)

    (first,) = turn(act)
    early = turn(act)
    clock.forward(5 * SECOND // 2)
    (second,) = turn(act)

    assert first == Postponed(handler.tasks[0].action, START, "The shop answered 500.", START + 2500, alert=False)
    assert early == []
    assert isinstance(second, Postponed)
    assert second.next_at == START + 2500 + 60_000
    assert len({task.action.id for task in handler.tasks}) == 1
    assert handler.tasks[0].document == handler.tasks[1].document
    assert actions(store, ALERT) == []


def test_refusal_alerts_once_and_is_tried_on(store: SqliteStore, clock: Clock) -> None:
    """What a person should look at alerts at the first attempt and not at each."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted([Failed("404", alert=True), Failed("404", alert=True)]))

    turn(act)
    clock.forward(HOUR)
    turn(act)

    assert only(store).state is ActionState.WAITING
    assert only(store, ALERT).cause == f"refused:deliver:{only(store).id}"


def test_given_up_is_dead(store: SqliteStore, clock: Clock) -> None:
    """What is pointless to try again is dead, and a person is told."""
    add(store, deliver(), orders=[order("SHOP-1")])

    (outcome,) = turn(acting(store, clock, Scripted([GivenUp("410")])))

    assert isinstance(outcome, Dead)
    assert only(store).state is ActionState.DEAD
    assert only(store, ALERT).cause == f"dead:deliver:{only(store).id}"


def test_too_old_is_dead(store: SqliteStore, clock: Clock) -> None:
    """A failure after the policy's time, counted from the first attempt, is the last."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted([Failed("refused"), Failed("refused")]))
    clock.forward(72 * HOUR)
    turn(act)
    assert only(store).state is ActionState.WAITING
    clock.forward(72 * HOUR)

    (outcome,) = turn(act)

    assert isinstance(outcome, Dead)
    assert outcome.detail == "Given up after 2 attempts: refused"
    assert only(store).state is ActionState.DEAD


def test_unknown_is_ambiguous(store: SqliteStore, clock: Clock) -> None:
    """What may have happened is not tried again: it is shown, and a person is told."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted([Unknown("cut off")], ONCE))

    (outcome,) = turn(act)
    clock.forward(HOUR)

    assert isinstance(outcome, Ambiguous)
    assert turn(act) == []
    assert only(store).state is ActionState.AMBIGUOUS
    assert only(store, ALERT).cause == f"ambiguous:deliver:{only(store).id}"


def test_dead_alert_alerts_nobody(store: SqliteStore, clock: Clock) -> None:
    """An alert that can't be sent causes no alert, which could not be sent either."""
    add(store, NewAction("acme", "", ALERT, "balance"))

    turn(acting(store, clock, Scripted([GivenUp("410")]), ALERT))

    assert only(store, ALERT).state is ActionState.DEAD


def test_delivery_without_its_order(store: SqliteStore, clock: Clock) -> None:
    """A delivery whose order is gone is not sent empty."""
    add(store, deliver("SHOP-9"))
    handler = Scripted()

    (outcome,) = turn(acting(store, clock, handler))

    assert isinstance(outcome, Dead)
    assert handler.tasks == []


def test_one_sealed_order_does_not_stop_the_others(store: SqliteStore, clock: Clock) -> None:
    """An order that can't be opened waits with its reason, while its neighbours go out."""
    add(store, deliver("SHOP-1"), deliver("SHOP-2"), orders=[order("SHOP-1"), order("SHOP-2")])
    with store.connection.writing() as raw:
        raw.execute("UPDATE items SET code = zeroblob(60) WHERE reference = 'SHOP-1'")
    handler = Scripted()

    outcomes = turn(acting(store, clock, handler))

    sealed, sent = actions(store)
    assert {type(outcome) for outcome in outcomes} == {Postponed, Delivered}
    assert (sealed.state, sent.state) == (ActionState.WAITING, ActionState.DONE)
    assert "was changed" in (sealed.error or "")
    assert [task.action.subject for task in handler.tasks] == ["SHOP-2"]


@dataclass(frozen=True)
class BusyOrders:
    """Orders that can't be read just now."""

    def get(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        raise StoreBusyError(f"busy with {len(keys)}")


@dataclass
class Spent:
    """A part of a store for which there is no memory left to read orders, or to settle."""

    real: object

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the real one
        return getattr(self.real, name)

    def get(self, *_: object) -> dict[tuple[str, str], Order]:
        raise MemoryError

    def settle(self, *_: object, **__: object) -> list[bool]:
        raise MemoryError


def test_orders_that_cannot_be_read(store: SqliteStore, clock: Clock) -> None:
    """When the orders can't be read, the claims are given back at once and uncounted."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = Act(store.outbox, BusyOrders(), {ActionKind.DELIVER: Scripted()}, clock, lambda: 0.5)  # type: ignore[arg-type] # `Act` only gets

    with pytest.raises(StoreBusyError):
        act.take(10)

    assert (only(store).state, only(store).attempts) == (ActionState.WAITING, 0)


@pytest.mark.parametrize("breaks", ["orders", "outbox"])
def test_what_breaks_down_otherwise_keeps_no_claim(store: SqliteStore, clock: Clock, breaks: str) -> None:
    """Nobody works on it any more: as its claim is not renewed, another worker finds it."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted())
    setattr(act, breaks, Spent(getattr(act, breaks)))
    with pytest.raises(MemoryError):
        turn(act)

    clock.forward(LEASE_MS - SECOND)
    act.renew()
    clock.forward(SECOND)

    (outcome,) = turn(acting(store, clock, Scripted()))
    assert isinstance(outcome, Delivered)


def test_begin_is_committed_first(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    """Where an attempt must not be repeated, that it began is on disk before the handler runs."""
    add(store, deliver(), orders=[order("SHOP-1")])
    handler = Scripted(repeat=ONCE)
    act = acting(store, clock, handler)
    (held,) = act.take(1)

    uvloop.run(act.call(held))

    with opened(tmp_path) as other:
        assert only(other).started_at == START


def crashed(store: SqliteStore, clock: Clock, folder: Path, repeat: Repeat) -> tuple[Scripted, Scripted]:
    """Let one worker die between the attempt and settling it, and another look after it: before and after the lease."""
    add(store, deliver(), orders=[order("SHOP-1")])
    dying, other = Scripted(repeat=repeat), Scripted(repeat=repeat)
    (held,) = (act := acting(store, clock, dying)).take(1)
    uvloop.run(act.call(held))
    with opened(folder) as second:
        again = acting(second, clock, other)
        assert turn(again) == []
        clock.forward(LEASE_MS)
        turn(again)
    return dying, other


def test_crash_is_repeated_under_the_same_id(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    """What a dead worker held is attempted again when its lease ends, with the same id, and counted."""
    dying, other = crashed(store, clock, tmp_path, Repeat.AT_LEAST_ONCE)

    assert only(store).state is ActionState.DONE
    assert [task.action.id for task in other.tasks] == [task.action.id for task in dying.tasks]
    assert [task.action.attempts for task in other.tasks] == [2]


def test_crash_after_begin_is_ambiguous(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    """What must not be repeated and was begun by a dead worker is ambiguous when its lease ends; a person is told."""
    _, other = crashed(store, clock, tmp_path, ONCE)

    assert only(store).state is ActionState.AMBIGUOUS
    assert len(actions(store, ALERT)) == 1
    assert other.tasks == []


def test_lost_lease_writes_nothing(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    """A worker that slept past its lease finds the action settled by another, and leaves it so."""
    add(store, deliver(), orders=[order("SHOP-1")])
    sleepy = acting(store, clock, Scripted([Failed("too late")]))
    (held,) = sleepy.take(1)
    clock.forward(LEASE_MS)

    with opened(tmp_path) as second:
        turn(acting(second, clock, Scripted()))
    (outcome,) = sleepy.settle([uvloop.run(sleepy.call(held))])

    assert isinstance(outcome, LostClaim)
    assert only(store).state is ActionState.DONE


def test_lost_lease_begins_nothing(store: SqliteStore, clock: Clock, tmp_path: Path) -> None:
    """Where an attempt must not be repeated, who lost the lease before it began does not call the handler."""
    add(store, deliver(), orders=[order("SHOP-1")])
    handler = Scripted(repeat=ONCE)
    sleepy = acting(store, clock, handler)
    (held,) = sleepy.take(1)
    clock.forward(LEASE_MS)

    with opened(tmp_path) as second:
        turn(acting(second, clock, Scripted(repeat=ONCE)))
    (outcome,) = sleepy.settle([uvloop.run(sleepy.call(held))])

    assert isinstance(outcome, LostClaim)
    assert handler.tasks == []


@pytest.mark.parametrize("clock_jump", [0, -HOUR])
def test_renewal_keeps_a_slow_call(store: SqliteStore, clock: Clock, tmp_path: Path, clock_jump: int) -> None:
    """A call that takes longer than a lease stays ours as long as it is renewed, though the clock be put back."""
    add(store, deliver(), orders=[order("SHOP-1")])
    slow = acting(store, clock, Scripted())
    (held,) = slow.take(1)
    clock.forward(clock_jump)

    with opened(tmp_path) as second:
        other = acting(second, clock, Scripted())
        taken = list[object]()
        for _ in range(6):
            clock.forward(25 * SECOND)
            slow.renew()
            taken += other.take(1)
    (outcome,) = slow.settle([uvloop.run(slow.call(held))])

    assert taken == []
    assert isinstance(outcome, Delivered)


def test_settled_claims_are_not_renewed(store: SqliteStore, clock: Clock) -> None:
    """What is settled is forgotten: there is nothing left to renew."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted())
    turn(act)
    clock.forward(HOUR)

    act.renew()

    assert only(store).state is ActionState.DONE


@pytest.mark.parametrize(("repeat", "result"), [(Repeat.AT_LEAST_ONCE, Postponed), (ONCE, Ambiguous)])
def test_handler_that_breaks_down(
    store: SqliteStore, clock: Clock, repeat: Repeat, result: type[Postponed | Ambiguous]
) -> None:
    """A fault in a handler is told by its kind and place only: its text may quote a code."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted([RuntimeError("ABCD-EFGH-1234-5678")], repeat))
    (held,) = act.take(1)

    with pytest.raises(RuntimeError) as caught:
        uvloop.run(act.call(held))
    (outcome,) = act.settle([act.failed(held, caught.value)])

    assert type(outcome) is result
    assert outcome.detail.startswith("The handler itself broke down: RuntimeError at seeded.py:")
    assert "ABCD" not in outcome.detail
    assert len(actions(store, ALERT)) == 1


@pytest.mark.parametrize(("repeat", "attempts"), [(Repeat.AT_LEAST_ONCE, 0), (ONCE, 1)])
def test_stopped_before_the_attempt(store: SqliteStore, clock: Clock, repeat: Repeat, attempts: int) -> None:
    """What the worker had not begun when it was stopped is due again at once."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted(repeat=repeat))
    (held,) = act.take(1)

    (outcome,) = act.settle([act.failed(held, asyncio.CancelledError())])

    assert isinstance(outcome, PutBack)
    assert (only(store).state, only(store).attempts) == (ActionState.WAITING, attempts)
    assert [type(each) for each in turn(act)] == [Delivered]


def test_stopped_during_the_attempt(store: SqliteStore, clock: Clock) -> None:
    """What was cut off and must not be repeated is ambiguous at once, not only when its lease ends."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted([asyncio.CancelledError()], ONCE))
    (held,) = act.take(1)

    with pytest.raises(asyncio.CancelledError) as caught:
        uvloop.run(act.call(held))
    (outcome,) = act.settle([act.failed(held, caught.value)])

    assert isinstance(outcome, Ambiguous)
    assert only(store).state is ActionState.AMBIGUOUS


def test_store_that_is_busy_at_the_beginning(store: SqliteStore, clock: Clock) -> None:
    """When `begin` can't be written nothing was done: the action waits, whatever its rule of repetition."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, clock, Scripted(repeat=ONCE))
    (held,) = act.take(1)

    (outcome,) = act.settle([act.failed(held, StoreBusyError("The store is busy."))])

    assert isinstance(outcome, Postponed)
    assert outcome.detail == "The store is busy."
