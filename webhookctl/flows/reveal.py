"""Showing codes in clear to an operator, who is written down first."""

from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.events import StoredEvent
from webhookctl.core.orders import refuse_pruned
from webhookctl.core.ports.events import Events
from webhookctl.core.ports.orders import Orders, Reveal
from webhookctl.flows.report import Row, item_row

# The bodies that we hold are whole: how they were cut on their way is not part of them.
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


def reveal(orders: Orders, supplier: str, reference: str, look: Reveal) -> list[Row]:
    """Record who looks and why, durably, and only then return the order's items with their codes."""
    _check(look)
    order = orders.get({(supplier, reference)}).get((supplier, reference))
    if order is None:
        raise NotFoundError(f"Supplier {supplier!r} has no order {reference!r}; `webhookctl orders list` shows them.")
    refuse_pruned(order, "revealed")
    orders.record_reveal(supplier, reference, look)
    return [item_row(item, reveal=True) for item in order.items]


def as_it_came(events: Events, event: StoredEvent, look: Reveal) -> bytes:
    """Record who looks and why, durably, and only then return the request as raw HTTP: every byte that is signed."""
    _check(look)
    events.record_reveal(event.id, look)
    headers = [header for header in event.headers if header[0] not in _FRAMING]
    lines = [b"%b: %b\r\n" % header for header in (*headers, (b"content-length", b"%d" % len(event.body)))]
    return b"POST /webhooks/%b HTTP/1.1\r\n%b\r\n%b" % (event.supplier.encode(), b"".join(lines), event.body)


def _check(look: Reveal) -> None:
    if not look.reason.strip():
        raise UsageError("--reason is empty: say why codes must be seen; it is kept with what was looked at.")
