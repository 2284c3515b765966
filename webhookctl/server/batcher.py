"""Requests that arrive together share one commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeAlias, TypeVar

from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import StoreBrokenError, StoreError

Outcome = TypeVar("Outcome")

MAX_BATCH: Final = 256
TIMEOUT_S: Final = 2.5
_STOPPING: Final = "The receiver is stopping: nothing more is taken."


class Batcher(Generic[Outcome]):
    """While one batch commits in the one thread, the next gathers: that is the whole group commit, without a timer.

    Use it in one event loop. `on_broken` is called there, once, when the store can't be used any more; from then on
    nothing is tried again, as a second fsync would say that all is well.
    """

    def __init__(
        self,
        accept: Callable[[Sequence[Verified]], Sequence[Outcome]],
        *,
        max_batch: int = MAX_BATCH,
        timeout_s: float = TIMEOUT_S,
        on_broken: Callable[[StoreBrokenError], None] | None = None,
    ) -> None:
        self.broken: StoreBrokenError | None = None
        self._accept = accept
        self._max_batch = max_batch
        self._timeout_s = timeout_s
        self._on_broken = on_broken
        self._waiting = deque[_Waiting[Outcome]]()
        self._committing: Sequence[_Waiting[Outcome]] = ()
        self._looking = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")

    def submit(self, verified: Verified, done: "Done[Outcome]") -> None:
        """Have `done` called, later and once: with the outcome when `accept` has returned it, or with what it raised.

        It is called with a `TimeoutError` where that takes too long: the commit may end well after all, unless it has
        not begun, which leaves this delivery out. No future stands for it: one for each request would cost as much as
        its share of the commit.
        """
        if self.broken or self._closed:
            self._loop.call_soon(done, self.broken or StoreError(_STOPPING))
            return
        self._waiting.append(_Waiting(verified, done, self._loop.time()))
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._begin)  # soon, not now: what else is ready in this turn of the loop comes along
            self._look_later(self._timeout_s)

    async def close(self) -> None:
        """Take nothing more, commit what waits, and end the thread."""
        self._closed = True
        await self._idle.wait()
        self._thread.shutdown()

    def _begin(self) -> None:
        self._committing = batch = self._next_batch()
        if not batch:
            self._idle.set()
            return
        commit = self._thread.submit(self._accept, [waiting.verified for waiting in batch])
        commit.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._end, batch, done))

    def _next_batch(self) -> "list[_Waiting[Outcome]]":
        batch = list[_Waiting[Outcome]]()
        while self._waiting and len(batch) < self._max_batch:
            waiting = self._waiting.popleft()
            if waiting.done:
                batch.append(waiting)
        return batch

    def _end(self, batch: "Sequence[_Waiting[Outcome]]", commit: "Future[Sequence[Outcome]]") -> None:
        error = commit.exception()
        if isinstance(error, StoreBrokenError):
            self._break(error)
        self._begin()
        if error:
            _fail(batch, error)
        else:
            for waiting, outcome in zip(batch, commit.result(), strict=True):
                waiting.answer(outcome)

    def _break(self, error: StoreBrokenError) -> None:
        self.broken = error
        _fail(self._waiting, error)
        self._waiting.clear()
        if self._on_broken:
            self._on_broken(error)

    def _look_later(self, seconds: float) -> None:
        """Look once for what waits too long; a timer for each delivery would cost as much as proving its half."""
        if not self._looking:
            self._looking = True
            self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Give up on what has waited too long; all have the same time, so the first in the queue are the first."""
        self._looking = False
        late = self._loop.time() - self._timeout_s
        for waiting in [*self._committing, *self._waiting]:
            if waiting.done and waiting.since > late:
                self._look_later(waiting.since - late)
                return
            waiting.answer(TimeoutError())


Done: TypeAlias = Callable[[Outcome | BaseException], object]


class _Waiting(Generic[Outcome]):
    """A delivery, and who wants to know what became of it."""

    __slots__ = ("done", "since", "verified")

    def __init__(self, verified: Verified, done: Done[Outcome], since: float) -> None:
        self.verified = verified
        self.done: Done[Outcome] | None = done
        self.since = since

    def answer(self, outcome: Outcome | BaseException) -> None:
        """Tell it, unless it was given up."""
        done, self.done = self.done, None
        if done:
            done(outcome)


def _fail(batch: "Iterable[_Waiting[Outcome]]", error: BaseException) -> None:
    for waiting in batch:
        waiting.answer(error)
