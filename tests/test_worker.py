"""The worker's loops, on a real store."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from tests.actions.seeded import Clock, Scripted, acting, add, deliver, only, opened, order
from webhookctl import fanout, worker
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.errors import StoreBusyError
from webhookctl.core.orders import ActionKind, ActionState, NewAction
from webhookctl.core.outcomes import Ambiguous, Dead, Delivered, Hindered, PutBack
from webhookctl.core.ports.handler import GivenUp, Repeat, Result, Succeeded, Task
from webhookctl.worker import Line, Outcome, Worker

LONG_S = 30.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path) as store:
        yield store


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BACKOFF_S", 0.001)
    monkeypatch.setattr(worker, "BACKOFF_S", 0.001)


class Slow(Scripted):
    """A handler that goes on until it is let go."""

    def __init__(self, repeat: Repeat = Repeat.AT_LEAST_ONCE) -> None:
        super().__init__(repeat=repeat)
        self.go_on = asyncio.Event()
        self.cut_off = False

    async def handle(self, task: Task) -> Result:
        self.tasks.append(task)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cut_off = True
            raise
        return Succeeded("Done.")


def nothing() -> None:
    """Look after nothing."""


def none() -> int:
    return 0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not holds():  # noqa: ASYNC110 - looks from outside at what has no event to wait for
            await asyncio.sleep(0.001)


def of(store: SqliteStore, handler: Scripted, recorded: list[Outcome], *, grace_s: float = LONG_S) -> Worker:
    lines = [Line(acting(store, Clock(), handler))]
    return Worker(none, lines, nothing, recorded.append, asyncio.Event(), grace_s)


def test_events_wake_actions(store: SqliteStore) -> None:
    """What comes in is applied at once, and what that causes is carried out."""
    recorded, pending = list[Outcome](), [1]

    def apply() -> int:
        if not pending:
            return 0
        add(store, deliver(), orders=[order("SHOP-1")])
        return pending.pop()

    async def scenario() -> None:
        stop, wake = asyncio.Event(), asyncio.Event()
        lines = [Line(acting(store, Clock(), Scripted()))]
        working = asyncio.create_task(Worker(apply, lines, nothing, recorded.append, wake).run(stop))
        wake.set()
        await until(lambda: bool(recorded))
        stop.set()
        await working

    uvloop.run(scenario())

    assert [type(outcome) for outcome in recorded] == [Delivered]
    assert only(store).state is ActionState.DONE


def test_a_slow_line_does_not_hold_up_another(store: SqliteStore) -> None:
    """While deliveries wait for the shop, alerts go out."""
    recorded = list[Outcome]()
    add(store, deliver(), deliver("SHOP-2"), orders=[order("SHOP-1")])

    async def scenario() -> None:
        stop, slow = asyncio.Event(), Slow()
        lines = [
            Line(acting(store, Clock(), slow), concurrency=1),
            Line(acting(store, Clock(), Scripted(), ActionKind.ALERT)),
        ]
        working = asyncio.create_task(Worker(none, lines, nothing, recorded.append, asyncio.Event()).run(stop))
        await until(lambda: bool(slow.tasks))
        add(store, NewAction("acme", "", ActionKind.ALERT, "balance"))
        await until(lambda: bool(recorded))
        slow.go_on.set()
        await until(lambda: len(recorded) == 3)
        stop.set()
        await working

    uvloop.run(scenario())

    assert recorded[0].action.kind is ActionKind.ALERT  # type: ignore[union-attr] # no loop was hindered


def test_loops_survive_a_sick_store(store: SqliteStore) -> None:
    """Whatever a loop stumbles over is recorded by name, without a foreign text, and it goes on."""
    recorded = list[Outcome]()
    errors: list[Exception] = [RuntimeError("ABCD-EFGH"), StoreBusyError("The store is busy.")]
    add(store, deliver(), orders=[order("SHOP-1")])

    def apply() -> int:
        if errors:
            raise errors.pop()
        return 0

    def upkeep() -> None:
        raise StoreBusyError("The store is full.")

    async def scenario() -> None:
        stop = asyncio.Event()
        lines = [Line(acting(store, Clock(), Scripted()))]
        working = Worker(apply, lines, upkeep, recorded.append, asyncio.Event(), upkeep_every_s=0.001)
        running = asyncio.create_task(working.run(stop))
        await until(lambda: not errors and any(isinstance(each, Delivered) for each in recorded))
        await until(lambda: Hindered("upkeep", "The store is full.") in recorded)
        stop.set()
        await running

    uvloop.run(scenario())

    hindered = [outcome for outcome in recorded if isinstance(outcome, Hindered) and outcome.where == "apply"]
    assert hindered[0] == Hindered("apply", "The store is busy.")
    assert hindered[1].reason.startswith("RuntimeError at test_worker.py:")


def test_stop_lets_an_attempt_end(store: SqliteStore) -> None:
    """An attempt that ends within the grace is settled as it ended."""
    recorded = list[Outcome]()
    add(store, deliver(), orders=[order("SHOP-1")])

    async def scenario() -> None:
        stop, slow = asyncio.Event(), Slow()
        working = asyncio.create_task(of(store, slow, recorded).run(stop))
        await until(lambda: bool(slow.tasks))
        stop.set()
        await asyncio.sleep(0.02)
        slow.go_on.set()
        await working

    uvloop.run(scenario())

    assert only(store).state is ActionState.DONE


@pytest.mark.parametrize(
    ("repeat", "outcome", "state"),
    [
        (Repeat.AT_LEAST_ONCE, PutBack, ActionState.WAITING),
        (Repeat.AT_MOST_ONCE, Ambiguous, ActionState.AMBIGUOUS),
    ],
)
def test_stop_cuts_off_after_the_grace(
    store: SqliteStore, repeat: Repeat, outcome: type[Outcome], state: ActionState
) -> None:
    """What outstays the grace is cut off: due again at once, or ambiguous where it must not be repeated."""
    recorded = list[Outcome]()
    add(store, deliver(), orders=[order("SHOP-1")])

    async def scenario() -> bool:
        stop, slow = asyncio.Event(), Slow(repeat)
        working = asyncio.create_task(of(store, slow, recorded, grace_s=0.01).run(stop))
        await until(lambda: bool(slow.tasks))
        stop.set()
        await working
        return slow.cut_off

    assert uvloop.run(scenario())
    assert [type(each) for each in recorded] == [outcome]
    assert only(store).state is state


def test_slow_attempts_are_renewed(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second worker does not get what the first is still doing, long after the first lease would have ended."""
    monkeypatch.setattr(worker, "_RENEW_EVERY_S", 0.001)
    recorded, clock = list[Outcome](), Clock()
    add(store, deliver(), orders=[order("SHOP-1")])

    async def scenario() -> list[object]:
        stop, slow, taken = asyncio.Event(), Slow(), list[object]()
        lines = [Line(acting(store, clock, slow))]
        working = asyncio.create_task(Worker(none, lines, nothing, recorded.append, asyncio.Event()).run(stop))
        await until(lambda: bool(slow.tasks))
        with opened(tmp_path) as second:
            other = acting(second, clock, Scripted())
            for _ in range(4):
                clock.forward(25_000)
                await until(lambda: claimed_until(store) >= clock.now + 60_000)
                taken += other.take(1)
        slow.go_on.set()
        stop.set()
        await working
        return taken

    assert uvloop.run(scenario()) == []
    assert [type(outcome) for outcome in recorded] == [Delivered]


