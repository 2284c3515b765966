"""The event log as it grows: read by number, and asked about by a counter that SQLite keeps."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.event_rows import COLUMNS, spoken, stored_event
from webhookctl.adapters.store_sqlite.sealing import NOTHING_OPENED
from webhookctl.core.events import Spoken, StoredEvent

if TYPE_CHECKING:
    import sqlite3

# AUTOINCREMENT remembers the highest number even of a table that was pruned.
_NEWEST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_ARRIVED: Final = f"SELECT {COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our own words
_AGAIN: Final = f"""
    SELECT {COLUMNS} FROM events
    WHERE id IN (SELECT value FROM json_each(?)) AND state <> 'queued' ORDER BY id"""  # noqa: S608 - our own words
_SPOKEN: Final = """
    SELECT event_id, state, type, reference, order_id, reason FROM event_orders
    WHERE event_id IN (SELECT value FROM json_each(?)) ORDER BY event_id, position"""
_VERSION: Final = "PRAGMA data_version"


@dataclass(slots=True)
class SqliteFeed:
    """Takes no lock that a writer would wait for."""

    connection: Connection
    _seen: int | None = field(default=None, init=False)

    def newest(self) -> int:
        with self.connection.reading() as raw:
            row = raw.execute(_NEWEST).fetchone()
        return int(row[0]) if row else 0

    def has_grown(self) -> bool:
        with self.connection.reading() as raw:
            version = int(raw.execute(_VERSION).fetchone()[0])
        grown, self._seen = version != self._seen, version
        return grown

    def arrived(self, *, after: int, limit: int) -> list[StoredEvent]:
        with self.connection.reading() as raw:
            return _with_orders(raw, raw.execute(_ARRIVED, (after, limit)).fetchall())

    def again(self, numbers: Collection[int]) -> list[StoredEvent]:
        with self.connection.reading() as raw:
            return _with_orders(raw, raw.execute(_AGAIN, (json.dumps(list(numbers)),)).fetchall())


def _with_orders(raw: "sqlite3.Connection", rows: Sequence[Any]) -> list[StoredEvent]:
    events = [stored_event(row, NOTHING_OPENED) for row in rows]
    orders: dict[int, tuple[Spoken, ...]] = {}
    for number, *said in raw.execute(_SPOKEN, (json.dumps([one.id for one in events]),)):
        orders[number] = (*orders.get(number, ()), spoken(said))
    return [replace(one, orders=orders[one.id]) if one.id in orders else one for one in events]
