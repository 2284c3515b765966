"""A file of nothing beside the store, to be given back when the disk is full: SQLite can't even delete without room."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhookctl.adapters.free_space import is_low

SIZE: Final = 16 << 20
"""Bytes: twice what a step of pruning writes into the WAL before a checkpoint can begin it anew."""
_SHARE: Final = 10
"""Or this part of the whole disk, where that is less."""
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Reserve:
    """The reserve of the store at `store`."""

    store: Path

    @property
    def path(self) -> Path:
        return self.store.with_name(f"{self.store.name}-reserve")

    def keep(self) -> bool:
        """Have it there; False where the disk has no room for it, or won't: it is nothing to stop for."""
        try:
            size = self._size()
            if self.path.exists() and self.path.stat().st_size == size:
                return True
            self.give_back()
            if is_low(self.store.parent, beside=size):
                return False
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
            try:
                os.posix_fallocate(handle, 0, size)  # real blocks: a file that is only long holds no room
            except OSError:
                self.give_back()
                raise
            finally:
                os.close(handle)
        except OSError:
            return False
        return True

    def give_back(self) -> bool:
        """Remove it; False where there is none."""
        with suppress(OSError):
            self.path.unlink()
            return True
        return False

    def _size(self) -> int:
        found = os.statvfs(self.store.parent)
        return min(SIZE, found.f_blocks * found.f_frsize // _SHARE)
