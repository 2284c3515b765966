"""The statements by which a query finds events: in the queue, among those that were handled, among several orders."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from webhookctl.adapters.store_sqlite.event_rows import COLUMNS
from webhookctl.adapters.store_sqlite.listing import Listing
from webhookctl.core.events import EventState, Place
from webhookctl.core.ports.events import EventQuery

_Statement: TypeAlias = tuple[str, list[object]]

_QUEUED: Final = Listing("events", COLUMNS, "received_at", "state = 'queued'", (), "events_queue")
_HANDLED: Final = Listing(
    "events",
    COLUMNS,
    "received_at",
    "state <> 'queued'",
    (
        ("reference", "events_by_reference"),
        ("order_id", "events_by_order_id"),
        ("state", "events_by_state"),
        ("type", "events_by_type"),
        ("via", "events_by_via"),
        ("supplier", "events_by_supplier"),
    ),
    "events_by_time",
)
_SAID: Final = ("type", "reference", "order_id")
"""What is only known of an event once it was applied."""

_AMONG_SEVERAL: Final = """
    SELECT {columns} FROM events WHERE id IN (SELECT event_id FROM event_orders WHERE {chosen}) AND state <> 'queued'
        AND supplier = coalesce(?, supplier) AND state = coalesce(?, state) AND via = coalesce(?, via)
        AND received_at BETWEEN coalesce(?, received_at) AND coalesce(? - 1, received_at)"""

_HERE: Final = (
    "SELECT delivery_id FROM events INDEXED BY events_by_delivery WHERE state <> 'queued'",
    "SELECT delivery_id FROM events INDEXED BY events_queue WHERE state = 'queued'",
)


def newest(query: EventQuery) -> Iterator[_Statement]:
    """Return the statements that together find the newest `query.limit` events, and perhaps some more."""
    for listing in _listings(query):
        yield listing.select(_filters(query), since=query.since, until=query.until, limit=query.limit)
    if _names_an_order(query):
        statement, values = _among_several(query, COLUMNS)
        yield f"{statement} ORDER BY received_at DESC, id DESC LIMIT ?", [*values, query.limit]


def behind(query: EventQuery, after: Place | None, *, opened: bool) -> Iterator[_Statement]:
    """Return the statements that together find the first `query.limit` events behind `after`, and perhaps some more."""
    columns = f"{COLUMNS}, sealed" if opened else COLUMNS
    for listing in _listings(query):
        chosen = replace(listing, columns=columns)
        yield chosen.walk(_filters(query), since=query.since, until=query.until, after=after, limit=query.limit)
    if _names_an_order(query):
        statement, values = _among_several(query, columns)
        bound = "" if after is None else " AND (received_at, id) > (?, ?)"
        yield f"{statement}{bound} ORDER BY received_at, id LIMIT ?", [*values, *(after or ()), query.limit]


def counts(query: EventQuery) -> Iterator[_Statement]:
    """Return the statements whose counts together are how many events there are."""
    for listing in _listings(query):
        yield listing.count(_filters(query), since=query.since, until=query.until)
    if _names_an_order(query):
        yield _among_several(query, "count(*)")


def here(delivery_ids: Sequence[bytes], upto: int) -> Iterator[_Statement]:
    """Return the statements that find which of the deliveries are in the log; of the queue all up to `upto` is read."""
    listed = ", ".join("?" * len(delivery_ids))
    for statement in _HERE:
        yield f"{statement} AND id <= ? AND delivery_id IN ({listed})", [upto, *delivery_ids]


def _filters(query: EventQuery) -> dict[str, object]:
    return {
        "supplier": query.supplier,
        "type": query.type,
        "state": query.state,
        "via": query.via,
        "reference": query.reference,
        "order_id": query.order_id,
    }


def _listings(query: EventQuery) -> list[Listing]:
    asks_what_was_said = any(getattr(query, name) is not None for name in _SAID)
    queued = [_QUEUED] if query.state in {None, EventState.QUEUED} and not asks_what_was_said else []
    return queued if query.state is EventState.QUEUED else [*queued, _HANDLED]


def _names_an_order(query: EventQuery) -> bool:
    return query.reference is not None or query.order_id is not None


def _among_several(query: EventQuery, columns: str) -> _Statement:
    """Return the statement for events that speak of the order among others, and its values."""
    asked = {"type": query.type, "reference": query.reference, "order_id": query.order_id}
    chosen = {column: value for column, value in asked.items() if value is not None}
    statement = _AMONG_SEVERAL.format(columns=columns, chosen=" AND ".join(f"{column} = ?" for column in chosen))
    return statement, [*chosen.values(), query.supplier, query.state, query.via, query.since, query.until]
