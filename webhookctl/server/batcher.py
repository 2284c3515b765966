"""Requests that arrive together share one commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeAlias, TypeVar

from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import StoreBrokenError, StoreError

Outcome = TypeVar("Outcome")
_Waiting: TypeAlias = tuple[Verified, asyncio.Future[Outcome]]

MAX_BATCH: Final = 256
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
        on_broken: Callable[[StoreBrokenError], None] | None = None,
    ) -> None:
        self.broken: StoreBrokenError | None = None
        self._accept = accept
        self._max_batch = max_batch
        self._on_broken = on_broken
        self._waiting = deque[_Waiting[Outcome]]()
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")

    def submit(self, verified: Verified) -> "asyncio.Future[Outcome]":
        """Return a future that is resolved once `accept` has returned, or fails with what it raised.

        Cancelling it is harmless: what no longer waits when its batch begins is left out.
        """
        future = self._loop.create_future()
        if self.broken or self._closed:
            future.set_exception(self.broken or StoreError(_STOPPING))
            return future
        self._waiting.append((verified, future))
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._begin)  # soon, not now: what else is ready in this turn of the loop comes along
        return future

    async def close(self) -> None:
        """Take nothing more, commit what waits, and end the thread."""
        self._closed = True
        await self._idle.wait()
        self._thread.shutdown()

    def _begin(self) -> None:
        batch = self._next_batch()
        if not batch:
            self._idle.set()
            return
        commit = self._thread.submit(self._accept, [verified for verified, _ in batch])
        commit.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._end, batch, done))

    def _next_batch(self) -> list[_Waiting[Outcome]]:
        batch = list[_Waiting[Outcome]]()
        while self._waiting and len(batch) < self._max_batch:
            waiting = self._waiting.popleft()
            if not waiting[1].done():
                batch.append(waiting)
        return batch

    def _end(self, batch: list[_Waiting[Outcome]], commit: "Future[Sequence[Outcome]]") -> None:
        error = commit.exception()
        if isinstance(error, StoreBrokenError):
            self._break(error)
        self._begin()
        if error is None:
            for (_, future), outcome in zip(batch, commit.result(), strict=True):
                if not future.done():  # cancelled meanwhile
                    future.set_result(outcome)
        else:
            _fail(batch, error)

    def _break(self, error: StoreBrokenError) -> None:
        self.broken = error
        _fail(self._waiting, error)
        self._waiting.clear()
        if self._on_broken:
            self._on_broken(error)


def _fail(batch: Sequence[_Waiting[Outcome]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
