"""Where a backup goes: put in place whole or not at all, and only what is ours is ever removed."""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from webhookctl.adapters.store_sqlite.exchanging import sync_folder
from webhookctl.adapters.store_sqlite.place import who_else_writes
from webhookctl.core.errors import StoreError, StoreFullError, UsageError

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 32
_MARGIN: Final = 64 << 20
"""Left free beside the copy: the store itself may lie on the same disk."""
_MARGIN_SHARE: Final = 20
_BESIDE: Final = ("-wal", "-shm")
"""What SQLite keeps beside a copy, until it is one file."""
_NAMES_OF_STORE: Final = ("", "-wal", "-shm", "-journal", "-reserve")


@dataclass(frozen=True, slots=True)
class Target:
    """A file that a backup is to become."""

    path: Path
    series: str | None = None
    """In a folder of backups: what the names of all of ours there begin with. None: a single file."""

    @property
    def partial(self) -> Path:
        return self.path.with_name(f".{self.path.name}.partial")


def target(named: str, store: Path, *, now: int) -> Target:
    """Read what the operator named: a folder, which gets a file with the time in its name, or a file."""
    path = Path(named)
    if named.endswith("/") or path.is_dir():
        written = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        return Target(path / f"{store.stem}-{written}.db", store.stem)
    return Target(path)


def check(found: Target, store: Path, *, force: bool, size: int) -> None:
    """Refuse a place that won't do, before anything is written; `size` is about what the copy needs.

    Raises `UsageError` for the store itself and for a file that is there already, `StoreError` for the rest.
    """
    path = found.path
    for ending in _NAMES_OF_STORE:
        with suppress(OSError):
            if path.samefile(store.with_name(f"{store.name}{ending}")):
                raise UsageError(f"{path} belongs to the store itself: name another file.")
    _check_folder(found)
    if os.path.lexists(path) and not force and found.series is None:
        raise UsageError(f"{path} is there already: name another file or a folder, or say --force to replace it.")
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise UsageError(f"{path} is there already, and no file: name another.")
    disk = os.statvfs(path.parent)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    margin = min(_MARGIN, total // _MARGIN_SHARE)
    if free < size + margin:
        raise StoreFullError(
            f"The backup needs about {size >> 20} MiB, and {path.parent} has {free >> 20} MiB left, of which "
            f"{margin >> 20} MiB stay free: free some, or name another disk."
        )


def _check_folder(found: Target) -> None:
    folder = found.path.parent
    try:
        if found.series is not None and not folder.exists():
            folder.mkdir(_PRIVATE_FOLDER)
        known = folder.stat()
    except OSError as error:
        raise StoreError(f"The backup's folder {folder} can't be used: {error.strerror}. Make it, mode 0700.") from None
    if not stat.S_ISDIR(known.st_mode):
        raise StoreError(f"The backup's folder {folder} is not a folder.")
    if who := who_else_writes(known):
        raise StoreError(
            f"The backup's folder {folder} can be written to by {who}, who could exchange the copy for another: "
            f"`chmod go-w {folder}`, or name a folder of your own with mode 0700."
        )


@contextmanager
def making(found: Target) -> Iterator[Path]:
    """Give an empty file, beside the target, to be written; at the end it is the target, or there is nothing."""
    handle = _claimed(found.partial)
    try:
        _forget_leftovers(found)
        yield found.partial
        os.fsync(handle)
        found.partial.replace(found.path)
        sync_folder(found.path.parent)
    except OSError as error:
        raise StoreError(f"The backup {found.path} can't be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            if _is_at(found.partial, handle):
                found.partial.unlink()
        os.close(handle)


def _claimed(partial: Path) -> int:
    """Make the file and lock it, so that no other backup takes it for a leftover."""
    try:
        _forget_left_over(partial)
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    except FileExistsError:
        raise _busy(partial) from None
    except OSError as error:
        kind = StoreFullError if error.errno == errno.ENOSPC else StoreError
        raise kind(
            f"The backup's folder {partial.parent} can't be written to: {error.strerror}. Mend that, or name another."
        ) from None
    fcntl.flock(handle, fcntl.LOCK_EX)
    if not _is_at(partial, handle):  # taken for a leftover before it was locked, by another that has begun meanwhile
        os.close(handle)
        raise _busy(partial)
    return handle


def _busy(partial: Path) -> StoreError:
    return StoreError(f"Another backup is being written to {partial.parent}: wait for its end.")


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _forget_left_over(partial: Path) -> None:
    """Remove what nobody writes any more: whoever did was killed."""
    try:
        handle = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(partial, handle):
            for beside in _BESIDE:  # first, as they are only found by what they lie beside
                partial.with_name(f"{partial.name}{beside}").unlink(missing_ok=True)
            partial.unlink()
    except BlockingIOError:
        pass
    finally:
        os.close(handle)


def _forget_leftovers(found: Target) -> None:
    """Remove what backups of this series left that were killed."""
    if found.series is None:
        return
    for path in found.path.parent.iterdir():
        name = path.name.removeprefix(".").removesuffix(".partial")
        if path.name == f".{name}.partial" and _is_of(found.series, name) and path != found.partial:
            with suppress(OSError):
                _forget_left_over(path)


def forget_old(found: Target, keep: int) -> tuple[list[Path], list[Path]]:
    """Keep the newest `keep` of a folder's backups, and remove the older ones; returns those, and what is not whole.

    What is not whole, cut by a failing disk perhaps, does not count as kept, and stays for a person to look at.
    """
    if found.series is None:
        return [], []
    ours = sorted(
        (path for path in found.path.parent.iterdir() if _is_of(found.series, path.name) and not path.is_symlink()),
        key=lambda path: path.name,
        reverse=True,
    )
    whole = [path for path in ours if _is_whole(path)]
    removed = [path for path in whole[keep:] if path != found.path]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed, [path for path in ours if path not in whole]


def _is_of(series: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(series)}-[0-9]{{8}}T[0-9]{{6}}Z\.db", name, re.ASCII) is not None


def _is_whole(path: Path) -> bool:
    """Compare the size with what the file says of itself (sqlite.org/fileformat.html); it was checked when made."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    return head.startswith(_MAGIC) and size == pages * (65_536 if page == 1 else page) and size > 0
