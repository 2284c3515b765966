"""Rows of the event log, read back, and queued again."""

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from webhookctl.adapters.store_sqlite.sealing import Opened
from webhookctl.core.deliveries import Via
from webhookctl.core.events import EventState, Spoken, StoredEvent

if TYPE_CHECKING:
    import sqlite3

COLUMNS: Final = (
    "id, supplier, received_at, via, delivery_id, matched, state, type, reference, order_id, occurred_at, attempts, "
    "error, duplicate_of"
)
_WAITING: Final = """
    SELECT id FROM events INDEXED BY events_waiting
    WHERE order_id = ?1 AND supplier = ?2 AND state = 'dead' AND reference IS NULL
    UNION ALL
    SELECT event_id FROM event_orders INDEXED BY event_orders_waiting
    WHERE order_id = ?1 AND supplier = ?2 AND reference IS NULL"""
_QUEUE_AGAIN: Final = """
    UPDATE events SET state = 'queued', attempts = 0, claim = NULL, claimed_until = NULL, error = NULL
    WHERE id = ? AND state = 'dead'"""


def queue_waiting(raw: "sqlite3.Connection", supplier: str, order_id: str) -> None:
    """Queue the events again that nobody could apply while the order of this id was not known."""
    waiting = raw.execute(_WAITING, (order_id, supplier)).fetchall()
    if waiting:
        raw.executemany(_QUEUE_AGAIN, waiting)


def spoken(row: Any) -> Spoken:  # noqa: ANN401 - a row of state, type, reference, order_id, reason
    """Make one of an event's orders of its row."""
    return Spoken(EventState(row[0]), *row[1:])


def stored_event(row: Any, opened: Opened) -> StoredEvent:  # noqa: ANN401 - a row that begins with `COLUMNS`
    """Make an event of a row and what was encrypted of it."""
    return StoredEvent(
        id=row[0],
        supplier=row[1],
        received_at=row[2],
        via=Via(row[3]),
        delivery_id=str(UUID(bytes=row[4])),
        matched=row[5],
        headers=opened.headers,
        body=opened.body,
        state=EventState(row[6]),
        type=row[7],
        reference=row[8],
        order_id=row[9],
        occurred_at=row[10],
        attempts=row[11],
        error=row[12],
        duplicate_of=row[13],
        event_id=opened.apart,
    )
