"""Looking at a store as it lies there: nothing is changed, made or migrated."""

import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite import locking
from webhookctl.adapters.store_sqlite.connection import Connection, Error, Journal, journal_for, library_version
from webhookctl.adapters.store_sqlite.leases import SqliteLeases
from webhookctl.adapters.store_sqlite.reports import SqliteReports
from webhookctl.adapters.store_sqlite.schema import pending, refuse_wrong_key
from webhookctl.adapters.store_sqlite.sealing import open_delivery
from webhookctl.adapters.store_sqlite.soundness import refuse_lost
from webhookctl.core.checkup import Opened, StoreFact
from webhookctl.core.errors import StoreError
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUSY_MS: Final = 1_000
_PAGES_S: Final = 2.0
"""How long SQLite may look at pages: a gigabyte needs more, and `doctor` has other things to do."""
_MISREAD: Final = (ValueError, TypeError, LookupError, struct.error)
"""What damage that SQLite does not see leads to."""
_STEPS: Final = 10_000
"""Of SQLite's machine between two looks at the time."""
_WAITING: Final = """
    SELECT kind, count(*) FROM actions INDEXED BY actions_due WHERE state = 'waiting' GROUP BY kind"""
_EVENT: Final = "SELECT id, supplier, delivery_id, sealed FROM events ORDER BY id"
_ENDS: Final = (("the oldest event", _EVENT), ("the newest event", f"{_EVENT} DESC"))


def look(path: Path, cipher: Cipher | None) -> StoreFact:
    """Look at the store at `path`; without a cipher nothing is opened."""
    version = library_version()
    fact = StoreFact(str(path), ".".join(map(str, version)), wal=journal_for(version) is Journal.WAL)
    try:
        path.stat()
    except FileNotFoundError:
        return replace(fact, missing=True)
    except OSError as error:
        said = f"The store {path} can't be looked at: {(error.strerror or 'refused').lower()}."
        return replace(fact, fault=said)
    try:
        with ExitStack() as opened:
            _share(opened, path)
            connection = Connection(path, busy_ms=_BUSY_MS, only_read=True)
            opened.callback(connection.close)
            return _inside(fact, connection, cipher)
    except StoreError as error:
        return replace(fact, fault=str(error))
    except _MISREAD:
        return replace(fact, fault=f"The store {path} is damaged: it holds what webhookctl never writes.")


def _share(opened: ExitStack, path: Path) -> None:
    """Use the store as others do: who opens it first must see whether its journal is whole, or SQLite makes it so."""
    if locking.lock_of(path).exists():
        use = locking.share(path, busy_ms=_BUSY_MS, alone=lambda: refuse_lost(path))
        opened.callback(use.close)
    else:  # none of us uses it, and looking makes no file
        refuse_lost(path)


def _inside(fact: StoreFact, connection: Connection, cipher: Cipher | None) -> StoreFact:
    behind = len(pending(connection)[1])
    fact = replace(fact, pending=behind, whole=_is_whole(connection))
    if cipher is not None:
        fact = replace(fact, opened=tuple(_opened(connection, cipher)))
    if behind:  # its tables are not yet those that the rest asks for
        return fact
    return replace(
        fact,
        waiting=_waiting(connection),
        last_beat=SqliteLeases(connection).last_beat(),
        secret_uses=SqliteReports(connection).secret_uses(),
    )


def _is_whole(connection: Connection) -> bool | None:
    end = time.monotonic() + _PAGES_S
    with connection.reading() as raw:
        raw.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            return bool(raw.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except Error:  # the time was up; or SQLite has stumbled over what it was to check
            return None if time.monotonic() > end else False
        finally:
            raw.set_progress_handler(None, 0)


def _opened(connection: Connection, cipher: Cipher) -> Iterator[Opened]:
    try:
        refuse_wrong_key(connection, cipher)
    except StoreError as error:
        yield Opened("the store's own key", str(error))
    with connection.reading() as raw:
        rows = [(what, raw.execute(f"{statement} LIMIT 1").fetchone()) for what, statement in _ENDS]
    for what, row in rows:
        if row is None:
            continue
        try:
            open_delivery(cipher, row[3], row[1], row[2])
        except StoreError as error:
            yield Opened(f"{what} ({row[0]})", str(error))
        else:
            yield Opened(f"{what} ({row[0]})")


def _waiting(connection: Connection) -> "Mapping[str, int]":
    with connection.reading() as raw:
        return dict(raw.execute(_WAITING).fetchall())
