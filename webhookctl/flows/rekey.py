"""Bringing all that the store holds under its first key; broken off, it is simply begun again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhookctl.core.ports.upkeep import RekeyMark, Upkeep

BATCH: Final = 500
"""Rows in one transaction: intake waits for no more than that."""


@dataclass(slots=True)
class Rekeying:
    """What was done."""

    rows: int = 0
    changed: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    """Why values stay as they are, and how many of them."""


def rekey(upkeep: Upkeep, advance: Callable[[int], None]) -> Rekeying:
    """Look at every row, and encrypt under the first key what is not; what was done so already is only looked at."""
    done = Rekeying()
    mark: RekeyMark | None = None
    while True:
        step = upkeep.rekey(mark, limit=BATCH)
        done.rows += step.seen
        done.changed += step.changed
        done.unreadable.update(step.unreadable)
        advance(step.seen)
        mark = step.mark
        if mark is None:
            return done
