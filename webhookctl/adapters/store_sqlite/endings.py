"""What told us an order's final state, and whether its webhook came after all."""

from typing import TYPE_CHECKING, Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType
from webhookctl.core.orders import Order

if TYPE_CHECKING:
    import sqlite3

_NOTE: Final = """
    UPDATE orders SET ended_as = status, ended_at = ?, late_at = NULL
    WHERE reference = ? AND supplier = ? AND status NOT IN ('pending', 'partial') AND ended_as IS NOT status"""
_FOUND_BY_ASKING: Final = """
    SELECT id FROM events INDEXED BY events_by_reference
    WHERE reference = ? AND supplier = ? AND via = 'poll' AND type = ? AND state = 'done'
    ORDER BY received_at LIMIT 1"""
_IS_LATE: Final = """
    UPDATE orders SET late_at = coalesce(late_at, (SELECT received_at FROM events WHERE id = ?))
    WHERE reference = ? AND supplier = ? AND learned_by = 'poll' AND status = ?"""
_STATUS_OF: Final = {
    EventType.FULFILLED: "fulfilled",
    EventType.FAILED: "failed",
    EventType.REFUNDED: "refunded",
}


def note_ending(raw: "sqlite3.Connection", order: Order, *, now: int) -> None:
    """Write down when `order`, just saved, came to the final state that it has; once for each such state."""
    if order.learned_by is not Via.IMPORT:
        raw.execute(_NOTE, (now, order.reference, order.supplier))


def late_after(raw: "sqlite3.Connection", event: Event, event_id: int) -> int | None:
    """Return the event by which asking had learned what this webhook says, and count the webhook as late.

    None where it is no webhook, or says something else.
    """
    status = _STATUS_OF.get(event.type)
    if event.via is not Via.WEBHOOK or status is None or event.reference is None:
        return None
    if raw.execute(_IS_LATE, (event_id, event.reference, event.supplier, status)).rowcount != 1:
        return None
    found = raw.execute(_FOUND_BY_ASKING, (event.reference, event.supplier, event.type)).fetchone()
    return None if found is None else int(found[0])
