"""Who uses the store: each process shares a lock beside it, and whoever exchanges the file has it alone."""

import errno
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhookctl.core.errors import StoreBusyError, StoreError

_PRIVATE: Final = 0o600
_LOOK_AGAIN_S: Final = 0.02
_MADE: Final = b"A store was made here.\n"
# File systems that can't be written to, or have no locks: there nobody can be told.
_NO_LOCKS: Final = {errno.EROFS, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@dataclass(slots=True)
class Use:
    """A use of the store that others see until it is closed; it ends with its process, however that ends.

    The lock is on a file of its own, which is never removed: the store's own file may be another one afterwards, and
    SQLite would lose its locks on that if we closed it.
    """

    _handle: int | None
    was_alone: bool = True
    """Nobody else used the store when this began, as far as anybody can tell."""

    def mark(self) -> None:
        """Write down that there is a whole store, so that an empty file is known for what it is."""
        if self._handle is not None and not os.fstat(self._handle).st_size:
            os.write(self._handle, _MADE)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def lock_of(path: Path) -> Path:
    """Return the file that is locked for the store at `path`."""
    return path.with_name(f"{path.name}-lock")


def was_made(path: Path) -> bool:
    """Say whether there was a whole store once at `path`."""
    lock = lock_of(path)
    return lock.exists() and bool(lock.stat().st_size)


def begin_anew(path: Path) -> None:
    """Forget that there was a store; it was taken away."""
    os.truncate(lock_of(path), 0)


def share(path: Path, *, busy_ms: int, alone: Callable[[], None]) -> Use:
    """Use the store beside others; `alone` is called before, where nobody else uses it, and keeps others waiting.

    Raises `StoreBusyError` where it is being restored, and what `alone` raises.
    """
    handle = _opened(path)
    if handle is None:
        return Use(None)
    try:
        is_alone = _locked(handle, fcntl.LOCK_EX)
        if is_alone:
            alone()
        _wait_for_share(handle, path, busy_ms)
    except BaseException:
        os.close(handle)
        raise
    return Use(handle, is_alone)


def _wait_for_share(handle: int, path: Path, busy_ms: int) -> None:
    end = time.monotonic() + busy_ms / 1000
    while not _locked(handle, fcntl.LOCK_SH):
        if time.monotonic() >= end:
            raise StoreBusyError(f"The store {path} is being restored by another process: try again when it ended.")
        time.sleep(_LOOK_AGAIN_S)


def take_alone(path: Path) -> Use:
    """Keep everybody from using the store; raises `StoreBusyError` where somebody does."""
    handle = _opened(path)
    if handle is None:
        raise StoreError(f"The file system of {path} has no locks: nobody can tell whether the store is in use.")
    if not _locked(handle, fcntl.LOCK_EX):
        os.close(handle)
        raise StoreBusyError(
            f"The store {path} is in use: stop every `serve`, `work` and `poll` first; "
            f"`fuser {lock_of(path)}` shows who has it."
        )
    return Use(handle)


def _opened(path: Path) -> int | None:
    lock = lock_of(path)
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise StoreError(f"The store's lock {lock} can't be opened: {error.strerror}. Mend its mode.") from None


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return how == fcntl.LOCK_SH
        raise StoreError(f"The store's lock can't be taken: {error.strerror}.") from None
    return True
