"""The table: where an event moves an order, and what must be done on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhookctl.core.events import EventType
from webhookctl.core.orders.records import OrderStatus


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

STATUS_OF: Final[Mapping[EventType, OrderStatus]] = {
    EventType.CREATED: _PENDING,
    EventType.PARTIAL: _PARTIAL,
    EventType.FAILED: _FAILED,
    EventType.FULFILLED: _FULFILLED,
    EventType.REFUNDED: _REFUNDED,
}
"""What an event says that its order is; events of other types say nothing of one."""

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
