"""What the shop itself says of an order: known, though its `order.created` never came."""

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Item
from webhookctl.core.orders.advancing import KNOWN_ELSEWHERE, OTHER_ORDER_ID, Policy
from webhookctl.core.orders.past import used_again
from webhookctl.core.orders.records import (
    ActionKind,
    ActionState,
    Move,
    NewAction,
    Order,
    OrderStatus,
    Paid,
    Restraint,
)

LONGEST_NAME: Final = 256
"""Characters of a reference, an order id or a SKU, as in what suppliers send."""
MOST_ITEMS: Final = 1000
_CURRENCY: Final = re.compile(r"[A-Z]{3,5}", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?", re.ASCII)
_LONGEST_SLA_MS: Final = 366 * 86_400_000


class Registered(StrEnum):
    """What became of a registration."""

    NEW = "new"
    KNOWN = "known"
    """It was known already; whatever the registration adds was written."""
    HELD = "held"
    """It contradicts what is known, and a person must look."""


@dataclass(frozen=True, slots=True)
class Registration:
    """An order, as the shop knows it; raises `ValueError` with the words for whoever wrote it."""

    supplier: str
    reference: str
    order_id: str | None = None
    skus: tuple[str, ...] = ()
    paid: Paid | None = None
    sla_ms: int | None = None
    """None: as the supplier's settings have it."""

    def __post_init__(self) -> None:
        _check_name(self.reference, "reference")
        if self.order_id is not None:
            _check_name(self.order_id, "order id")
        for sku in self.skus:
            _check_name(sku, "sku")
        if len(self.skus) > MOST_ITEMS:
            raise ValueError(f"there are {len(self.skus)} items; the most we take is {MOST_ITEMS}")
        if self.sla_ms is not None and not 0 < self.sla_ms <= _LONGEST_SLA_MS:
            raise ValueError("the sla must be longer than nothing and at most a year")


def paid(amount: str, currency: str) -> Paid:
    """Read what was paid; raises `ValueError` for what is no amount of money, such as `1e3`, `-5` or `19,90`."""
    if not _AMOUNT.fullmatch(amount):
        raise ValueError("the amount paid must be digits with a point, such as 19.90, or 0 for an order not paid")
    if not _CURRENCY.fullmatch(currency):
        raise ValueError("the currency must be its code in capitals, such as EUR")
    return Paid(amount, currency)


def register(
    order: Order | None, registration: Registration, policy: Policy, *, known_at: tuple[str, ...], now: int
) -> tuple[Registered, Move]:
    """Say what a registration makes of `order` (None: not known yet); the same one again changes nothing.

    What is known stays: the registration adds to it. One that names another order id, or another amount paid, holds
    the order; one whose reference another supplier has is held too, as both could deliver.
    """
    if order is None:
        elsewhere = any(supplier != registration.supplier for supplier in known_at)
        return _made(_first(registration, policy, now), KNOWN_ELSEWHERE if elsewhere else None, Registered.NEW, None)
    if order.pruned_at is not None:
        contradicts = _contradiction(order, registration) is not None
        return (Registered.HELD, used_again(order)) if contradicts else (Registered.KNOWN, Move(None))
    after = _completed(order, registration, now)
    restraints = () if after.paid is None or after.paid.is_something else (_NOTHING_PAID,)
    reason = _contradiction(order, registration)
    hold = reason if reason not in {order.held, order.released} else None
    state, move = _made(after, hold, Registered.KNOWN, order)
    still_held = reason is not None and reason == order.held
    return (Registered.HELD if still_held else state), replace(move, restraints=(*move.restraints, *restraints))


_NOTHING_PAID: Final = Restraint(ActionKind.REFUND, ActionState.CANCELLED, "nothing was paid")


def _first(registration: Registration, policy: Policy, now: int) -> Order:
    sla = registration.sla_ms or policy.sla_ms
    return Order(
        supplier=registration.supplier,
        reference=registration.reference,
        status=OrderStatus.PENDING,
        created_at=now,
        updated_at=now,
        order_id=registration.order_id,
        due_at=None if sla is None else now + sla,
        learned_by=Via.IMPORT,
        paid=registration.paid,
        items=tuple(Item(sku) for sku in registration.skus),
    )


def _completed(order: Order, registration: Registration, now: int) -> Order:
    due_at = order.due_at if registration.sla_ms is None else order.created_at + registration.sla_ms
    after = replace(
        order,
        order_id=order.order_id or registration.order_id,
        paid=order.paid or registration.paid,
        items=order.items or tuple(Item(sku) for sku in registration.skus),
        due_at=due_at,
    )
    return after if after == order else replace(after, updated_at=now)


def _contradiction(order: Order, registration: Registration) -> str | None:
    if registration.order_id and order.order_id and registration.order_id != order.order_id:
        return f"{OTHER_ORDER_ID}: {registration.order_id}"
    if registration.paid and order.paid and not _same(registration.paid, order.paid):
        return f"it was registered with another amount paid than before: {registration.paid.amount}"
    return None


def _same(one: Paid, other: Paid) -> bool:
    try:
        return (Decimal(one.amount), one.currency) == (Decimal(other.amount), other.currency)
    except InvalidOperation:
        return one == other


def _made(after: Order, hold: str | None, state: Registered, before: Order | None) -> tuple[Registered, Move]:
    if hold is None:
        return state, Move(None if after == before else after)
    alert = NewAction(*after.key, ActionKind.ALERT, f"held: {hold}", detail=f"Order {after.reference} is held: {hold}.")
    restraints = tuple(
        Restraint(kind, ActionState.HELD, hold) for kind in (ActionKind.DELIVER, ActionKind.REFUND) if before
    )
    return Registered.HELD, Move(replace(after, held=hold), (alert,), restraints)


def _check_name(name: str, what: str) -> None:
    if not name.strip():
        raise ValueError(f"the {what} is empty")
    if name != name.strip():
        raise ValueError(f"the {what} begins or ends with a blank")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the {what} is {len(name)} characters long; the longest we take is {LONGEST_NAME}")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in name):
        raise ValueError(f"the {what} holds control characters, or bytes that are no text")
