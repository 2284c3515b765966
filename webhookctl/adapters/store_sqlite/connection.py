"""One connection to the store's file, for one transaction at a time, with SQLite's errors put into words."""

import resource
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from webhookctl.adapters.free_space import room
from webhookctl.adapters.store_sqlite.place import is_read_only, shared_file_system
from webhookctl.core.errors import RowError, StoreBrokenError, StoreBusyError, StoreError, StoreFullError, UsageError

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:  # only Linux has it
        import sqlite3

Error = sqlite3.Error
DataError = sqlite3.DataError
IntegrityError = sqlite3.IntegrityError
SqliteError = sqlite3.Error

BUSY_MS: Final = 2_500
_LOOK_AGAIN_S: Final = 0.02
_LARGEST_WAL: Final = 64 << 20
_LEAST: Final = 1 << 20
"""Bytes without which nothing can be opened: the index of a WAL, and what it is written with."""

# SQLite's primary result codes (sqlite.org/rescode.html); the low byte of an extended one. Python 3.11 names them too,
# but the connection may come from pysqlite3.
_BUSY, _LOCKED, _READONLY, _INTERRUPT, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 9, 10, 11, 13, 14, 26

_WORDS: Final = {
    _READONLY: "can't be written to: mend the mode of its file and folder, or the file system it lies on",
    _CANTOPEN: "can't be opened: mend the mode of its file and folder",
    _CORRUPT: "is damaged; nothing was changed. `webhookctl store check` says where; keep the file, and bring back a "
    "backup with `webhookctl store restore FILE`",
    _NOTADB: "is no SQLite file, or is damaged; nothing was changed. Mend [store] url, or bring back a backup "
    "with `webhookctl store restore FILE`",
}

_NO_TEXT: Final = "Could not decode to UTF-8"
"""Python's own words, without a code of SQLite."""

_LEFT_OPEN: Final = list["sqlite3.Connection"]()
"""What nobody refers to Python closes. Whoever ends for a `StoreBrokenError` must not wait for Python's own end."""


class Journal(StrEnum):
    """How SQLite makes a commit atomic."""

    WAL = "wal"
    DELETE = "delete"


_OLDEST: Final = (3, 38, 0)
_HAS_WAL: Final = (3, 7, 0)
_LAST_AFFECTED: Final = (3, 51, 2)
_MENDED_FROM: Final = {(3, 44): 6, (3, 50): 7}
"""Series of releases that got the fix later, and the patch level that has it."""


def journal_for(version: tuple[int, int, int]) -> Journal:
    """Say which journal is safe with this SQLite.

    In WAL mode most releases before 3.51.3 can lose a commit while another connection checkpoints: "the WAL-reset
    bug" of sqlite.org/wal.html.
    """
    mended = _MENDED_FROM.get(version[:2])
    if mended is not None and version[2] >= mended:
        return Journal.WAL
    return Journal.DELETE if version <= _LAST_AFFECTED else Journal.WAL


def library_version() -> tuple[int, int, int]:
    """Return the version of SQLite that opens the store."""
    found: tuple[int, int, int] = sqlite3.sqlite_version_info
    return found


def connect(path: Path, mode: str, busy_ms: int = 0) -> "sqlite3.Connection":
    """Open a file as it is: transactions are ours to begin, and threads ours to keep apart."""
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)


