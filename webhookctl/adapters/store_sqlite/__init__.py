"""The store in one SQLite file."""

from dataclasses import dataclass, field
from pathlib import Path

from webhookctl.adapters.store_sqlite.alarms import SqliteAlarms
from webhookctl.adapters.store_sqlite.connection import BUSY_MS, Connection
from webhookctl.adapters.store_sqlite.events import SqliteEvents
from webhookctl.adapters.store_sqlite.feed import SqliteFeed
from webhookctl.adapters.store_sqlite.intake import SqliteIntake
from webhookctl.adapters.store_sqlite.leases import SqliteLeases
from webhookctl.adapters.store_sqlite.orders import SqliteOrders
from webhookctl.adapters.store_sqlite.outbox import SqliteOutbox
from webhookctl.adapters.store_sqlite.place import is_read_only, prepare
from webhookctl.adapters.store_sqlite.quarantine import SqliteQuarantine
from webhookctl.adapters.store_sqlite.replays import SqliteReplays
from webhookctl.adapters.store_sqlite.reports import SqliteReports
from webhookctl.adapters.store_sqlite.schema import dedup_key, migrate, refuse_wrong_key
from webhookctl.adapters.store_sqlite.upkeep import SqliteUpkeep
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
    leases: SqliteLeases
    replays: SqliteReplays
    feed: SqliteFeed
    notices: tuple[str, ...]
    """What the operator should know of how it was opened, a sentence each."""
    connection: Connection = field(repr=False)

    def close(self) -> None:
        self.connection.close()


def open_store(path: Path | str, cipher: Cipher, *, create: bool, busy_ms: int = BUSY_MS) -> SqliteStore:
    """Open the store at `path`, bringing it to the present schema; made anew only where `create` says so.

    Raises `StoreError` where the file, its folder or its disk won't do, `StoreVersionError` where a newer webhookctl
    wrote it, and `SealedError` where it was encrypted under a key that `cipher` has not.
    """
    place = Path(path)
    only_read = not create and is_read_only(place)  # whoever only looks can still do so
    notices = prepare(place, create=create, only_read=only_read)
    connection = Connection(place, busy_ms=busy_ms, only_read=only_read)
    try:
        refuse_wrong_key(connection, cipher)
        migrate(connection, create=create)
        key = dedup_key(connection, cipher)
    except BaseException:
        connection.close()
        raise
    return SqliteStore(
        intake=SqliteIntake(connection, cipher),
        events=SqliteEvents(connection, cipher, key),
        orders=SqliteOrders(connection, cipher),
        outbox=SqliteOutbox(connection),
        quarantine=SqliteQuarantine(connection, cipher),
        alarms=SqliteAlarms(connection),
        reports=SqliteReports(connection),
        upkeep=SqliteUpkeep(connection, cipher),
        leases=SqliteLeases(connection),
        replays=SqliteReplays(connection, cipher),
        feed=SqliteFeed(connection),
        notices=(*notices, *_of_its_disk(connection)),
        connection=connection,
    )


def _of_its_disk(connection: Connection) -> tuple[str, ...]:
    if connection.shared is None:
        return ()
    where = f"The store {connection.path} lies on {connection.shared}, a file system that is not this machine's alone"
    safety = "slower, and only as safely as that file system locks and syncs"
    return (f"{where}: SQLite works there without its WAL, {safety}. Put it on a disk of this machine.",)
