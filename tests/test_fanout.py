"""Many slow calls at once: limits, batches, failures and the end."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
import uvloop

from webhookctl import fanout
from webhookctl.core.errors import StoreBusyError
from webhookctl.fanout import Endless, Job, fan_out, wait_any

LONG_S = 30.0


@dataclass
class Work:
    """Numbers to be called, and what became of them; `hooks` may raise in place of `settle`."""

    todo: list[int]
    call: Callable[[int], asyncio.Future[str]] | None = None
    settled: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    settle_errors: list[Exception] = field(default_factory=list)
    take_errors: list[Exception] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    poison: str = ""

    def take(self, limit: int) -> Sequence[int]:
        assert threading.current_thread() is not threading.main_thread()
        if self.take_errors:
            raise self.take_errors.pop()
        taken, self.todo = self.todo[:limit], self.todo[limit:]
        return taken

    async def work(self, item: int) -> str:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await asyncio.sleep(0.001)
            return f"did {item}"
        finally:
            self.running -= 1

    @staticmethod
    def failed(item: int, error: BaseException) -> str:
        return f"{type(error).__name__} {item}"

    def settle(self, results: Sequence[str]) -> Sequence[str]:
        assert threading.current_thread() is not threading.main_thread()
        if self.settle_errors:
            raise self.settle_errors.pop()
        if self.poison in results:
            raise ValueError(self.poison)
        self.batches.append(len(results))
        self.settled += results
        return [f"{result}!" for result in results]

    def job(self, call: object = None) -> Job[int, str, str]:
        return Job(self.take, call or self.work, self.failed, self.settle, self.recorded.append)  # type: ignore[arg-type] # tests give coroutines of their own

    def endless(self, grace_s: float = LONG_S, every_s: float = LONG_S) -> Endless:
        return Endless(asyncio.Event(), asyncio.Event(), self.troubles.append, every_s, grace_s)


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BACKOFF_S", 0.001)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not holds():  # noqa: ASYNC110 - looks from outside at what has no event to wait for
            await asyncio.sleep(0.001)


def test_drains_under_the_limit() -> None:
    """All items are called, never more than `concurrency` at once, and each result is settled and recorded once."""
    work = Work(list(range(50)))

    uvloop.run(fan_out(work.job(), concurrency=7))

    assert sorted(work.settled) == sorted(f"did {number}" for number in range(50))
    assert work.recorded == [f"{result}!" for result in work.settled]
    assert work.most_running == 7


def test_nothing_to_do() -> None:
    """With nothing to take it ends at once and settles nothing."""
    work = Work([])

    uvloop.run(fan_out(work.job(), concurrency=3))

    assert work.batches == []


def test_results_are_settled_while_others_run() -> None:
    """A slow call does not keep the results of quick ones from being settled."""
    work = Work([1, 2, 3])
    slow = asyncio.Event()

    async def call(item: int) -> str:
        if item == 1:
            await slow.wait()
        return f"did {item}"

    async def scenario() -> None:
        running = asyncio.create_task(fan_out(work.job(call), concurrency=3))
        await until(lambda: len(work.settled) == 2)
        slow.set()
        await running

    uvloop.run(scenario())

    assert work.settled[-1] == "did 1"


def test_a_call_that_raises_becomes_a_result() -> None:
    """What a call raises is mapped to a result; the others are not concerned."""
    work = Work([1, 2])

    async def call(item: int) -> str:
        if item == 1:
            raise RuntimeError
        return f"did {item}"

    uvloop.run(fan_out(work.job(call), concurrency=2))

    assert sorted(work.settled) == ["RuntimeError 1", "did 2"]


def test_drain_raises_when_all_calls_have_ended() -> None:
    """Without an end of its own to wait for, a broken store is raised, but only after what runs has been settled."""
    work = Work([1, 2], take_errors=[])

    async def call(item: int) -> str:
        if item == 1:
            work.take_errors.append(StoreBusyError("busy"))
            return "did 1"
        await asyncio.sleep(0.02)
        return "did 2"

    with pytest.raises(StoreBusyError):
        uvloop.run(fan_out(work.job(call), concurrency=2))

    assert sorted(work.settled) == ["did 1", "did 2"]


def test_endless_survives_a_sick_store() -> None:
    """What take and settle raise is told, and both are tried again; no result is lost."""
    work = Work([1], take_errors=[StoreBusyError("take")], settle_errors=[StoreBusyError("settle")])

    async def scenario() -> None:
        endless = work.endless(every_s=0.001)
        running = asyncio.create_task(fan_out(work.job(), concurrency=2, endless=endless))
        await until(lambda: bool(work.settled))
        endless.stop.set()
        await running

    uvloop.run(scenario())

    assert work.settled == ["did 1"]
    assert [str(error) for error in work.troubles] == ["take", "settle"]


def test_a_result_that_cannot_be_settled_is_dropped_alone() -> None:
    """One result that makes every batch fail does not take its neighbours along."""
    work = Work([1, 2, 3], poison="did 2")

    async def scenario() -> None:
        endless = work.endless(every_s=0.001)
        running = asyncio.create_task(fan_out(work.job(), concurrency=3, endless=endless))
        await until(lambda: len(work.settled) == 2)
        work.todo.append(4)
        await until(lambda: len(work.settled) == 3)
        endless.stop.set()
        await running

    uvloop.run(scenario())

    assert sorted(work.settled) == ["did 1", "did 3", "did 4"]
    assert [type(error) for error in work.troubles] == [ValueError, ValueError]


def test_wakes_up_for_more() -> None:
    """What comes while it waits is taken as soon as `wake` is set."""
    work = Work([])

    async def scenario() -> None:
        endless = work.endless()
        running = asyncio.create_task(fan_out(work.job(), concurrency=2, endless=endless))
        await asyncio.sleep(0.01)
        work.todo.append(1)
        endless.wake.set()
        await until(lambda: work.settled == ["did 1"])
        endless.stop.set()
        await running

    uvloop.run(scenario())

    assert work.recorded == ["did 1!"]


def test_stop_lets_running_calls_end() -> None:
    """After the stop nothing more is taken, and a running call is settled as it ends by itself."""
    work = Work([1])
    go_on = asyncio.Event()

    async def call(item: int) -> str:
        await go_on.wait()
        return f"did {item}"

    async def scenario() -> None:
        endless = work.endless()
        running = asyncio.create_task(fan_out(work.job(call), concurrency=2, endless=endless))
        await until(lambda: not work.todo)
        work.todo.append(2)
        endless.stop.set()
        await asyncio.sleep(0.01)
        go_on.set()
        await running

    uvloop.run(scenario())

    assert work.settled == ["did 1"]
    assert work.todo == [2]


def test_stop_cuts_off_what_outstays_its_grace() -> None:
    """A call that runs on after the grace is cancelled, and that it was becomes its result."""
    work = Work([1])

    async def call(item: int) -> str:
        await asyncio.sleep(LONG_S)
        return f"did {item}"

    async def scenario() -> None:
        endless = work.endless(grace_s=0.01)
        running = asyncio.create_task(fan_out(work.job(call), concurrency=2, endless=endless))
        await until(lambda: not work.todo)
        endless.stop.set()
        await running

    uvloop.run(scenario())

    assert work.settled == ["CancelledError 1"]


def test_cancelling_settles_what_was_begun() -> None:
    """When the whole is cancelled (Ctrl-C), calls are cut off at once and still settled."""
    work = Work([1, 2])

    async def call(item: int) -> str:
        if item == 1:
            return "did 1"
        await asyncio.sleep(LONG_S)
        return "did 2"

    async def scenario() -> None:
        running = asyncio.create_task(fan_out(work.job(call), concurrency=2))
        await until(lambda: bool(work.settled))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    uvloop.run(scenario())

    assert work.settled == ["did 1", "CancelledError 2"]


def test_what_is_being_settled_is_settled_once() -> None:
    """Whoever cancels in the middle of settling waits for its end; nothing is settled, or recorded, twice."""
    work = Work([1])
    entered, go_on = threading.Event(), threading.Event()

    def settle(results: Sequence[str]) -> Sequence[str]:
        entered.set()
        go_on.wait(LONG_S)
        return work.settle(results)

    async def scenario() -> None:
        running = asyncio.create_task(fan_out(replace(work.job(), settle=settle), concurrency=1))
        await until(entered.is_set)
        running.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    uvloop.run(scenario())

    assert (work.settled, work.recorded) == (["did 1"], ["did 1!"])


def test_wait_any_returns_on_the_first() -> None:
    """Waiting for several events ends with the first of them, or with the time."""

    async def scenario() -> tuple[bool, bool]:
        first, second = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().call_later(0.001, second.set)
        await wait_any(first, second, timeout_s=LONG_S)
        await wait_any(first, timeout_s=0.001)
        return first.is_set(), second.is_set()

    assert uvloop.run(scenario()) == (False, True)
