"""Bringing all that the store holds under its first key; broken off, it is simply begun again."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from webhookctl.core.errors import StoreBusyError
from webhookctl.core.ports.upkeep import Rekeyed, RekeyMark, Upkeep

BATCH: Final = 500
"""Rows in one transaction: intake waits for no more than that."""
REST_S: Final = 0.02
"""Between two that wrote: SQLite's lock is no queue, and whoever takes it again at once keeps the others out."""
_TRIES: Final = 10


@dataclass(slots=True)
class Rekeying:
    """What was done."""

    rows: int = 0
    changed: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    """Why values stay as they are, and how many of them."""


def rekey(upkeep: Upkeep, advance: Callable[[int], None], rest: Callable[[float], None] = time.sleep) -> Rekeying:
    """Look at every row, and encrypt under the first key what is not; what was done so already is only looked at."""
    done = Rekeying()
    mark: RekeyMark | None = None
    while True:
        step = _patiently(upkeep, mark)
        done.rows += step.seen
        done.changed += step.changed
        done.unreadable.update(step.unreadable)
        advance(step.seen)
        mark = step.mark
        if mark is None:
            return done
        if step.changed:
            rest(REST_S)


def _patiently(upkeep: Upkeep, mark: RekeyMark | None) -> Rekeyed:
    """Take a step; where others have kept the store busy for its whole patience, try again a few times."""
    for _ in range(_TRIES - 1):
        with suppress(StoreBusyError):
            return upkeep.rekey(mark, limit=BATCH)
    return upkeep.rekey(mark, limit=BATCH)
