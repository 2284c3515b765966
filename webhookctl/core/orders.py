"""Where does an event move the order, and what must be done about it?

The statuses are a ladder: an event never moves an order down, so an order ends on the highest rung that any of its
events names, whatever the order of arrival. The table only says what must be done on the way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.redaction import Code


class OrderStatus(StrEnum):
    """The ladder, lowest rung first."""

    PENDING = "pending"
    PARTIAL = "partial"
    FAILED = "failed"
    FULFILLED = "fulfilled"
    REFUNDED = "refunded"


class ActionKind(StrEnum):
    """What an order can cause."""

    DELIVER = "deliver"
    REFUND = "refund"
    NOTIFY = "notify"
    TOP_UP = "top_up"
    ALERT = "alert"


class ActionState(StrEnum):
    """How far an action has come."""

    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    AMBIGUOUS = "ambiguous"
    CANCELLED = "cancelled"


class Duty(StrEnum):
    """What a cell of the table asks for; each word is a row of `_DUTIES`."""

    DELIVER = "deliver"
    DELIVER_HELD = "deliver held"
    REFUND = "refund"
    NOTIFY = "notify"
    ALERT = "alert"
    ALERT_OTHER_CODES = "alert if other codes than before"
    CANCEL_DELIVER = "cancel deliver"
    HOLD_REFUND = "hold refund"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table; `to` is None where the order stays as it is."""

    to: OrderStatus | None
    duties: tuple[Duty, ...] = ()


_PENDING, _PARTIAL, _FAILED = OrderStatus.PENDING, OrderStatus.PARTIAL, OrderStatus.FAILED
_FULFILLED, _REFUNDED = OrderStatus.FULFILLED, OrderStatus.REFUNDED
_NOTHING: Final = Cell(None)

# now (None: not known yet) -> event -> what happens.
# The rule: `to` is never a lower rung; a `deliver` stands only on the way to `fulfilled`, which is entered once.
TABLE: Final[Mapping[OrderStatus | None, Mapping[EventType, Cell]]] = {
    None: {
        EventType.CREATED: Cell(_PENDING),
        EventType.FULFILLED: Cell(_FULFILLED, (Duty.DELIVER,)),
        EventType.PARTIAL: Cell(_PARTIAL, (Duty.ALERT,)),
        EventType.FAILED: Cell(_FAILED, (Duty.ALERT, Duty.REFUND)),
        EventType.REFUNDED: Cell(_REFUNDED, (Duty.NOTIFY, Duty.ALERT)),
    },
    _PENDING: {
        EventType.CREATED: _NOTHING,
        EventType.FULFILLED: Cell(_FULFILLED, (Duty.DELIVER,)),
        EventType.PARTIAL: Cell(_PARTIAL, (Duty.ALERT,)),
        EventType.FAILED: Cell(_FAILED, (Duty.ALERT, Duty.REFUND)),
        EventType.REFUNDED: Cell(_REFUNDED, (Duty.NOTIFY,)),
    },
    _PARTIAL: {
        EventType.CREATED: _NOTHING,
        EventType.FULFILLED: Cell(_FULFILLED, (Duty.DELIVER,)),
        EventType.PARTIAL: _NOTHING,
        EventType.FAILED: Cell(_FAILED, (Duty.ALERT, Duty.REFUND)),
        EventType.REFUNDED: Cell(_REFUNDED, (Duty.NOTIFY, Duty.ALERT)),
    },
    _FULFILLED: {
        EventType.CREATED: _NOTHING,
        EventType.FULFILLED: Cell(None, (Duty.ALERT_OTHER_CODES,)),
        EventType.PARTIAL: _NOTHING,
        EventType.FAILED: Cell(None, (Duty.ALERT,)),
        EventType.REFUNDED: Cell(_REFUNDED, (Duty.CANCEL_DELIVER, Duty.NOTIFY, Duty.ALERT)),
    },
    _FAILED: {
        EventType.CREATED: _NOTHING,
        EventType.FULFILLED: Cell(_FULFILLED, (Duty.DELIVER_HELD, Duty.HOLD_REFUND, Duty.ALERT)),
        EventType.PARTIAL: Cell(None, (Duty.ALERT,)),
        EventType.FAILED: _NOTHING,
        EventType.REFUNDED: Cell(_REFUNDED, (Duty.NOTIFY,)),
    },
    _REFUNDED: {
        EventType.CREATED: _NOTHING,
        EventType.FULFILLED: Cell(None, (Duty.ALERT,)),
        EventType.PARTIAL: _NOTHING,
        EventType.FAILED: _NOTHING,
        EventType.REFUNDED: _NOTHING,
    },
}


