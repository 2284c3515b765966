"""The tables of the store, and how a file comes by them."""

import secrets
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite.causes import m008_events
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.poll_schema import m006_polls
from webhookctl.adapters.store_sqlite.pruning_schema import m010_pruning
from webhookctl.adapters.store_sqlite.replay_schema import m009_replays
from webhookctl.core.errors import NoStoreError, StoreVersionError
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sqlite_utils import Database

_SET: Final = "webhookctl"
_DEDUP: Final = "dedup"
DEDUP_BOUND_TO: Final = b"webhookctl dedup key"

# Intake only appends: of the indexes on `events` it fills none but the queue; the others wait until `apply` has said
# what the event is. `sealed` stands last, so that a reader of the other columns need not walk past it.
_EVENTS: Final = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, supplier TEXT NOT NULL, received_at INTEGER NOT NULL, via TEXT NOT NULL,
        delivery_id BLOB NOT NULL, matched TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued',
        attempts INTEGER NOT NULL DEFAULT 0, claim TEXT, claimed_until INTEGER, type TEXT, reference TEXT,
        order_id TEXT, occurred_at INTEGER, error TEXT, duplicate_of INTEGER, sealed BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX events_queue ON events (id) WHERE state = 'queued'",
    "CREATE INDEX events_by_time ON events (received_at) WHERE state <> 'queued'",
    "CREATE INDEX events_by_state ON events (state, received_at) WHERE state <> 'queued'",
    "CREATE INDEX events_by_supplier ON events (supplier, received_at) WHERE state <> 'queued'",
    "CREATE INDEX events_by_delivery ON events (delivery_id) WHERE state <> 'queued'",
    "CREATE INDEX events_by_type ON events (type, received_at) WHERE type IS NOT NULL",
    "CREATE INDEX events_by_reference ON events (reference, received_at) WHERE reference IS NOT NULL",
    "CREATE INDEX events_by_order_id ON events (order_id, received_at) WHERE order_id IS NOT NULL",
    """
    CREATE TABLE event_keys (
        supplier TEXT NOT NULL, key BLOB NOT NULL, event_id INTEGER NOT NULL, PRIMARY KEY (supplier, key)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE repeats (
        supplier TEXT NOT NULL, day INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (supplier, day)
    ) STRICT, WITHOUT ROWID""",
)

# Keys begin with the reference, so that one index finds an order and also whoever else has one of that reference.
_ORDERS: Final = (
    """
    CREATE TABLE orders (
        supplier TEXT NOT NULL, reference TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL, version INTEGER NOT NULL, order_id TEXT, due_at INTEGER, fulfilled_at INTEGER,
        ask_at INTEGER, learned_by TEXT NOT NULL, held TEXT, paid_amount TEXT, paid_currency TEXT,
        PRIMARY KEY (reference, supplier)
    ) STRICT""",
    "CREATE INDEX orders_by_time ON orders (created_at)",
    "CREATE INDEX orders_by_status ON orders (status, created_at)",
    "CREATE INDEX orders_by_supplier ON orders (supplier, created_at)",
    "CREATE INDEX orders_held ON orders (created_at) WHERE held IS NOT NULL",
    "CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL AND status IN ('pending', 'partial')",
    """
    CREATE TABLE items (
        reference TEXT NOT NULL, supplier TEXT NOT NULL, position INTEGER NOT NULL, sku TEXT, code BLOB, pin BLOB,
        PRIMARY KEY (reference, supplier, position),
        FOREIGN KEY (reference, supplier) REFERENCES orders (reference, supplier) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE reveals (
        id INTEGER PRIMARY KEY, reference TEXT NOT NULL, supplier TEXT NOT NULL, at INTEGER NOT NULL,
        who TEXT NOT NULL, reason TEXT NOT NULL,
        FOREIGN KEY (reference, supplier) REFERENCES orders (reference, supplier) ON DELETE CASCADE
    ) STRICT""",
    "CREATE INDEX reveals_of_order ON reveals (reference, supplier)",
)

