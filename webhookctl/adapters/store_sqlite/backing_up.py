"""A copy of the whole store, made while others go on writing to it."""

import errno
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from webhookctl.adapters.store_sqlite.connection import Connection, SqliteError, connect
from webhookctl.adapters.store_sqlite.schema import migrate, refuse_wrong_key
from webhookctl.core.errors import StoreError, StoreFullError
from webhookctl.core.ports.cipher import Cipher

_STEP_BYTES: Final = 128 << 10
"""Copied at once: what a delivery may have to wait for."""
_BEHIND_BYTES: Final = 4 << 20
"""While nobody else writes, so much is handed to the disk at once."""
_REST: Final = 4.0
"""How long to stand back while somebody else writes, in times of what the step took."""
_LONGEST_REST_S: Final = 1.0
_LATELY_S: Final = 1.0
_PAGES_CHECKED: Final = 500
"""At once."""
_MAPPED: Final = 1 << 40
"""Bytes of a file that SQLite reads as memory: as much as it can."""
_FULL: Final = "database or disk is full"
"""Copying gives its errors no code, only SQLite's words for it (sqlite.org/c3ref/errcode.html)."""


def copy(connection: Connection, cipher: Cipher, target: Path, advance: Callable[[int], None]) -> int:
    """Copy the store into the empty file `target`, have it on disk, and check it; see the port."""
    with target.open("rb+") as file, closing(connection.another()) as source:
        pace = _Pace(source.path, file.fileno(), advance)
        try:
            _copy_pages(source, target, pace)
            _put_behind_us(source)
            _check(target, cipher, pace)  # while the disk still writes
            os.fsync(file.fileno())
        except OSError as error:
            raise _sentence(target, error) from error
        return target.stat().st_size


class _Pace:
    """How fast to go on: as fast as we can, but for the time in which others write to the store."""

    def __init__(self, store: Path, handle: int, advance: Callable[[int], None]) -> None:
        self._wal = store.with_name(f"{store.name}-wal")
        self._handle = handle
        self._advance = advance
        self._left: int | None = None
        self._seen = self._wal_now()
        self._behind = self._written = 0
        self._gentle_until = 0.0
        self._began = perf_counter()

    def copied(self, pages_left: int, pages: int, size: int) -> None:
        """See to it that what was copied gets to the disk, never much at a time: an fsync of others waits for all."""
        step = ((pages if self._left is None else self._left) - pages_left) * size
        self._left = pages_left
        self._written += step
        if self._others_write():
            os.fdatasync(self._handle)
            self._behind = self._written
            self._stand_back()
        elif self._written - self._behind >= _BEHIND_BYTES:
            # The kernel begins to write what is to be forgotten, and does not wait for it.
            os.posix_fadvise(self._handle, self._behind, self._written - self._behind, os.POSIX_FADV_DONTNEED)
            self._behind = self._written
        self._advance(step)
        self._began = perf_counter()

    def checked(self) -> None:
        if self._others_write():
            self._stand_back()
        self._advance(0)
        self._began = perf_counter()

    def _stand_back(self) -> None:
        sleep(min((perf_counter() - self._began) * _REST, _LONGEST_REST_S))

    def _others_write(self) -> bool:
        """Say whether somebody has written lately: clocks of files tick slower than steps are taken."""
        before, self._seen = self._seen, self._wal_now()
        if before != self._seen:
            self._gentle_until = perf_counter() + _LATELY_S
        return perf_counter() < self._gentle_until

    def _wal_now(self) -> tuple[int, int]:
        try:
            found = self._wal.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns


def _copy_pages(source: Connection, target: Path, pace: _Pace) -> None:
    """Copy one state of the store, however many commits come meanwhile.

    A read transaction is held open all the while. Without one SQLite takes another state with each step, and begins
    again as soon as another connection has written (sqlite.org/c3ref/backup_finish.html).
    """
    with source.reading() as raw, closing(connect(target, "mode=rw")) as copied:
        (size,) = raw.execute("PRAGMA page_size").fetchone()
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins with the first read
        raw.execute(f"PRAGMA mmap_size = {_MAPPED}")
        copied.execute("PRAGMA journal_mode = OFF")  # a torn copy is thrown away, not mended
        copied.execute("PRAGMA synchronous = OFF")  # it is on disk before it is called a backup
        copied.execute("PRAGMA cache_size = 10")  # nothing of it is read again
        try:
            raw.backup(
                copied,
                pages=max(_STEP_BYTES // size, 1),
                progress=lambda _, left, pages: pace.copied(left, pages, size),
            )
        except SqliteError as error:
            raise _sentence(target, error) from error


def _put_behind_us(source: Connection) -> None:
    """Write what the open transaction kept in the WAL into the store itself.

    Whoever committed next would do it otherwise: an unlucky delivery. Where somebody does so already, they do it all.
    """
    source.checkpoint()


def _check(target: Path, cipher: Cipher, pace: _Pace) -> None:
    """Read the copy as whoever restores it would: its pages, its version and its keys; raises `StoreError`."""
    with closing(Connection(target, busy_ms=0, only_read=True)) as copied:
        refuse_wrong_key(copied, cipher)
        migrate(copied, create=False)
        stopped: list[BaseException] = []

        def look() -> bool:
            try:
                pace.checked()
            except BaseException as error:  # noqa: BLE001 - SQLite would swallow it: raised again below
                stopped.append(error)
            return bool(stopped)

        with copied.reading() as raw:
            raw.execute(f"PRAGMA mmap_size = {_MAPPED}")
            raw.set_progress_handler(look, _PAGES_CHECKED)
            try:
                found = [text for (text,) in raw.execute("PRAGMA quick_check(1)")]
            except SqliteError:
                if stopped:
                    raise stopped[0] from None
                raise
    if found != ["ok"]:
        raise StoreError(f"The copy {target} is damaged ({found[0]}): look at the store and at both disks.")


def _sentence(target: Path, error: Exception) -> StoreError:
    where = target.parent.absolute()
    if str(error) == _FULL or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return StoreFullError(f"There is no space left for the backup in {where}: free some, or name another folder.")
    why = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"The backup in {where} can't be written: {why}.")
