"""Is there room left where the store lies?"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

FLOOR: Final = 64 * 1024**2
"""Bytes."""
FLOOR_SHARE: Final = 20
"""Or this part of the whole disk, a twentieth, where that is less: small ones are not full from the start."""
_ASKED_EVERY_S: Final = 1.0


@dataclass(slots=True)
class FreeSpace:
    """Watches the disk under `path`; asks it at most once a second, as each delivery wants to know."""

    path: Path
    clock: Callable[[], float] = monotonic
    _full: bool = False
    _next: float = field(default=float("-inf"))

    def is_low(self) -> bool:
        """Tell whether less is left than a transaction in progress, a checkpoint and a log may need."""
        now = self.clock()
        if now >= self._next:
            self._next = now + _ASKED_EVERY_S
            self._full = is_low(self.path)
        return self._full


def is_low(path: Path, *, beside: int = 0) -> bool:
    """Ask the disk, as it would be with so many bytes less; what it can't say is left to the next write to find out."""
    found = room(path)
    return found is not None and found[0] - beside < found[1]


def room(path: Path) -> tuple[int, int] | None:
    """Return how many bytes are left, and below how many it is low; None where the disk does not say."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return free, min(FLOOR, total // FLOOR_SHARE)
