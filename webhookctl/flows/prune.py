"""Taking what ended long ago out of the store, in steps so small that nobody waits; broken off, it is begun again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from webhookctl.core.errors import StoreBusyError, StoreFullError
from webhookctl.core.ports.upkeep import Pruned, PruneMark, Upkeep

BATCH: Final = 50
"""Rows of one transaction: deleting costs more than writing, as what was there is overwritten."""
_PAGES: Final = 64
_LOOK_AT: Final = 2_000
"""Rows that are counted at once for a plan."""
REST_S: Final = 0.005
"""Between two steps at least, and as long as a step took where the disk is slow: SQLite's lock is no queue, and whoever
takes it again at once keeps the others out."""
_LONGEST_REST_S: Final = 1.0
_TRIES: Final = 10

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Total:
    """What was taken, or would be."""

    orders: int = 0
    events: int = 0
    actions: int = 0
    rejected: int = 0
    bytes: int = 0

    def add(self, step: Pruned) -> None:
        for name in ("orders", "events", "actions", "rejected", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(step, name))

    @property
    def rows(self) -> int:
        return self.orders + self.events + self.actions + self.rejected

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("orders", "events", "actions", "rejected", "bytes")}


@dataclass(frozen=True, slots=True)
class Prune:
    """Takes what came to its end before `before`."""

    upkeep: Upkeep
    before: int
    now: int
    give_back: Callable[[], bool] = lambda: False
    """Makes room on a full disk; False where there is none to make."""
    goes_on: Callable[[], bool] = lambda: True
    """Asked between two steps."""
    rest: Callable[[float], None] = time.sleep
    rest_s: float = REST_S
    clock: Callable[[], float] = time.perf_counter

    def plan(self) -> Total:
        """Count what would be taken, and change nothing."""
        total = Total()
        mark: PruneMark | None = None
        while True:
            step = self.upkeep.prune(mark, before=self.before, now=self.now, limit=_LOOK_AT, plan=True)
            total.add(step)
            mark = step.mark
            if mark is None:
                return total

    def run(self, advance: Callable[[int], None] = lambda _: None) -> Total:
        """Take it, and give the room back to the disk as it becomes free; returns how much it was."""
        total = Total()
        mark: PruneMark | None = None
        while self.goes_on():
            began = self.clock()
            step = self._patiently(partial(self._step, mark))
            total.add(replace(step, bytes=0))
            advance(step.rows)
            if step.rows:
                self._stand_back(began)
                total.bytes += self._reclaimed()
            mark = step.mark
            if mark is None:
                break
        while self.goes_on() and (freed := self._reclaimed()):
            total.bytes += freed
        return total

    def _stand_back(self, began: float) -> None:
        self.rest(min(max(self.rest_s, self.clock() - began), _LONGEST_REST_S))

    def _step(self, mark: PruneMark | None) -> Pruned:
        return self.upkeep.prune(mark, before=self.before, now=self.now, limit=BATCH)

    def _reclaimed(self) -> int:
        began = self.clock()
        freed = self._patiently(partial(self.upkeep.reclaim, pages=_PAGES))
        self._stand_back(began)
        return freed

    def _patiently(self, step: Callable[[], _Answer]) -> _Answer:
        """Take a step; where others have kept the store busy for its whole patience, or it is full, try again."""
        for _ in range(_TRIES - 1):
            try:
                return step()
            except StoreBusyError:
                pass
            except StoreFullError:
                if not self.give_back():
                    raise
        return step()
