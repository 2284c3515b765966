"""Showing codes in clear to an operator, who is written down first."""

from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.ports.orders import Orders, Reveal
from webhookctl.flows.report import Row, item_row


def reveal(orders: Orders, supplier: str, reference: str, look: Reveal) -> list[Row]:
    """Record who looks and why, durably, and only then return the order's items with their codes."""
    if not look.reason.strip():
        raise UsageError("--reason is empty: say why the codes must be seen; it is kept with the order.")
    order = orders.get({(supplier, reference)}).get((supplier, reference))
    if order is None:
        raise NotFoundError(f"Supplier {supplier!r} has no order {reference!r}; `webhookctl orders list` shows them.")
    orders.record_reveal(supplier, reference, look)
    return [item_row(item, reveal=True) for item in order.items]
