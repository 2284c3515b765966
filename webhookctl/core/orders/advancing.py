"""From an order and an event to what is to be written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.orders.records import ActionKind, ActionState, Move, NewAction, Order, OrderStatus, Restraint
from webhookctl.core.orders.table import TABLE, Cell, Duty
from webhookctl.core.redaction import Code


class CodesRule(StrEnum):
    """Must a fulfilled order have its codes?"""

    REQUIRED = "required"
    NONE = "none"
    """Top-ups: there is nothing to hand over."""


class ConfirmRule(StrEnum):
    """Is what a webhook says of an order believed, or is the order asked for first?"""

    NONE = "none"
    POLL = "poll"
    """The webhook is a hint only: anybody could have sent it, or have changed its status."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a supplier's settings say about its orders."""

    codes: CodesRule = CodesRule.REQUIRED
    sla_ms: int | None = None
    can_ask: bool = False
    """There is an API to ask for an order."""
    balance_cooldown_ms: int = 3_600_000
    confirm: ConfirmRule = ConfirmRule.NONE


KNOWN_ELSEWHERE: Final = "another supplier has an order of this reference"
OTHER_ORDER_ID: Final = "it came with another order id than before"
CODES_MISSING: Final = "it is said to be fulfilled, but not every code came"
_ONCE: Final = "order"
"""The one cause that `deliver` and `refund` have: there can be one of each per order."""


def advance(order: Order | None, event: Event, policy: Policy, *, known_at: tuple[str, ...], now: int) -> Move:
    """Say where `event` moves `order` (None: not known yet) and what must be done about it.

    `known_at` names the suppliers that have an order of this reference.
    """
    if event.type is EventType.BALANCE_LOW or event.reference is None:
        return _balance_low(event, policy)
    cell = TABLE[order.status if order else None][event.type]
    before = order or _first_heard(event, event.reference, policy, now)
    hold = _hold(order, event, known_at)
    if cell.to is OrderStatus.FULFILLED and policy.codes is CodesRule.REQUIRED and _lacks_codes(before, event):
        return _ask_for_codes(order, before, policy, hold, now)
    after = _moved(before, event, cell, hold, now)
    alerts = (
        (_alert(after, f"held: {hold}", f"Order {after.reference} is held: {hold}."),)
        if hold and hold != before.held
        else ()
    )
    return Move(
        None if after == order else after,
        alerts + tuple(_actions(cell, order, after, event)),
        tuple(_RESTRAINTS[duty] for duty in cell.duties if duty in _RESTRAINTS),
    )


_RESTRAINTS: Final = {
    Duty.CANCEL_DELIVER: Restraint(ActionKind.DELIVER, ActionState.CANCELLED, "the order was refunded"),
    Duty.HOLD_REFUND: Restraint(ActionKind.REFUND, ActionState.HELD, "the order was fulfilled after it had failed"),
}


def _balance_low(event: Event, policy: Policy) -> Move:
    cause = f"balance.low:{event.occurred_at}"
    detail = f"The balance at {event.supplier} is low: top it up."
    kinds = (ActionKind.TOP_UP, ActionKind.ALERT)
    cooldown = policy.balance_cooldown_ms
    return Move(
        None, tuple(NewAction(event.supplier, "", kind, cause, detail=detail, cooldown_ms=cooldown) for kind in kinds)
    )


def _first_heard(event: Event, reference: str, policy: Policy, now: int) -> Order:
    return Order(
        supplier=event.supplier,
        reference=reference,
        status=OrderStatus.PENDING,
        created_at=now,
        updated_at=now,
        order_id=event.order_id,
        due_at=None if policy.sla_ms is None else now + policy.sla_ms,
        learned_by=event.via,
    )


def _hold(order: Order | None, event: Event, known_at: tuple[str, ...]) -> str | None:
    if order is None:
        return KNOWN_ELSEWHERE if any(supplier != event.supplier for supplier in known_at) else None
    if order.order_id and event.order_id and order.order_id != event.order_id:
        return OTHER_ORDER_ID
    return None if order.held == CODES_MISSING else order.held


def _lacks_codes(before: Order, event: Event) -> bool:
    """A PIN alone will do: some goods have nothing else."""
    return len(event.items) < max(1, len(before.items)) or any(not (item.code or item.pin) for item in event.items)


def _ask_for_codes(order: Order | None, before: Order, policy: Policy, hold: str | None, now: int) -> Move:
    asking = replace(before, ask_at=now) if policy.can_ask else replace(before, held=hold or CODES_MISSING)
    after = asking if asking == order else replace(asking, updated_at=now)
    alert = _alert(
        after, "codes missing", f"Order {after.reference} is held: {CODES_MISSING}, and there is no API to ask."
    )
    return Move(None if after == order else after, () if policy.can_ask else (alert,), note=CODES_MISSING)


def _moved(before: Order, event: Event, cell: Cell, hold: str | None, now: int) -> Order:
    takes_items = event.items and (cell.to is OrderStatus.FULFILLED or not _codes(before.items))
    after = replace(
        before,
        status=cell.to or before.status,
        order_id=before.order_id or event.order_id,
        items=event.items if takes_items else before.items,
        held=before.held if cell.to is None and not hold else hold,
    )
    if cell.to is not None:
        after = replace(after, learned_by=event.via, ask_at=None)
    if cell.to is OrderStatus.FULFILLED:
        after = replace(after, fulfilled_at=now)
    return after if after == before else replace(after, updated_at=now)


def _codes(items: tuple[Item, ...]) -> set[tuple[Code | None, Code | None]]:
    return {(item.code, item.pin) for item in items if item.code or item.pin}


def _actions(cell: Cell, order: Order | None, after: Order, event: Event) -> Iterator[NewAction]:
    waiting = ActionState.HELD if after.held else ActionState.WAITING
    for duty in cell.duties:
        match duty:
            case Duty.DELIVER | Duty.DELIVER_HELD:
                state = ActionState.HELD if duty is Duty.DELIVER_HELD else waiting
                yield NewAction(*after.key, ActionKind.DELIVER, _ONCE, state, after.held or "")
            case Duty.REFUND if after.paid is None or after.paid.is_something:
                yield NewAction(*after.key, ActionKind.REFUND, _ONCE, waiting, after.held or "")
            case Duty.NOTIFY:
                yield NewAction(*after.key, ActionKind.NOTIFY, event.type)
            case Duty.ALERT:
                yield _table_alert(order, after, event)
            case Duty.ALERT_OTHER_CODES if _codes(event.items) and _codes(event.items) != _codes(after.items):
                detail = (
                    f"Order {after.reference} was fulfilled again, with other codes than before: nothing was delivered."
                )
                yield _alert(after, "other codes", detail)
            case _:  # a restraint, or a duty whose condition does not hold
                pass


def _table_alert(order: Order | None, after: Order, event: Event) -> NewAction:
    said = event.type.removeprefix("order.")
    if order is None or order.status is OrderStatus.PENDING:
        return _alert(after, said, f"Order {after.reference} at {after.supplier} is {said}.")
    cause = f"{said} after {order.status}"
    return _alert(after, cause, f"Order {after.reference} at {after.supplier} is said to be {cause}.")


def _alert(order: Order, cause: str, detail: str) -> NewAction:
    return NewAction(*order.key, ActionKind.ALERT, cause, detail=detail)
