"""How fast a backup goes on: as fast as we can, but for the time in which others write to the store."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

STEP_BYTES: Final = 128 << 10
"""Copied at once while others write: what a delivery may have to wait for."""
ALONE_BYTES: Final = 4 << 20
"""Copied at once while nobody else writes, and handed to the disk."""
_REST: Final = 4.0
"""How long to stand back while somebody else writes, in times of what the step took."""
_LONGEST_REST_S: Final = 1.0
_LATELY_S: Final = 1.0


class Pace:
    """Looks whether others write, and stands back for them; may be asked by several threads."""

    def __init__(self, store: Path) -> None:
        self._wal = store.with_name(f"{store.name}-wal")
        self._seen = self._wal_now()
        self._gentle_until = 0.0

    def others_write(self) -> bool:
        """Say whether somebody has written lately: clocks of files tick slower than steps are taken."""
        before, self._seen = self._seen, self._wal_now()
        if before != self._seen:
            self._gentle_until = perf_counter() + _LATELY_S
        return perf_counter() < self._gentle_until

    def stand_back(self, since: float) -> None:
        """Rest after a step that began at `since`."""
        sleep(min((perf_counter() - since) * _REST, _LONGEST_REST_S))

    def _wal_now(self) -> tuple[int, int]:
        try:
            found = self._wal.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns


class Written:
    """What was written to one file of a backup, and is to be on its disk."""

    def __init__(self, handle: int, pace: Pace, advance: Callable[[int], None]) -> None:
        self._handle = handle
        self._pace = pace
        self._advance = advance
        self._began = perf_counter()

    def step(self) -> int:
        """Begin the next step, and return how many bytes it may have."""
        self._began = perf_counter()
        return STEP_BYTES if self._pace.others_write() else ALONE_BYTES

    def copied(self, at: int, length: int) -> None:
        """See to it that what was copied gets to the disk, never much at a time: an fsync of others waits for all."""
        if self._pace.others_write():
            os.fdatasync(self._handle)
            self._pace.stand_back(self._began)
        else:
            # The kernel begins to write what is to be forgotten, and does not wait for it.
            os.posix_fadvise(self._handle, at, length, os.POSIX_FADV_DONTNEED)
        self._advance(length)
