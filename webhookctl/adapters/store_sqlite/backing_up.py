"""A copy of the whole store, made while others go on writing to it."""

import errno
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from webhookctl.adapters.store_sqlite.connection import Connection, SqliteError, connect
from webhookctl.adapters.store_sqlite.schema import migrate, refuse_wrong_key
from webhookctl.core.errors import StoreError, StoreFullError
from webhookctl.core.ports.cipher import Cipher

_STEP_BYTES: Final = 4 << 20
"""Copied between two looks at whether to go on, and on disk before the next begins: hundreds of megabytes that wait to
be written would hold up the fsync of every delivery."""
_OPCODES: Final = 200_000
"""Of SQLite's own machine, between two looks while the copy is checked: a few milliseconds."""
_FULL: Final = 13


def copy(connection: Connection, cipher: Cipher, target: Path, advance: Callable[[int], None]) -> int:
    """Copy the store into the empty file `target`, have it on disk, and check it; see the port."""
    with closing(connection.another()) as source:
        _copy_pages(source, target, advance)
        _put_behind_us(source)
    _check(target, cipher, advance)
    return target.stat().st_size


def _copy_pages(source: Connection, target: Path, advance: Callable[[int], None]) -> None:
    """Copy one state of the store, however many commits come meanwhile.

    A read transaction is held open all the while. Without one SQLite takes another state with each step, and begins
    again as soon as another connection has written (sqlite.org/c3ref/backup_finish.html).
    """
    handle = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    left: int | None = None

    def stepped(_status: int, remaining: int, total: int) -> None:
        nonlocal left
        os.fdatasync(handle)
        advance(((total if left is None else left) - remaining) * size)
        left = remaining

    try:
        with source.reading() as raw, closing(connect(target, "mode=rw")) as copied:
            (size,) = raw.execute("PRAGMA page_size").fetchone()
            raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins with the first read
            copied.execute("PRAGMA journal_mode = OFF")  # a torn copy is thrown away, not mended
            copied.execute("PRAGMA synchronous = OFF")  # done above, step by step
            try:
                raw.backup(copied, pages=max(_STEP_BYTES // size, 1), progress=stepped)
            except SqliteError as error:
                raise _sentence(target, error) from error
        os.fsync(handle)
    except OSError as error:
        raise _sentence(target, error) from error
    finally:
        os.close(handle)


def _put_behind_us(source: Connection) -> None:
    """Write what the open transaction kept in the WAL into the store itself.

    Whoever committed next would do it otherwise: an unlucky delivery. Where somebody does so already, they do it all.
    """
    source.checkpoint()


def _check(target: Path, cipher: Cipher, advance: Callable[[int], None]) -> None:
    """Read the copy as whoever restores it would: its pages, its version and its keys; raises `StoreError`."""
    with closing(Connection(target, busy_ms=0, only_read=True)) as copied:
        refuse_wrong_key(copied, cipher)
        migrate(copied, create=False)
        stopped: list[BaseException] = []

        def look() -> bool:
            try:
                advance(0)
            except BaseException as error:  # noqa: BLE001 - SQLite would swallow it: raised again below
                stopped.append(error)
            return bool(stopped)

        with copied.reading() as raw:
            raw.set_progress_handler(look, _OPCODES)
            try:
                found = [text for (text,) in raw.execute("PRAGMA quick_check(1)")]
            except SqliteError:
                if stopped:
                    raise stopped[0] from None
                raise
    if found != ["ok"]:
        raise StoreError(f"The copy {target} is damaged ({found[0]}): look at the store and at both disks.")


def _sentence(target: Path, error: Exception) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == _FULL or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return StoreFullError(f"There is no space left for the backup in {target.parent}: free some, or name another.")
    why = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"The backup in {target.parent} can't be written: {why}.")
