"""Many slow calls at once: take a batch, await them under a limit, settle each batch of results while others run."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from webhookctl.core.errors import StoreError

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome")

BACKOFF_S: Final = 1.0
"""How long to leave a store alone that could not be read or written."""
_LAST_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Job(Generic[Item, Result, Outcome]):
    """What is to be done with each item. `take` and `settle` are plain functions and run in a thread."""

    take: Callable[[int], Sequence[Item]]
    """Returns up to so many items that are due; fewer mean that there are no more at present."""
    call: Callable[[Item], Awaitable[Result]]
    failed: Callable[[Item, BaseException], Result]
    """Makes a result of what `call` raised; CancelledError where it was cut off at the end."""
    settle: Callable[[Sequence[Result]], Sequence[Outcome]]
    record: Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Endless:
    """Goes on until `stop`: looks for more on `wake`, when a call ends, and every `every_s`."""

    stop: asyncio.Event
    wake: asyncio.Event
    trouble: Callable[[Exception], None]
    """Told what `take` or `settle` raised; both are tried again."""
    every_s: float = 0.5
    grace_s: float = 10.0
    """How long running calls may go on after `stop`; then they are cancelled."""


async def fan_out(
    job: Job[Item, Result, Outcome], *, concurrency: int, ahead: int = 0, endless: Endless | None = None
) -> None:
    """Work through what there is to take, at most `concurrency` calls at once.

    Up to `ahead` more are taken and begun as soon as a call ends, so that none waits for what is being settled.

    Without `endless` it ends when nothing is left, and what `take` or `settle` raises is raised once all calls have
    ended. Results are kept until they are settled: each stands for an effect that may have taken place.
    """
    await _Run(job, concurrency, ahead, endless).through()


@dataclass(slots=True)
class _Run(Generic[Item, Result, Outcome]):
    job: Job[Item, Result, Outcome]
    concurrency: int
    ahead: int
    endless: Endless | None
    waiting: deque[Item] = field(default_factory=deque)
    """Taken, and not begun."""
    calling: int = 0
    running: dict[asyncio.Task[Result], Item] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    singly: bool = False
    """One result made its whole batch fail: settle each alone, to find out which."""
    settling: asyncio.Task[Sequence[Outcome]] | None = None
    """Goes on though whoever waits for it is cancelled: what it settles must not be settled again."""
    batch: Sequence[Result] = ()
    """What `settling` is about: the first of the results."""

    async def through(self) -> None:
        grace_s = self.endless.grace_s if self.endless else None
        try:
            await (self._serve(self.endless) if self.endless else self._drain())
        except asyncio.CancelledError:
            grace_s = 0
            raise
        finally:
            await self._finish(grace_s)

    async def _drain(self) -> None:
        while await self._take() or self.running:
            await self._wait(None)
            await self._settle()

    async def _serve(self, endless: Endless) -> None:
        while not endless.stop.is_set():
            endless.wake.clear()  # before looking: what comes while we look wakes us again
            try:
                await self._settle()
                await self._take()
            except Exception as error:  # noqa: BLE001 - whatever it is, the loop must not die of it
                endless.trouble(error)
                await wait_any(endless.stop, timeout_s=BACKOFF_S)
            else:
                await self._wait(endless.every_s, endless.stop, endless.wake)

    async def _take(self) -> bool:
        """Take as many as there is room for, and begin; False when there was nothing to take."""
        if 2 * len(self.waiting) > self.ahead:
            return False  # few at a time would cost more than they are worth
        room = self.concurrency + self.ahead - self.calling - len(self.waiting)
        items = await asyncio.to_thread(self.job.take, room) if room > 0 else ()
        self.waiting.extend(items)
        self._begin()
        return bool(items)

    def _begin(self) -> None:
        while self.waiting and self.calling < self.concurrency:
            item = self.waiting.popleft()
            self.calling += 1
            self.running[asyncio.create_task(self._attempt(item))] = item

    async def _attempt(self, item: Item) -> Result:
        try:
            return await self.job.call(item)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - every item must come to a result
            return self.job.failed(item, error)
        finally:
            self.calling -= 1
            self._begin()

    async def _settle(self) -> None:
        """Settle what has ended; what can't be settled now is kept, unless it is itself what can't be settled."""
        for task in [task for task in self.running if task.done()]:
            item = self.running.pop(task)
            cut_off = task.cancelled()  # before it began, or _attempt would have made a result of it
            self.results.append(self.job.failed(item, asyncio.CancelledError()) if cut_off else task.result())
        while self.results:
            try:
                outcomes = await self._settled()
            except StoreError:
                raise
            except Exception:
                del self.results[: 1 if len(self.batch) == 1 else 0]
                self.singly = True
                raise
            del self.results[: len(self.batch)]
            for outcome in outcomes:
                self.job.record(outcome)
        self.singly = False

    async def _settled(self) -> Sequence[Outcome]:
        """Settle a batch, or wait on for the one that is being settled."""
        if self.settling is None:
            self.batch = self.results[: 1 if self.singly else None]
            self.settling = asyncio.create_task(asyncio.to_thread(self.job.settle, self.batch))
        try:
            outcomes = await asyncio.shield(self.settling)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self.settling = None
            raise
        self.settling = None
        return outcomes

    async def _finish(self, grace_s: float | None) -> None:
        """Let running calls end, cancel those that don't, and settle all."""
        self.results += [self.job.failed(item, asyncio.CancelledError()) for item in self.waiting]
        self.waiting.clear()
        loop = asyncio.get_running_loop()
        until = None if grace_s is None else loop.time() + grace_s
        while self.running and (until is None or loop.time() < until):
            await self._wait(None if until is None else until - loop.time())
            await self._settle_or_say()
        for task in self.running:
            task.cancel()
        while self.running:
            await self._wait(None)
            await self._settle_or_say()
        error: Exception | None = None
        for _ in range(_LAST_TRIES):
            error = await self._settle_or_say()
            if error is None:
                return
            await asyncio.sleep(BACKOFF_S)
        if error and not self.endless:
            raise error

    async def _settle_or_say(self) -> Exception | None:
        try:
            await self._settle()
        except Exception as error:  # noqa: BLE001 - the other calls must still be waited for
            if self.endless:
                self.endless.trouble(error)
            return error
        return None

    async def _wait(self, seconds: float | None, *events: asyncio.Event) -> None:
        await _first([*self.running], events, seconds)


async def wait_any(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Return as soon as one of `events` is set, or after `timeout_s`."""
    await _first([], events, timeout_s)


async def _first(tasks: Sequence[asyncio.Future[Any]], events: Sequence[asyncio.Event], seconds: float | None) -> None:
    if any(event.is_set() for event in events):
        return
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        if tasks or waits:
            await asyncio.wait([*tasks, *waits], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
