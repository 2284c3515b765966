"""How a store is opened: to be used, or to be looked at whatever has become of it."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from webhookctl.adapters.store_sqlite import locking
from webhookctl.adapters.store_sqlite.alarms import SqliteAlarms
from webhookctl.adapters.store_sqlite.checking import SqliteChecks
from webhookctl.adapters.store_sqlite.chores import SqliteChores
from webhookctl.adapters.store_sqlite.connection import BUSY_MS, Connection
from webhookctl.adapters.store_sqlite.events import SqliteEvents
from webhookctl.adapters.store_sqlite.feed import SqliteFeed
from webhookctl.adapters.store_sqlite.intake import SqliteIntake
from webhookctl.adapters.store_sqlite.journal import what_is_lost
from webhookctl.adapters.store_sqlite.leases import SqliteLeases
from webhookctl.adapters.store_sqlite.looking import Looking
from webhookctl.adapters.store_sqlite.orders import SqliteOrders
from webhookctl.adapters.store_sqlite.outbox import SqliteOutbox
from webhookctl.adapters.store_sqlite.place import is_read_only, prepare
from webhookctl.adapters.store_sqlite.quarantine import SqliteQuarantine
from webhookctl.adapters.store_sqlite.replays import SqliteReplays
from webhookctl.adapters.store_sqlite.reports import SqliteReports
from webhookctl.adapters.store_sqlite.schema import dedup_key, migrate, pending, refuse_wrong_key
from webhookctl.adapters.store_sqlite.soundness import refuse_damage, refuse_emptied, refuse_lost
from webhookctl.adapters.store_sqlite.upkeep import SqliteUpkeep
from webhookctl.core.errors import StoreError
from webhookctl.core.ports.cipher import Cipher


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """The ports of the store over one connection; may be used by several threads."""

    intake: SqliteIntake
    events: SqliteEvents
    orders: SqliteOrders
    outbox: SqliteOutbox
    quarantine: SqliteQuarantine
    alarms: SqliteAlarms
    reports: SqliteReports
    upkeep: SqliteUpkeep
    checks: SqliteChecks
    leases: SqliteLeases
    chores: SqliteChores
    replays: SqliteReplays
    feed: SqliteFeed
    notices: tuple[str, ...]
    """What the operator should know of how it was opened, a sentence each."""
    connection: Connection = field(repr=False)
    use: locking.Use = field(repr=False)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of a damaged store could not be read so far, by whoever only looks."""
        found = self.connection.left_out if isinstance(self.connection, Looking) else []
        return (*dict.fromkeys(found), *(("what the journal held",) if self.checks.lost else ()))

    @property
    def odd(self) -> tuple[str, ...]:
        """The rows that were left out so far, by whoever only looks, as they can't be read."""
        return tuple(dict.fromkeys(self.connection.odd)) if isinstance(self.connection, Looking) else ()

    def close(self) -> None:
        self.connection.close()
        self.use.close()


def open_store(path: Path | str, cipher: Cipher, *, create: bool, busy_ms: int = BUSY_MS) -> SqliteStore:
    """Open the store at `path`, bringing it to the present schema; made anew only where `create` says so.

    Who may make it is who receives or works, and looks first whether it is sound. Raises `StoreError` where the file,
    its journal, its folder or its disk won't do, `StoreVersionError` where a newer webhookctl wrote it, and
    `SealedError` where it was encrypted under a key that `cipher` has not.
    """
    place = Path(path)
    only_read = not create and is_read_only(place)  # whoever only looks can still do so
    look = refuse_lost if place.exists() else locking.begin_anew
    notices = prepare(place, create=create, only_read=only_read)
    with ExitStack() as opened:
        use = locking.share(place, busy_ms=busy_ms, alone=lambda: look(place))
        opened.callback(use.close)
        connection = Connection(place, busy_ms=busy_ms, only_read=only_read)
        opened.callback(connection.close)
        if create and use.was_alone:  # who uses it already has looked, or is about to find out
            refuse_damage(connection)
        refuse_wrong_key(connection, cipher)
        migrate(connection, create=create)
        store = _store(connection, cipher, dedup_key(connection, cipher), use, (*notices, *_of_its_disk(connection)))
        use.mark()
        opened.pop_all()
        return store


def open_to_look(path: Path | str, cipher: Cipher, *, busy_ms: int = BUSY_MS, whatever: bool = False) -> SqliteStore:
    """Open the store to read what can be read of it: `left_out` says afterwards whether that was all.

    Nothing is changed, but an older store is brought to the present schema, unless `whatever` says that it is opened to
    be checked, as it is and without its key if need be. Raises as `open_store`, where it is not damaged.
    """
    place = Path(path)
    notices = prepare(place, create=False, only_read=True)
    refuse_emptied(place)
    lost = list[str]()
    with ExitStack() as opened:
        use = locking.share(place, busy_ms=busy_ms, alone=lambda: lost.extend(filter(None, [what_is_lost(place)])))
        opened.callback(use.close)
        connection = Looking(place, busy_ms=busy_ms, as_it_lies=bool(lost))
        opened.callback(connection.close)
        lacking = _lacking(connection)
        if not whatever:
            refuse_wrong_key(connection, cipher)
        if not lacking or whatever:
            opened.pop_all()
            why = lost[0] if lost else None
            return _store(connection, cipher, b"", use, notices, lost=why, lacking=tuple(lacking))
    return open_store(place, cipher, create=False, busy_ms=busy_ms)


def _lacking(connection: Looking) -> list[str]:
    """Return the migrations that the store lacks; where even that is damaged, it is read as if it were ours."""
    try:
        return pending(connection)[1]
    except StoreError:
        if not connection.left_out:
            raise
        return []


def _store(  # noqa: PLR0913 - what its ports are made of
    connection: Connection,
    cipher: Cipher,
    key: bytes,
    use: locking.Use,
    notices: tuple[str, ...],
    *,
    lost: str | None = None,
    lacking: tuple[str, ...] = (),
) -> SqliteStore:
    return SqliteStore(
        intake=SqliteIntake(connection, cipher),
        events=SqliteEvents(connection, cipher, key),
        orders=SqliteOrders(connection, cipher),
        outbox=SqliteOutbox(connection),
        quarantine=SqliteQuarantine(connection, cipher),
        alarms=SqliteAlarms(connection),
        reports=SqliteReports(connection),
        upkeep=SqliteUpkeep(connection, cipher),
        checks=SqliteChecks(connection, cipher, lost, lacking),
        leases=SqliteLeases(connection),
        chores=SqliteChores(connection),
        replays=SqliteReplays(connection, cipher),
        feed=SqliteFeed(connection),
        notices=notices,
        connection=connection,
        use=use,
    )


def _of_its_disk(connection: Connection) -> tuple[str, ...]:
    if connection.shared is None:
        return ()
    where = f"The store {connection.path} lies on {connection.shared}, a file system that is not this machine's alone"
    safety = "slower, and only as safely as that file system locks and syncs"
    return (f"{where}: SQLite works there without its WAL, {safety}. Put it on a disk of this machine.",)