# Each action enters the index of its end once: what waits and what runs have small indexes of their own.
_ACTIONS: Final = (
    """
    CREATE TABLE actions (
        id TEXT PRIMARY KEY, supplier TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, cause TEXT NOT NULL,
        generation INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL, detail TEXT NOT NULL, created_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, forgiven INTEGER NOT NULL DEFAULT 0, next_at INTEGER, claim TEXT,
        claimed_until INTEGER, tried_since INTEGER, started_at INTEGER, error TEXT, finished_at INTEGER,
        restrained TEXT, restrained_detail TEXT, UNIQUE (subject, supplier, kind, cause, generation)
    ) STRICT""",
    "CREATE INDEX actions_due ON actions (kind, next_at) WHERE state = 'waiting'",
    "CREATE INDEX actions_running ON actions (claimed_until) WHERE state = 'running'",
    "CREATE INDEX actions_settled ON actions (state, kind, created_at) WHERE state NOT IN ('waiting', 'running')",
    "CREATE INDEX actions_by_time ON actions (created_at)",
    "CREATE INDEX actions_by_kind ON actions (kind, created_at)",
    "CREATE INDEX actions_by_supplier ON actions (supplier, created_at)",
    """
    CREATE TABLE attempts (
        action_id TEXT NOT NULL REFERENCES actions (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        ended_at INTEGER NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (action_id, number)
    ) STRICT, WITHOUT ROWID""",
)

