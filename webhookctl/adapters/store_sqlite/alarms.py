"""What has run out of time, alerted once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from webhookctl.adapters.store_sqlite import action_rows, order_rows
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.errors import RowError
from webhookctl.core.orders import Action, NewAction, Order
from webhookctl.core.ports.alarms import UNAPPLIED, Waiting, Window

_AT_ONCE: Final = 500
"""Rows of one transaction: intake waits for its end."""
_ORDER: Final = ", ".join(f"o.{name.strip()}" for name in order_rows.COLUMNS.split(","))
_ACTION: Final = ", ".join(f"a.{name.strip()}" for name in action_rows.COLUMNS.split(","))
_OVERDUE: Final = f"""
    SELECT {_ORDER}, o.due_at, o.rowid FROM orders AS o INDEXED BY orders_due
    WHERE due_at >= ? AND due_at < ? AND status IN ('pending', 'partial') AND (due_at, o.rowid) > (?, ?)
    ORDER BY due_at, o.rowid LIMIT ?"""  # noqa: S608 - our own words
_UNDELIVERED: Final = f"""
    SELECT {_ORDER}, {_ACTION}, a.created_at, a.rowid FROM actions AS a INDEXED BY actions_by_kind
    JOIN orders AS o ON o.reference = a.subject AND o.supplier = a.supplier
    WHERE a.kind = 'deliver' AND a.created_at >= ? AND a.created_at < ? AND a.state IN ('waiting', 'running')
        AND (a.created_at, a.rowid) > (?, ?)
    ORDER BY a.created_at, a.rowid LIMIT ?"""  # noqa: S608 - our own words
_HOUR_MS: Final = 3_600_000
_TOLD: Final = """
    SELECT count(*) FROM actions INDEXED BY sqlite_autoindex_actions_2
    WHERE subject = '' AND supplier = ? AND kind = 'alert' AND cause >= ? AND cause < ? AND created_at > ?"""
_UNAPPLIED: Final = """
    SELECT min(e.id), e.supplier, coalesce(e.order_id, o.order_id) AS waits_for, e.received_at, e.error
    FROM events AS e INDEXED BY events_unapplied LEFT JOIN event_orders AS o
    ON o.event_id = e.id AND o.reference IS NULL AND o.order_id IS NOT NULL
    WHERE e.supplier = ? AND e.received_at >= ? AND e.received_at < ? AND e.state = 'dead' AND e.reference IS NULL
        AND waits_for IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM actions AS a INDEXED BY sqlite_autoindex_actions_2
            WHERE a.subject = '' AND a.supplier = e.supplier AND a.kind = 'alert' AND a.cause = ? || waits_for)
    GROUP BY waits_for ORDER BY min(e.id) LIMIT ?"""
_ORDER_COLUMNS: Final = len(order_rows.COLUMNS.split(","))


@dataclass(frozen=True, slots=True)
class SqliteAlarms:
    """What has run out of time."""

    connection: Connection

    def overdue(self, tell: Callable[[Order], NewAction], *, since: int, until: int, now: int) -> int:
        return self._tell(_OVERDUE, lambda row: tell(order_rows.stored_order(row)), since=since, until=until, now=now)

    def undelivered(self, tell: Callable[[Order, Action], NewAction], *, since: int, until: int, now: int) -> int:
        def told(row: Sequence[object]) -> NewAction:
            return tell(order_rows.stored_order(row), action_rows.stored_action(row[_ORDER_COLUMNS:]))

        return self._tell(_UNDELIVERED, told, since=since, until=until, now=now)

    def waiting(self, supplier: str, tell: Callable[[Waiting], NewAction], window: Window, *, now: int) -> int:
        span = (supplier, window.since, window.until, f"{UNAPPLIED}:")
        with self.connection.reading() as raw:
            if raw.execute(_UNAPPLIED, (*span, 1)).fetchone() is None:
                return 0
        with self.connection.writing() as raw:  # counted and read again: others look, too
            told = (supplier, f"{UNAPPLIED}:", f"{UNAPPLIED};", now - _HOUR_MS)
            left = max(0, window.hourly - raw.execute(_TOLD, told).fetchone()[0])
            found = [Waiting(*row) for row in raw.execute(_UNAPPLIED, (*span, left))]
            return sum(action_rows.add(raw, tell(one), now=now) for one in found)

    def _tell(
        self, statement: str, tell: Callable[[Sequence[object]], NewAction], *, since: int, until: int, now: int
    ) -> int:
        """Go through the rows a few at a time; reading alone first, as there mostly are none.

        Each part begins behind the last row of the one before, not at its number: rows leave while we are at it.
        A row that can't be read is left for `store check` to name: it must not keep all others from being told of.
        """
        added, last = 0, (since, 0)
        while True:
            span = (last[0], until, *last, _AT_ONCE)
            with self.connection.reading() as raw:
                if raw.execute(statement, span).fetchone() is None:
                    return added
            with self.connection.writing() as raw:  # read again: what ended between the two needs no alert
                rows = raw.execute(statement, span).fetchall()
                for row in rows:
                    with suppress(RowError):
                        added += action_rows.add(raw, tell(row), now=now)
            if len(rows) < _AT_ONCE:
                return added
            last = rows[-1][-2:]