class CodesRule(StrEnum):
    """Must a fulfilled order have its codes?"""

    REQUIRED = "required"
    NONE = "none"
    """Top-ups: there is nothing to hand over."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What the customer paid; an amount of zero means: not paid."""

    amount: str
    """A decimal number as text: money is never a float."""
    currency: str

    @property
    def is_something(self) -> bool:
        return Decimal(self.amount) != 0


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the shop at one supplier."""

    supplier: str
    reference: str
    status: OrderStatus
    created_at: int
    """When we first heard of it, by our clock; ages and the SLA count from here."""
    updated_at: int
    version: int = 0
    """0 is an order that is not in the store yet; each save adds one."""
    order_id: str | None = None
    due_at: int | None = None
    fulfilled_at: int | None = None
    ask_at: int | None = None
    """When the supplier is to be asked about it; None: at the usual intervals."""
    learned_by: Via = Via.WEBHOOK
    """What told us its present status."""
    held: str | None = None
    """Why a person must look before the order can go on."""
    paid: Paid | None = None
    """None: not known."""
    items: tuple[Item, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.supplier, self.reference


@dataclass(frozen=True, slots=True)
class NewAction:
    """Something to be done; `supplier`, `subject`, `kind` and `cause` together exist once."""

    supplier: str
    subject: str
    """The order's reference; empty where it is the supplier itself (`balance.low`)."""
    kind: ActionKind
    cause: str
    state: ActionState = ActionState.WAITING
    detail: str = ""
    """A sentence for people, without any code."""
    cooldown_ms: int = 0
    """Not added when one of the same subject and kind is younger than this."""


@dataclass(frozen=True, slots=True)
class Restraint:
    """Keeps what has not taken effect (waiting, held or dead) from going on: held for a person, or cancelled."""

    kind: ActionKind
    state: ActionState
    detail: str


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the store holds it."""

    id: str
    """A UUIDv7; the `webhook-id` of every attempt."""
    supplier: str
    subject: str
    kind: ActionKind
    cause: str
    generation: int
    state: ActionState
    detail: str
    created_at: int
    attempts: int
    next_at: int | None
    """When it is due, while it waits."""
    started_at: int | None
    error: str | None
    """How the last attempt ended, unless it succeeded."""
    finished_at: int | None = None
    tried_since: int | None = None
    """When the first attempt was made: it is given up so long after that, however long it had waited for a handler."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an action, as it ended."""

    action_id: str
    number: int
    ended_at: int
    state: ActionState
    detail: str


@dataclass(frozen=True, slots=True)
class Move:
    """What one event does to one order, to be written in one transaction."""

    order: Order | None
    """The order as it is to be, at the version that was read; None where no order is concerned or it stays as it is."""
    actions: tuple[NewAction, ...] = ()
    restraints: tuple[Restraint, ...] = ()
    note: str | None = None
    """Why nothing moved, where a person would wonder."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a supplier's settings say about its orders."""

    codes: CodesRule = CodesRule.REQUIRED
    sla_ms: int | None = None
    can_ask: bool = False
    """There is an API to ask for an order."""
    balance_cooldown_ms: int = 3_600_000


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
