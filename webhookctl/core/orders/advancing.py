"""From an order and an event to what is to be written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.orders.balances import balance_low, is_below
from webhookctl.core.orders.past import of_the_past
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
    low_balance: Decimal | None = None
    """A balance below this is as good as a `balance.low`."""
    return_window_ms: int | None = None
    """How long after its fulfilment the supplier takes an order back, where that is known."""


KNOWN_ELSEWHERE: Final = "another supplier has an order of this reference"
OTHER_ORDER_ID: Final = "it came with another order id than before"
CODES_MISSING: Final = "it is said to be fulfilled, but not every code came"
OTHER_CODES: Final = "other codes"
HINT_UNKNOWN: Final = "a hint about an order that is not known: it has to be created or registered first"
HINT_UNASKED: Final = "a hint, and there is no API to ask whether it is true"
HINT_ASKED: Final = "a hint: the supplier is asked"
_ONCE: Final = "order"
"""The one cause that `deliver` and `refund` have: there can be one of each per order."""


def advance(order: Order | None, event: Event, policy: Policy, *, known_at: tuple[str, ...], now: int) -> Move:
    """Say where `event` moves `order` (None: not known yet) and what must be done about it.

    `known_at` names the suppliers that have an order of this reference.
    """
    cooldown = policy.balance_cooldown_ms
    if event.type is EventType.BALANCE_LOW or event.reference is None:
        return Move(None, balance_low(event, policy.low_balance, cooldown_ms=cooldown, now=now))
    if order is not None and order.pruned_at is not None:
        move = of_the_past(order, event)
    else:
        move = _hinted(order, event, policy, now) if event.hint else _told(order, event, policy, known_at, now)
    if is_below(event.balance, policy.low_balance):
        more = balance_low(event, policy.low_balance, cooldown_ms=cooldown, now=now)
        return replace(move, actions=move.actions + more)
    return move


def _hinted(order: Order | None, event: Event, policy: Policy, now: int) -> Move:
    """Have the supplier asked, by the order id that is stored: to believe a hint would let anybody have another's code.

    It neither makes an order, nor moves or holds one, nor gives it an order id.
    """
    if order is None:
        return Move(None, note=HINT_UNKNOWN)
    if not policy.can_ask:
        said = event.type.removeprefix("order.")
        detail = f"Order {order.reference} at {order.supplier} may be {said}: {HINT_UNASKED}."
        return Move(None, (_alert(order, f"hint: {said}", detail),), note=HINT_UNASKED)
    if order.ask_at is not None and order.ask_at <= now:
        return Move(None, note=HINT_ASKED)
    return Move(replace(order, ask_at=now), note=HINT_ASKED, keeps_items=True)


def _told(order: Order | None, event: Event, policy: Policy, known_at: tuple[str, ...], now: int) -> Move:
    cell = TABLE[order.status if order else None][event.type]
    before = order or _first_heard(event, event.reference or "", policy, now)
    hold = _hold(order, event, known_at)
    if cell.to is OrderStatus.FULFILLED and policy.codes is CodesRule.REQUIRED and _lacks_codes(before, event):
        move = _without_codes(order, replace(before, held=hold), event, policy, now)
        restraints = tuple(_RESTRAINTS[duty] for duty in cell.duties if duty is Duty.HOLD_REFUND)
        move = replace(move, restraints=restraints)
    else:
        after = _moved(before, event, cell, hold, now)
        asked = tuple(_actions(cell, order, after, event))
        restraints = tuple(_RESTRAINTS[duty] for duty in cell.duties if duty in _RESTRAINTS)
        move = Move(
            None if after is order else after,
            asked,
            restraints,
            keeps_items=order is not None and after.items is order.items,
        )
    return _newly_held(move, order, before, hold) if hold and hold != before.held else move


def _newly_held(move: Move, order: Order | None, before: Order, hold: str) -> Move:
    alert = _alert(before, f"held: {hold}", f"Order {before.reference} is held: {hold}.")
    kinds = _HELD_WITH_THE_ORDER if order else ()  # what is not known yet has asked for nothing that could be held
    restraints = move.restraints + tuple(Restraint(kind, ActionState.HELD, hold) for kind in kinds)
    return replace(move, actions=(alert, *move.actions), restraints=restraints)


_HELD_WITH_THE_ORDER: Final = (ActionKind.DELIVER, ActionKind.REFUND)
_RESTRAINTS: Final = {
    Duty.CANCEL_DELIVER: Restraint(ActionKind.DELIVER, ActionState.CANCELLED, "the order was refunded"),
    Duty.HOLD_REFUND: Restraint(ActionKind.REFUND, ActionState.HELD, "the order was fulfilled after it had failed"),
}


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
        reason = f"{OTHER_ORDER_ID}: {event.order_id}"
        if reason != order.released:
            return reason
    return None if order.held == CODES_MISSING else order.held


def _lacks_codes(before: Order, event: Event) -> bool:
    """A PIN alone will do: some goods have nothing else."""
    return len(event.items) < max(1, len(before.items)) or any(not (item.code or item.pin) for item in event.items)


def _without_codes(order: Order | None, before: Order, event: Event, policy: Policy, now: int) -> Move:
    """Move nothing: ask for the codes at once, or hold the order where nobody can be asked."""
    if not policy.can_ask:
        waiting = replace(before, held=before.held or CODES_MISSING)
        why = "there is no API to ask"
    elif event.via is Via.POLL:  # just asked: it is asked again at the usual intervals
        waiting = before
        why = "asking did not bring them either"
    else:
        waiting = replace(before, ask_at=now)
        why = None
    after = waiting if waiting == order else replace(waiting, updated_at=now)
    alerts = list[NewAction]()
    if why:
        word = "held" if after.held == CODES_MISSING else "waiting"
        alerts.append(_alert(after, "codes missing", f"Order {after.reference} is {word}: {CODES_MISSING}, and {why}."))
    if before.status is OrderStatus.FAILED:
        alerts.append(_table_alert(order, after, event))
    return Move(None if after == order else after, tuple(alerts), note=CODES_MISSING)


def _moved(before: Order, event: Event, cell: Cell, hold: str | None, now: int) -> Order:
    takes_items = event.items and (cell.to is OrderStatus.FULFILLED or not _codes(before.items))
    changes: dict[str, Any] = {
        "order_id": before.order_id or event.order_id,
        "items": event.items if takes_items and event.items != before.items else before.items,
        "held": _held_after(before, cell, hold),
    }
    if cell.to is not None:
        changes |= {"status": cell.to, "learned_by": event.via, "ask_at": None}
    if cell.to is OrderStatus.FULFILLED:
        changes["fulfilled_at"] = now
    if all(getattr(before, name) == value for name, value in changes.items()):
        return before
    return replace(before, **changes, updated_at=now)


def _held_after(before: Order, cell: Cell, hold: str | None) -> str | None:
    if cell.to is OrderStatus.REFUNDED and hold == before.held:
        return None  # nothing is left to decide
    return before.held if cell.to is None and not hold else hold


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
                yield _alert(after, OTHER_CODES, detail)
            case _:  # a restraint, or a duty whose condition does not hold
                pass


# What a person must know beside a table's alert: how far what the former status had asked for has come.
_ASKED_BEFORE: Final = {OrderStatus.FULFILLED: ActionKind.DELIVER, OrderStatus.FAILED: ActionKind.REFUND}


def _table_alert(order: Order | None, after: Order, event: Event) -> NewAction:
    said = event.type.removeprefix("order.")
    if order is None or order.status is OrderStatus.PENDING:
        return _alert(after, said, f"Order {after.reference} at {after.supplier} is {said}.")
    cause = f"{said} after {order.status}"
    alert = _alert(after, cause, f"Order {after.reference} at {after.supplier} is said to be {cause}.")
    return replace(alert, about=_ASKED_BEFORE.get(order.status))


def _alert(order: Order, cause: str, detail: str) -> NewAction:
    return NewAction(*order.key, ActionKind.ALERT, cause, detail=detail)
