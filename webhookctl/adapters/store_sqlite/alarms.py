"""What has run out of time, alerted once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from webhookctl.adapters.store_sqlite import action_rows, order_rows
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.orders import Action, NewAction, Order

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

    def _tell(
        self, statement: str, tell: Callable[[Sequence[object]], NewAction], *, since: int, until: int, now: int
    ) -> int:
        """Go through the rows a few at a time; reading alone first, as there mostly are none.

        Each part begins behind the last row of the one before, not at its number: rows leave while we are at it.
        """
        added, last = 0, (since, 0)
        while True:
            span = (last[0], until, *last, _AT_ONCE)
            with self.connection.reading() as raw:
                if raw.execute(statement, span).fetchone() is None:
                    return added
            with self.connection.writing() as raw:  # read again: what ended between the two needs no alert
                rows = raw.execute(statement, span).fetchall()
                added += sum(action_rows.add(raw, tell(row), now=now) for row in rows)
            if len(rows) < _AT_ONCE:
                return added
            last = rows[-1][-2:]
