"""Counts of all that the store holds; each is a walk along one index."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite import causes
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.events import EventState
from webhookctl.core.ports.reports import Effects, Summary

if TYPE_CHECKING:
    import sqlite3

_ORDERS: Final = "SELECT status, count(*) FROM orders INDEXED BY orders_by_status GROUP BY status"
_QUEUED: Final = "SELECT count(*) FROM events INDEXED BY events_queue WHERE state = 'queued'"
_HANDLED: Final = """
    SELECT state, count(*) FROM events INDEXED BY events_by_state WHERE state <> 'queued' GROUP BY state"""
_ACTIONS: Final = (
    "SELECT kind, 'waiting', count(*) FROM actions INDEXED BY actions_due WHERE state = 'waiting' GROUP BY kind",
    "SELECT kind, 'running', count(*) FROM actions INDEXED BY actions_running WHERE state = 'running' GROUP BY kind",
    """
    SELECT kind, state, count(*) FROM actions INDEXED BY actions_settled
    WHERE state NOT IN ('waiting', 'running') GROUP BY state, kind""",
)
_HELD: Final = "SELECT count(*) FROM orders INDEXED BY orders_held WHERE held IS NOT NULL"
_OVERDUE: Final = """
    SELECT count(*) FROM orders INDEXED BY orders_due WHERE due_at <= ? AND status IN ('pending', 'partial')"""
_UNTOLD: Final = """
    SELECT count(*) FROM actions INDEXED BY actions_due
    WHERE state = 'waiting' AND kind = 'alert' AND error IS NOT NULL"""
_REPEATS: Final = "SELECT coalesce(sum(n), 0) FROM repeats"
_REJECTED: Final = "SELECT count(*) FROM rejected INDEXED BY rejected_by_time"
_LAST_MATCHES: Final = "SELECT supplier, matched, last_at FROM secret_uses"
_OLDEST_QUEUED: Final = """
    SELECT received_at FROM events INDEXED BY events_queue WHERE state = 'queued' ORDER BY id LIMIT 1"""
_NEWEST: Final = "SELECT received_at FROM events WHERE id = (SELECT max(id) FROM events)"


@dataclass(frozen=True, slots=True)
class SqliteReports:
    """Questions that only look."""

    connection: Connection

    def summary(self, *, now: int) -> Summary:
        with self.connection.reading() as raw:
            queued = _number(raw, _QUEUED) or 0
            return Summary(
                orders=dict(raw.execute(_ORDERS).fetchall()),
                events=({EventState.QUEUED.value: queued} if queued else {}) | dict(raw.execute(_HANDLED).fetchall()),
                actions={(kind, state): n for part in _ACTIONS for kind, state, n in raw.execute(part)},
                held_orders=_number(raw, _HELD) or 0,
                overdue_orders=_number(raw, _OVERDUE, now) or 0,
                repeats_answered=_number(raw, _REPEATS) or 0,
                rejected=_number(raw, _REJECTED) or 0,
                oldest_queued_at=_number(raw, _OLDEST_QUEUED),
                newest_event_at=_number(raw, _NEWEST),
                journal_mode=self.connection.journal.value,
                untold_alerts=_number(raw, _UNTOLD) or 0,
            )

    def secret_uses(self) -> dict[tuple[str, str], int]:
        with self.connection.reading() as raw:
            return {(supplier, matched): last_at for supplier, matched, last_at in raw.execute(_LAST_MATCHES)}

    def effects(self, number: int) -> Effects:
        with self.connection.reading() as raw:
            return causes.effects(raw, number)


def _number(raw: "sqlite3.Connection", statement: str, *values: int) -> int | None:
    row = raw.execute(statement, values).fetchone()
    return None if row is None else int(row[0])
