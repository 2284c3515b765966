"""Rows of the event log, read back, and queued again."""

from collections.abc import Collection
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from webhookctl.adapters.store_sqlite.odd_rows import MISREAD, Kinds, check, odd, types
from webhookctl.adapters.store_sqlite.sealing import NOTHING_OPENED, Opened
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import KEY_MISSING
from webhookctl.core.events import EventState, Spoken, StoredEvent

if TYPE_CHECKING:
    import sqlite3

_KINDS: Final[Kinds] = {
    "id": int,
    "supplier": str,
    "received_at": int,
    "via": Via,
    "delivery_id": UUID,
    "matched": str,
    "state": EventState,
    "type": str | None,
    "reference": str | None,
    "order_id": str | None,
    "occurred_at": int | None,
    "attempts": int,
    "error": str | None,
    "duplicate_of": int | None,
}
_TYPES: Final = types(_KINDS)
COLUMNS: Final = ", ".join(_KINDS)
_TYPE, _REFERENCE = 7, 8
"""Where these stand in `COLUMNS`."""
SPOKEN: Final = "SELECT state, type, reference, order_id, reason FROM event_orders WHERE event_id = ? ORDER BY position"
_WAITING: Final = """
    WITH wanted (order_id, supplier) AS (VALUES {values})
    SELECT e.id FROM wanted AS w CROSS JOIN events AS e INDEXED BY events_waiting
    ON e.order_id = w.order_id AND e.supplier = w.supplier AND e.state = 'dead' AND e.reference IS NULL
    UNION ALL
    SELECT o.event_id FROM wanted AS w CROSS JOIN event_orders AS o INDEXED BY event_orders_waiting
    ON o.order_id = w.order_id AND o.supplier = w.supplier AND o.reference IS NULL"""
_QUEUE_AGAIN: Final = """
    UPDATE events SET state = 'queued', attempts = 0, claim = NULL, claimed_until = NULL, error = NULL
    WHERE id = ? AND state = 'dead'"""

_QUEUE_SEALED: Final = """
    UPDATE events INDEXED BY events_by_state
    SET state = 'queued', attempts = 0, claim = NULL, claimed_until = NULL, error = NULL
    WHERE state = 'dead' AND state <> 'queued' AND instr(error, ?)"""


def queue_sealed(raw: "sqlite3.Connection") -> int:
    """Queue the events again that needed a key which was not at hand; returns how many they were."""
    return raw.execute(_QUEUE_SEALED, (KEY_MISSING,)).rowcount


def queue_waiting(raw: "sqlite3.Connection", known: Collection[tuple[str, str]]) -> None:
    """Queue the events again that nobody could apply while the orders of these (order id, supplier) were not known."""
    if not known:
        return
    waiting = raw.execute(_waiting(len(known)), tuple(chain.from_iterable(known))).fetchall()
    if waiting:
        raw.executemany(_QUEUE_AGAIN, waiting)


@lru_cache(512)
def _waiting(count: int) -> str:
    return _WAITING.format(values=", ".join(["(?, ?)"] * count))


def spoken_of(raw: "sqlite3.Connection", rows: Collection[Any]) -> dict[int, tuple[Spoken, ...]]:
    """Return what was said of each order by those of the events (rows that begin with `COLUMNS`) that name several."""
    found = dict[int, tuple[Spoken, ...]]()
    for row in rows:
        if row[_TYPE] is None and row[_REFERENCE] is None:  # an event of one order has it in its own row
            found[row[0]] = tuple(map(spoken, raw.execute(SPOKEN, (row[0],))))
    return found


def spoken(row: Any) -> Spoken:  # noqa: ANN401 - a row of state, type, reference, order_id, reason
    """Make one of an event's orders of its row."""
    try:
        return Spoken(EventState(row[0]), *row[1:])
    except MISREAD:
        raise odd("one of an event's orders") from None


def listed_event(row: Any) -> StoredEvent:  # noqa: ANN401 - a row that begins with `COLUMNS`
    """Make an event of a row alone; raises `RowError`."""
    return stored_event(row, NOTHING_OPENED)


def stored_event(row: Any, opened: Opened) -> StoredEvent:  # noqa: ANN401 - a row that begins with `COLUMNS`
    """Make an event of a row and what was encrypted of it; raises `RowError`."""
    try:
        check(row, _TYPES)
        via, delivery_id, state = Via(row[3]), str(UUID(bytes=row[4])), EventState(row[6])
    except MISREAD:
        raise odd(f"event {row[0]}", row, _KINDS) from None
    return StoredEvent(
        id=row[0],
        supplier=row[1],
        received_at=row[2],
        via=via,
        delivery_id=delivery_id,
        matched=row[5],
        headers=opened.headers,
        body=opened.body,
        state=state,
        type=row[7],
        reference=row[8],
        order_id=row[9],
        occurred_at=row[10],
        attempts=row[11],
        error=row[12],
        duplicate_of=row[13],
        event_id=opened.apart,
        method=opened.method,
        url=opened.url,
    )
