"""Giving up on what takes too long, with one timer for all of it."""

import asyncio
from collections import deque
from typing import Any


class Patience:
    """Fails each future with `TimeoutError` that is not done in time.

    All have the same time, so the one that waits longest is the next to be given up. A timer for each, cancelled almost
    always, would cost as much as proving a signature's half.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._waiting = deque[tuple[float, asyncio.Future[Any]]]()
        self._looking = False

    def watch(self, future: asyncio.Future[Any]) -> None:
        """Give `future` its time from now on."""
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        loop = future.get_loop()
        waiting.append((loop.time() + self.seconds, future))
        if not self._looking:
            self._looking = True
            loop.call_later(self.seconds, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, now = self._waiting, loop.time()
        while waiting and (waiting[0][1].done() or waiting[0][0] <= now):
            _, future = waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        self._looking = bool(waiting)
        if waiting:
            loop.call_at(waiting[0][0], self._look, loop)