def claimed_until(store: SqliteStore) -> int:
    with store.connection.reading() as raw:
        return int(raw.execute("SELECT max(claimed_until) FROM actions").fetchone()[0])


def test_once_drains_what_is_due(store: SqliteStore) -> None:
    """A single run applies all events, carries out what they cause, and what that causes, and counts it."""
    recorded, pending = list[Outcome](), [3, 2]

    def apply() -> int:
        if not pending:
            return 0
        reference = f"SHOP-{len(pending)}"
        add(store, deliver(reference), orders=[order(reference)])
        return pending.pop()

    async def scenario() -> worker.Done:
        clock = Clock()
        lines = [
            Line(acting(store, clock, Scripted([GivenUp("410")]))),
            Line(acting(store, clock, Scripted(), ActionKind.ALERT)),
        ]
        return await Worker(apply, lines, nothing, recorded.append, asyncio.Event()).run_once()

    done = uvloop.run(scenario())

    assert done == worker.Done(5, Counter({Dead: 1, Delivered: 2}))
    assert len(recorded) == 3


def test_once_raises(store: SqliteStore) -> None:
    """A single run says by its error that the store could not be read."""

    def apply() -> int:
        raise StoreBusyError("The store is busy.")

    lines = [Line(acting(store, Clock(), Scripted()))]
    single = Worker(apply, lines, nothing, list[Outcome]().append, asyncio.Event())

    with pytest.raises(StoreBusyError):
        uvloop.run(single.run_once())
