"""Where does an event move the order, and what must be done about it?

The statuses are a ladder: an event never moves an order down, so an order ends on the highest rung that any of its
events names, whatever the order of arrival. The table only says what must be done on the way.
"""

from webhookctl.core.orders.advancing import (
    CODES_MISSING,
    HINT_ASKED,
    HINT_UNASKED,
    HINT_UNKNOWN,
    KNOWN_ELSEWHERE,
    OTHER_CODES,
    OTHER_ORDER_ID,
    CodesRule,
    ConfirmRule,
    Policy,
    advance,
)
from webhookctl.core.orders.deciding import done_before, hold, redeliver, release
from webhookctl.core.orders.imported import IMPORTED, held_back
from webhookctl.core.orders.past import REFERENCE_USED, refuse_pruned
from webhookctl.core.orders.progress import how_far, return_until
from webhookctl.core.orders.records import (
    OPEN,
    Action,
    ActionKind,
    ActionState,
    Attempt,
    Intervention,
    Move,
    NewAction,
    Order,
    OrderStatus,
    Paid,
    Restraint,
)
from webhookctl.core.orders.registering import Registered, Registration, paid, register
from webhookctl.core.orders.repeating import advance_again
from webhookctl.core.orders.table import STATUS_OF, TABLE, Cell, Duty

__all__ = [
    "CODES_MISSING",
    "HINT_ASKED",
    "HINT_UNASKED",
    "HINT_UNKNOWN",
    "IMPORTED",
    "KNOWN_ELSEWHERE",
    "OPEN",
    "OTHER_CODES",
    "OTHER_ORDER_ID",
    "REFERENCE_USED",
    "STATUS_OF",
    "TABLE",
    "Action",
    "ActionKind",
    "ActionState",
    "Attempt",
    "Cell",
    "CodesRule",
    "ConfirmRule",
    "Duty",
    "Intervention",
    "Move",
    "NewAction",
    "Order",
    "OrderStatus",
    "Paid",
    "Policy",
    "Registered",
    "Registration",
    "Restraint",
    "advance",
    "advance_again",
    "done_before",
    "held_back",
    "hold",
    "how_far",
    "paid",
    "redeliver",
    "refuse_pruned",
    "register",
    "release",
    "return_until",
]
