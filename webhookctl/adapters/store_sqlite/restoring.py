"""Bringing a backup back: checked as it will lie there, and exchanged with the store in one step."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from webhookctl.adapters.store_sqlite import locking
from webhookctl.adapters.store_sqlite.checking import SqliteChecks
from webhookctl.adapters.store_sqlite.connection import BUSY_MS, Connection
from webhookctl.adapters.store_sqlite.exchanging import put_in_place
from webhookctl.adapters.store_sqlite.journal import what_is_lost
from webhookctl.adapters.store_sqlite.looking import Looking
from webhookctl.adapters.store_sqlite.place import check_folder
from webhookctl.adapters.store_sqlite.schema import pending, refuse_wrong_key
from webhookctl.core.errors import NoStoreError, StoreBrokenError, StoreError, StoreFullError, UsageError
from webhookctl.core.ports.checks import Fault, Scope
from webhookctl.core.ports.cipher import Cipher

Told = Callable[[int], None]
"""Called with each step that long work has come further."""

_CHUNK: Final = 1 << 20
_PRIVATE: Final = 0o600
_JOURNALS: Final = ("-wal", "-shm", "-journal")
_FORBIDDING: Final = frozenset({"structure", "opens", "schema", "foreign_keys"})
"""Faults with which a backup is none; others are told."""
_NEWEST: Final = "SELECT received_at FROM events WHERE id = (SELECT max(id) FROM events)"
_COUNTS: Final = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM orders)"


@dataclass(frozen=True, slots=True)
class Held:
    """What a store or a backup holds."""

    newest_event_at: int | None
    events: int
    orders: int


@dataclass(frozen=True, slots=True)
class Restorable:
    """A backup that was copied beside the store, and found good."""

    path: Path
    copy: Path
    backup: Held
    present: Held | None
    """None where there is no store yet, or none that can be read."""
    faults: tuple[Fault, ...]
    """Of the backup: none that forbids it."""
    lacking: tuple[str, ...]
    """Migrations that the next start brings."""

    def exchange(self) -> Path | None:
        """Put the backup in the store's place; returns where the former store is kept, if there was one."""
        there = self.path.exists()
        kept = self.path.with_name(f"{self.path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        if not there or not _folded(self.path):
            # A journal that is still there is kept beside: SQLite would take it for that of the new file.
            _move_journals(self.path, kept)
        put_in_place(self.copy, self.path, kept)
        return kept if there else None


@contextmanager
def restorable(path: Path, file: Path, cipher: Cipher, scope: Scope, told: Told) -> Iterator[Restorable]:
    """Copy a backup beside the store, check the copy, and keep everybody from the store until the block ends.

    Raises `StoreBusyError` where the store is in use, `StoreVersionError` and `SealedError` where a newer webhookctl or
    a key that is not at hand is needed, and `StoreError` where the backup is damaged or does not fit on the disk.
    """
    check_folder(path, only_read=False)
    _refuse_what_is_no_backup(path, file)
    copy = path.with_name(f"{path.name}.restoring")
    with closing(locking.take_alone(path)) as use:
        try:
            _copy(file, copy, told)
            yield _checked(path, copy, file, cipher, scope)
            use.mark()
        finally:
            for suffix in ("", *_JOURNALS):
                copy.with_name(f"{copy.name}{suffix}").unlink(missing_ok=True)


def _refuse_what_is_no_backup(path: Path, file: Path) -> None:
    if not file.is_file():
        raise UsageError(f"There is no backup at {file}: name a file that `webhookctl store backup` has written.")
    if path.exists() and path.samefile(file):
        raise UsageError(f"{file} is the store itself: name a backup of it.")


def _copy(file: Path, copy: Path, told: Told) -> None:
    """Copy a backup, and its journal if it was made by copying a store with one; both are on disk afterwards."""
    if lost := what_is_lost(file):
        raise _no_backup(
            file,
            f"has a journal, {file.name}-wal, that {lost}: what it held last can't be read. To restore it without "
            f"that, move {file.name}-wal and {file.name}-shm elsewhere",
        )
    for suffix in ("", "-wal"):
        source, target = file.with_name(f"{file.name}{suffix}"), copy.with_name(f"{copy.name}{suffix}")
        target.unlink(missing_ok=True)
        if source.exists():
            _copy_one(source, target, told)


def _copy_one(source: Path, target: Path, told: Told) -> None:
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
            while chunk := reading.read(_CHUNK):
                writing.write(chunk)
                told(len(chunk))
            writing.flush()
            os.fsync(writing.fileno())
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StoreFullError(f"There is no space left for {target}: free some. Nothing was changed.") from None
        raise StoreError(f"{source} can't be copied to {target}: {error.strerror}. Nothing was changed.") from None


def _checked(path: Path, copy: Path, file: Path, cipher: Cipher, scope: Scope) -> Restorable:
    try:
        lacking = _folded_copy(copy, cipher)
        faults = _faults(copy, cipher, lacking, scope)
        held = _held(copy)
    except StoreBrokenError as error:  # it is the copy that is of no use, not the store
        raise _no_backup(file, f"is no SQLite file, or is damaged ({error.__cause__})") from None
    except NoStoreError:
        raise _no_backup(file, "holds no store of webhookctl") from None
    except StoreError as error:
        raise type(error)(_of_the_backup(str(error), copy, file)) from None
    if held is None:
        raise _no_backup(file, "can't be read")
    if bad := [fault for fault in faults if fault.name in _FORBIDDING]:
        example = f" ({bad[0].example})" if bad[0].example else ""
        raise _no_backup(file, f"won't do: {bad[0].count} {bad[0].what}{example}")
    with suppress(StoreError):
        return Restorable(path, copy, held, _held(path), faults, lacking)
    return Restorable(path, copy, held, None, faults, lacking)


def _no_backup(file: Path, why: str) -> StoreError:
    return StoreError(
        f"The backup {file} {why}. Nothing was changed: name another that `webhookctl store backup` has written."
    )


def _of_the_backup(sentence: str, copy: Path, file: Path) -> str:
    """Speak of the file that the operator named, and not of our copy."""
    return sentence.replace(str(copy), str(file)).replace("The store ", "The backup ", 1)


def _folded_copy(copy: Path, cipher: Cipher) -> tuple[str, ...]:
    """Make one file of the copy, which its key opens; returns which migrations it lacks."""
    with closing(Connection(copy, busy_ms=BUSY_MS)) as connection:
        lacking = tuple(pending(connection)[1])
        refuse_wrong_key(connection, cipher)
        connection.fold()
    return lacking


def _faults(copy: Path, cipher: Cipher, lacking: tuple[str, ...], scope: Scope) -> tuple[Fault, ...]:
    with closing(Looking(copy, busy_ms=BUSY_MS, as_it_lies=False)) as connection:
        checked = SqliteChecks(connection, cipher, lacking=lacking).check(scope)
        return tuple(fault for one in checked for fault in one.faults)


def _held(path: Path) -> Held | None:
    if not path.exists():
        return None
    with closing(Looking(path, busy_ms=BUSY_MS, as_it_lies=what_is_lost(path) is not None)) as connection:
        with connection.reading() as raw:
            newest, counts = raw.execute(_NEWEST).fetchone(), raw.execute(_COUNTS).fetchone()
        if connection.left_out:
            return None
    return Held(newest[0] if newest else None, *counts)


def _folded(path: Path) -> bool:
    """Bring the journal of the former store into its file; False where it is damaged, and must be left as it is."""
    if what_is_lost(path) or not _is_sound(path):
        return False
    with closing(Connection(path, busy_ms=BUSY_MS)) as connection:
        connection.fold()
    return True


def _is_sound(path: Path) -> bool:
    """Look without opening it for writing: SQLite would tidy up a journal of this name at the end of the process."""
    if not path.stat().st_size:  # to SQLite a sound database with nothing in it
        return False
    try:
        with (
            closing(Looking(path, busy_ms=BUSY_MS, as_it_lies=False)) as connection,
            connection.strictly_reading() as raw,
        ):
            return bool(raw.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except StoreError:
        return False


def _move_journals(path: Path, kept: Path) -> None:
    for suffix in _JOURNALS:
        journal = path.with_name(f"{path.name}{suffix}")
        if journal.exists():
            journal.rename(kept.with_name(f"{kept.name}{suffix}"))