class Connection:
    """The one connection of a process: its threads take turns."""

    def __init__(self, path: Path, *, busy_ms: int, only_read: bool = False) -> None:
        """Open the file, which must exist; `only_read` where nobody can write to its file system, or nobody may."""
        self.path = path
        self._only_read = only_read
        self._busy_ms = busy_ms
        self._lock = threading.Lock()
        self._broken: str | None = None
        version = sqlite3.sqlite_version_info
        if version < _OLDEST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old for the store: install pysqlite3.")
        self.shared = shared_file_system(path)
        self.journal = Journal.DELETE if self.shared else journal_for(version)
        with self._in_words():
            self._raw = connect(path, self._mode(), busy_ms)
        try:
            with self._in_words():
                self._patiently_set_up()
        except BaseException:
            self.close()
            raise

    def another(self) -> "Connection":
        """Open the same file once more, for what may take long."""
        return Connection(self.path, busy_ms=self._busy_ms, only_read=self._only_read)

    def _mode(self) -> str:
        if not self._only_read:
            return "mode=rw"
        # Without a -wal the file itself is all there is; SQLite must be told so, or it would want to make a -shm. Where
        # there never is one, somebody may be writing: that is for SQLite's locks to say.
        is_lone = self.journal is Journal.WAL or is_read_only(self.path)
        has_wal = self.path.with_name(f"{self.path.name}-wal").exists()
        return "mode=ro&immutable=1" if is_lone and not has_wal else "mode=ro"

    def _patiently_set_up(self) -> None:
        """SQLite's own patience does not reach as far as changing the journal, which two may do at once."""
        end = time.monotonic() + self._busy_ms / 1000
        while True:
            try:
                self._set_up()
            except sqlite3.OperationalError as error:
                if _code(error) & 0xFF not in {_BUSY, _LOCKED} or time.monotonic() >= end:
                    raise
                time.sleep(_LOOK_AGAIN_S)
            else:
                return

    def _set_up(self) -> None:
        raw = self._raw
        (tables,) = raw.execute("PRAGMA schema_version").fetchone()  # what is no SQLite file ends here, untouched
        if self._only_read:
            return
        if not tables:  # later it could not change anything, and yet would write at each start
            raw.execute("PRAGMA auto_vacuum = INCREMENTAL")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA secure_delete = ON")
        (mode,) = raw.execute(f"PRAGMA journal_mode = {self.journal}").fetchone()
        if mode != self.journal:
            raise StoreError(f"The store {self.path} can't change its journal from {mode} to {self.journal}.")
        raw.execute(f"PRAGMA journal_size_limit = {_LARGEST_WAL}")  # after a long reader has let it grow
        # Without WAL a power cut could bring back a deleted journal and undo its commit, unless its folder is synced.
        raw.execute(f"PRAGMA synchronous = {'FULL' if self.journal is Journal.WAL else 'EXTRA'}")

    @contextmanager
    def writing(self) -> Iterator["sqlite3.Connection"]:
        """Write in one transaction; it is on disk when the block has ended."""
        with self._lock, self._in_words():
            self._check()
            self._raw.execute("BEGIN IMMEDIATE")
            try:
                yield self._raw
            except BaseException:
                self._undo()
                raise
            self._commit()

    def write(self, statement: str, values: Sequence[object]) -> None:
        """Write with one statement, a transaction of its own: it is on disk when this returns.

        Each statement releases the interpreter and must win it back: BEGIN and COMMIT would cost a hurried thread
        more than what stands between them. SQLite waits for its turn here as it does at BEGIN IMMEDIATE.
        """
        with self._lock, self._in_words():
            self._check()
            try:
                self._raw.execute(statement, values)
            except sqlite3.Error as error:
                self._note_failed_sync(error)
                self._undo()
                raise

    @contextmanager
    def reading(self) -> Iterator["sqlite3.Connection"]:
        """Read one state of the store, whoever writes meanwhile."""
        with self._lock, self._in_words():
            self._check()
            self._raw.execute("BEGIN")
            try:
                yield self._raw
            finally:
                self._undo()

    def fold(self) -> None:
        """Bring all that the journal holds into the file, which has none afterwards.

        Raises `StoreBusyError` where anybody else has it open.
        """
        with self._lock, self._in_words():
            self._check()
            (mode,) = self._raw.execute("PRAGMA journal_mode = DELETE").fetchone()
        if mode != Journal.DELETE:
            raise StoreBusyError(f"The store {self.path} is in use: `fuser {self.path}` shows by whom.")

    def give_up(self, what: str) -> NoReturn:
        """Use the store no more; raises `StoreBrokenError` that says `what` was found in it."""
        self._broken = what
        raise StoreBrokenError(f"The store {self.path} {_WORDS[_CORRUPT]} ({what}).")

    def leave_out(self, error: RowError) -> None:
        """Go on without a row that can't be read, where all that is wanted is to look; here it is raised."""
        raise error

    def checkpoint(self) -> None:
        """Write what stands in the WAL into the file itself, as far as nobody has to wait for it."""
        if self._only_read or self.journal is not Journal.WAL:
            return
        with self._lock, self._in_words():
            self._check()
            self._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Close it; where the disk has failed it stays as it is: SQLite would sync once more in closing."""
        with self._lock:
            if self._broken is None:
                self._raw.close()
            else:
                _LEFT_OPEN.append(self._raw)

    def _check(self) -> None:
        if self._broken is not None:
            raise StoreBrokenError(
                f"The store {self.path} is not used any more, since it failed ({self._broken}): "
                "look at the disk and the file, then start again."
            )

    def _commit(self) -> None:
        try:
            self._raw.execute("COMMIT")
        except sqlite3.Error as error:
            self._note_failed_sync(error)
            self._undo()
            raise

    def _note_failed_sync(self, error: "sqlite3.Error") -> None:
        # After a failed fsync the kernel may have dropped what it could not write, and a second fsync would say that
        # all is well: only a new start, which reads the file again, knows what is there.
        if _code(error) & 0xFF == _IOERR and not self._is_out_of_space(error):
            self._broken = str(error)

    def _undo(self) -> None:
        if self._raw.in_transaction:
            with suppress(sqlite3.Error):
                self._raw.execute("ROLLBACK")
        if self._raw.in_transaction:
            self._broken = self._broken or "a transaction could not be undone"

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error):  # every further write could make it worse
                self._broken = str(error)
            if is_interrupted(error):  # SQLite's own word for a Ctrl-C that came while it worked
                raise KeyboardInterrupt from None
            raise self._sentence(error) from error
        except UnicodeEncodeError:  # holds the text, which may be a code
            raise UsageError("What was asked of the store holds characters that are no text.") from None
        except OverflowError:
            raise UsageError("What was asked of the store holds a number beyond 64 bits.") from None

    def _sentence(self, error: "sqlite3.Error") -> StoreError:
        code = _code(error) & 0xFF
        if code in {_BUSY, _LOCKED}:
            return StoreBusyError(
                f"The store {self.path} was locked by another process for more than {self._busy_ms / 1000:g} s: "
                f"try again; `fuser {self.path}` shows who has it."
            )
        if code == _FULL or self._is_out_of_space(error) or (code == _IOERR and self._lacks_room()):
            return StoreFullError(f"There is no space left for the store {self.path}: free some on its disk.")
        if _NO_TEXT in str(error):  # which it quotes, whatever it is by now
            return StoreError(f"The store {self.path} {_WORDS[_CORRUPT]} (what was text in it can't be read as such).")
        kind = StoreError if self._broken is None else StoreBrokenError
        return kind(f"The store {self.path} {_WORDS.get(code, 'failed')} ({error}).")

    def _is_out_of_space(self, error: "sqlite3.Error") -> bool:
        """SQLite knows a full disk; a limit on the size of files (`ulimit -f`) looks to it like any failed write."""
        if _code(error) & 0xFF != _IOERR:
            return False
        largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        names = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        sizes = [name.stat().st_size for name in names if name.exists()]
        return largest != resource.RLIM_INFINITY and max(sizes, default=0) >= largest

    def _lacks_room(self) -> bool:
        """Say whether the disk is full: where SQLite makes the index of its WAL that looks like a disk that failed.

        A failed commit is another matter, whatever room there is: it has been noted by then.
        """
        found = room(self.path.parent)
        return self._broken is None and found is not None and found[0] < _LEAST


@contextmanager
def connect_in_memory() -> Iterator["sqlite3.Connection"]:
    """Open a database that nobody else sees, and that ends with the block."""
    raw = sqlite3.connect(":memory:", isolation_level=None)
    try:
        yield raw
    finally:
        raw.close()


def is_damage(error: BaseException) -> bool:
    """Say whether SQLite met a file that is not as it wrote it."""
    return isinstance(error, sqlite3.Error) and _code(error) & 0xFF in {_CORRUPT, _NOTADB}


def is_interrupted(error: "sqlite3.Error") -> bool:
    """Say whether a statement was broken off from outside."""
    return _code(error) & 0xFF == _INTERRUPT


def _code(error: "sqlite3.Error") -> int:
    """Return the extended result code; errors of the Python layer have none."""
    return getattr(error, "sqlite_errorcode", 0)