# `site` is whose quota a row counts against. What is kept of each is counted, and the oldest found, in one index.
_REJECTED: Final = (
    """
    CREATE TABLE rejected (
        id INTEGER PRIMARY KEY AUTOINCREMENT, supplier TEXT NOT NULL, site TEXT NOT NULL, sender TEXT NOT NULL,
        received_at INTEGER NOT NULL, delivery_id BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
        size INTEGER NOT NULL, sealed BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX rejected_by_time ON rejected (received_at)",
    "CREATE INDEX rejected_by_source ON rejected (supplier, site, id, size)",
    "CREATE INDEX rejected_by_supplier ON rejected (supplier, received_at)",
    "CREATE INDEX rejected_by_reason ON rejected (reason, received_at)",
    """
    CREATE TABLE secret_uses (
        supplier TEXT NOT NULL, matched TEXT NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (supplier, matched)
    ) STRICT, WITHOUT ROWID""",
)

_KEYS: Final = ("CREATE TABLE keys (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",)


def _m001_first(db: "Database") -> None:
    for statement in (*_EVENTS, *_ORDERS, *_ACTIONS, *_KEYS):
        db.execute(statement)


# Events that speak of one order, nearly all, have it in their own row. A code that is no text says what it is.
_SEVERAL_ORDERS: Final = (
    """
    CREATE TABLE event_orders (
        event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE, position INTEGER NOT NULL,
        supplier TEXT NOT NULL, state TEXT NOT NULL, type TEXT, reference TEXT, order_id TEXT, reason TEXT,
        PRIMARY KEY (event_id, position)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX event_orders_by_reference ON event_orders (reference, supplier) WHERE reference IS NOT NULL",
    "CREATE INDEX event_orders_by_order_id ON event_orders (order_id, supplier) WHERE order_id IS NOT NULL",
    # What waits for an order that nobody knows yet: few, and looked for whenever an order is saved.
    "CREATE INDEX event_orders_waiting ON event_orders (order_id, supplier) WHERE reference IS NULL",
    """
    CREATE INDEX events_waiting ON events (order_id, supplier)
    WHERE state = 'dead' AND reference IS NULL AND order_id IS NOT NULL""",
    "CREATE INDEX orders_by_order_id ON orders (order_id, supplier) WHERE order_id IS NOT NULL",
    "ALTER TABLE items ADD COLUMN media_type TEXT",
)


def _m002_event_orders(db: "Database") -> None:
    for statement in _SEVERAL_ORDERS:
        db.execute(statement)


def _m003_rejected(db: "Database") -> None:
    for statement in _REJECTED:
        db.execute(statement)


# What people did, in their own words; `reference` is empty where it was done to an action of the supplier itself.
_INTERVENTIONS: Final = (
    "ALTER TABLE orders ADD COLUMN released TEXT",
    """
    CREATE TABLE interventions (
        id INTEGER PRIMARY KEY, supplier TEXT NOT NULL, reference TEXT NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL,
        what TEXT NOT NULL, reason TEXT NOT NULL, action_id TEXT
    ) STRICT""",
    "CREATE INDEX interventions_of_order ON interventions (reference, supplier)",
    "CREATE INDEX interventions_of_action ON interventions (action_id) WHERE action_id IS NOT NULL",
)


def _m004_orders(db: "Database") -> None:
    for statement in _INTERVENTIONS:
        db.execute(statement)


def _m007_event_reveals(db: "Database") -> None:
    db.execute("""
        CREATE TABLE event_reveals (
            id INTEGER PRIMARY KEY, event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
            at INTEGER NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE INDEX event_reveals_of_event ON event_reveals (event_id)")


def _m011_unapplied(db: "Database") -> None:
    # What the alarms look through each minute: few, as what is applied leaves it.
    db.execute("""
        CREATE INDEX events_unapplied ON events (supplier, received_at) WHERE state = 'dead' AND reference IS NULL""")


# A released migration is never changed: a later version adds one.
_MIGRATIONS: Final[tuple[tuple[str, "Callable[[Database], None]"], ...]] = (
    ("m001_first", _m001_first),
    ("m002_event_orders", _m002_event_orders),
    ("m003_rejected", _m003_rejected),
    ("m004_orders", _m004_orders),
    ("m006_polls", m006_polls),  # there is no fifth
    ("m007_event_reveals", _m007_event_reveals),
    ("m008_events", m008_events),
    ("m009_replays", m009_replays),
    ("m010_pruning", m010_pruning),
    ("m011_unapplied", _m011_unapplied),
)
_KNOWN: Final = {name for name, _ in _MIGRATIONS}


def migrate(connection: Connection, *, create: bool) -> None:
    """Bring the file to the present schema, wholly or not at all; raises `StoreVersionError` where it is newer."""
    with connection.reading() as raw:
        if _is_current(connection, raw, create=create):
            return
    with connection.writing() as raw:
        # Looked at again: another process may have migrated between the two transactions. What is pending is read by
        # `apply` itself, inside this one; its own transactions become savepoints.
        if not _is_current(connection, raw, create=create):
            as_made(raw)


def pending(connection: Connection) -> tuple[list[str], list[str]]:
    """Return the migrations that the store has had, and those that it lacks; raises as `migrate`."""
    with connection.reading() as raw:
        applied = _applied(connection, raw, create=False)
    names = [name for name, _ in _MIGRATIONS]
    return [name for name in names if name in applied], [name for name in names if name not in applied]


def as_made(raw: "sqlite3.Connection", upto: str = "") -> None:
    """Bring a database to the present schema, or as far as `upto`, one of our migrations."""
    # Needs a tenth of a second, which a store that is up to date need not pay.
    from sqlite_utils import Database, Migrations  # noqa: PLC0415 - see above

    migrations = Migrations(_SET)
    for name, migration in _MIGRATIONS:
        migrations(name=name)(migration)
        if name == upto:
            break
    migrations.apply(Database(raw, execute_plugins=False, recursive_triggers=False))


def _is_current(connection: Connection, raw: "sqlite3.Connection", *, create: bool) -> bool:
    return _applied(connection, raw, create=create) == _KNOWN


def _applied(connection: Connection, raw: "sqlite3.Connection", *, create: bool) -> set[str]:
    """Return which migrations the file has had; raises where it is newer, or no store at all."""
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    applied = set()
    if "_sqlite_migrations" in tables:
        rows = raw.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,))
        applied = {name for (name,) in rows}
    if unknown := applied - _KNOWN:
        raise StoreVersionError(
            f"The store {connection.path} was written by a newer webhookctl (it knows {', '.join(sorted(unknown))}): "
            "upgrade webhookctl, or restore a backup from before."
        )
    if tables and not applied:
        raise NoStoreError(f"The SQLite file {connection.path} belongs to another program: mend [store] url.")
    if not applied and not create:
        raise NoStoreError(
            f"The file {connection.path} holds no store yet: run `webhookctl init` or `webhookctl serve`."
        )
    return applied


def refuse_wrong_key(connection: Connection, cipher: Cipher) -> None:
    """Raise `SealedError` where `cipher` lacks the store's key, before anything is written."""
    with connection.reading() as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = (
            raw.execute("SELECT sealed FROM keys WHERE name = ?", (_DEDUP,)).fetchone() if "keys" in tables else None
        )
    if found is not None:
        cipher.open(found[0], DEDUP_BOUND_TO)


def dedup_key(connection: Connection, cipher: Cipher) -> bytes:
    """Return the key under which event keys are hashed; the first call makes it.

    Raises `SealedError` where the store was encrypted under a key that is not at hand.
    """
    with connection.reading() as raw:
        found = raw.execute("SELECT sealed FROM keys WHERE name = ?", (_DEDUP,)).fetchone()
    if found is None:
        sealed = cipher.seal(secrets.token_bytes(32), DEDUP_BOUND_TO)
        with connection.writing() as raw:
            raw.execute("INSERT OR IGNORE INTO keys (name, sealed) VALUES (?, ?)", (_DEDUP, sealed))
            found = raw.execute("SELECT sealed FROM keys WHERE name = ?", (_DEDUP,)).fetchone()
    return cipher.open(found[0], DEDUP_BOUND_TO)
