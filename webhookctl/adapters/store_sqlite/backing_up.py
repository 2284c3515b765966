"""A copy of the whole store, made while others go on writing to it.

The files are copied as they lie, while a read transaction is held open. Where SQLite keeps a WAL, that pins what both
files say together, however many commit and checkpoint meanwhile (sqlite.org/walformat.html, 2.3; `walTryBeginRead`,
`walCheckpoint` and `walRestartLog` in SQLite's wal.c):

- What the transaction may have to read of the WAL stays there, and only what stands before its mark is brought into the
  file. So first the WAL is copied, then the file: each page that changed while it was copied, torn perhaps, stands in
  the copied WAL, and opening the copy brings it from there, as after a power cut in the midst of a checkpoint.
- Or all of the WAL was in the file when the transaction began. Then nothing is brought into the file before it ends,
  but the WAL may be begun anew once, which changes its head first: it is copied again where its head has changed.

Commits that have not been copied wholly don't count to SQLite: each frame's sum vouches for all before it. So the copy
holds what was committed when it began, and perhaps a little more. Without a WAL, the transaction keeps others from
writing to the file.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from webhookctl.adapters.store_sqlite.connection import Connection, Journal, SqliteError, connect
from webhookctl.adapters.store_sqlite.copy_check import check
from webhookctl.adapters.store_sqlite.copying import Copyist, copyist_for
from webhookctl.adapters.store_sqlite.pace import Pace, Written
from webhookctl.core.errors import StoreError, StoreFullError
from webhookctl.core.ports.cipher import Cipher

_PRIVATE: Final = 0o600
_STORE, _WAL = 0, 1
_HEAD: Final = 32
"""Bytes that a WAL begins with; two of its numbers are others each time that it is begun anew."""
_FULL: Final = "database or disk is full"
"""Copying gives its errors no code, only SQLite's words for it (sqlite.org/c3ref/errcode.html)."""


def copy(connection: Connection, cipher: Cipher, target: Path, advance: Callable[[int], None]) -> int:
    """Copy the store into the empty file `target`, have it on disk, and check it; see the port."""
    pace = Pace(connection.path)
    with target.open("rb+") as file, _journal_of(target) as journal, closing(connection.another()) as source:
        copied = (Written(file.fileno(), pace, advance), Written(journal, pace, advance))
        try:
            _copy_files(source, (file.fileno(), journal), copied)
            _put_behind_us(source)
            _fold(target, journal)
            check(target, file.fileno(), cipher, pace, advance)
        except (OSError, SqliteError) as error:
            raise _sentence(target, error) from error
        return target.stat().st_size


@contextmanager
def _journal_of(target: Path) -> Iterator[int]:
    """Have an empty file beside the copy, where SQLite looks for its WAL; at the end nothing is beside it."""
    with ExitStack() as ended:
        for beside in (_beside(target, "-shm"), _beside(target, "-wal")):
            beside.unlink(missing_ok=True)
            ended.callback(beside.unlink, missing_ok=True)
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        ended.callback(os.close, handle)
        yield handle


def _copy_files(source: Connection, handles: tuple[int, int], written: tuple[Written, Written]) -> None:
    """Copy the WAL and the file as one state of the store; see above why this is one."""
    wal = _beside(source.path, "-wal")
    pairs = list(zip((source.path, wal), handles, strict=True))
    has_wal = source.journal is Journal.WAL and wal.exists()
    with copyist_for(pairs[: 1 + has_wal]) as copyist, source.reading() as raw:
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins with the first read
        size = source.path.stat().st_size  # what it grows by stands in the WAL too
        if has_wal:
            _copy_wal(copyist, wal, handles[_WAL], written[_WAL])
        _copy_file(copyist, _STORE, size, written[_STORE])


def _copy_wal(copyist: Copyist, wal: Path, handle: int, written: Written) -> None:
    """Copy the WAL, and once more where it was begun anew meanwhile."""
    while True:
        _copy_file(copyist, _WAL, wal.stat().st_size, written)
        head = os.pread(handle, _HEAD, 0)
        if copyist.copy(_WAL, 0, _HEAD) == len(head) and os.pread(handle, _HEAD, 0) == head:
            return
        os.ftruncate(handle, 0)


def _copy_file(copyist: Copyist, number: int, size: int, written: Written) -> None:
    at = 0
    while at < size and (length := copyist.copy(number, at, min(written.step(), size - at))):
        written.copied(at, length)
        at += length


def _put_behind_us(source: Connection) -> None:
    """Write what the open transaction kept in the WAL into the store itself.

    Whoever committed next would do it otherwise: an unlucky delivery. Where somebody does so already, they do it all.
    """
    source.checkpoint()


def _fold(target: Path, journal: int) -> None:
    """Make one file of the two that were copied."""
    if os.fstat(journal).st_size:
        with closing(connect(target, "mode=rw")) as raw:
            raw.execute("PRAGMA locking_mode = EXCLUSIVE")  # nobody else knows of it: it needs no -shm
            raw.execute("PRAGMA synchronous = OFF")  # it is on disk before it is called a backup
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    _beside(target, "-wal").unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


def _sentence(target: Path, error: Exception) -> StoreError:
    where = target.parent.absolute()
    if str(error) == _FULL or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}):
        return StoreFullError(f"There is no space left for the backup in {where}: free some, or name another folder.")
    why = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"The backup in {where} can't be written: {why}.")
