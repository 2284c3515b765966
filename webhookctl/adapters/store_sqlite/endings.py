"""What told us an order's final state, and whether its webhook came after all."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event
from webhookctl.core.orders import OPEN, STATUS_OF, Order

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
_STATUS_OF: Final = {type_: status for type_, status in STATUS_OF.items() if status not in OPEN}


def note_endings(raw: "sqlite3.Connection", orders: Sequence[Order], *, now: int) -> None:
    """Write down when `orders`, just saved, came to the final states that they have; once for each such state."""
    ended = [order for order in orders if order.status not in OPEN and order.learned_by is not Via.IMPORT]
    if ended:
        raw.executemany(_NOTE, [(now, order.reference, order.supplier) for order in ended])


def found_by_asking(raw: "sqlite3.Connection", events: Sequence[Event]) -> set[tuple[str, str]]:
    """Return the (supplier, reference) of those events whose order's state asking had found: no other is late."""
    keys = {(one.supplier, one.reference) for one in events if one.reference and _is_of_an_ending(one)}
    if not keys:
        return set()
    return set(raw.execute(_found(len(keys)), tuple(chain.from_iterable(keys))).fetchall())


@lru_cache(512)
def _found(count: int) -> str:
    return (
        f"WITH wanted (supplier, reference) AS (VALUES {', '.join(['(?, ?)'] * count)}) "  # noqa: S608 - our own words
        "SELECT o.supplier, o.reference FROM wanted AS w CROSS JOIN orders AS o "
        "ON o.reference = w.reference AND o.supplier = w.supplier AND o.learned_by = 'poll'"
    )


def _is_of_an_ending(event: Event) -> bool:
    return event.via is Via.WEBHOOK and event.type in _STATUS_OF


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
