"""What an event from a file may do: it tells how orders stand, and asks nothing of anybody before a person has looked.

Whether the shop has the code already, or the customer the money, was known where the event came from, and is not known
here: asked for again it would go out once more, under another `webhook-id`.
"""

from dataclasses import replace
from typing import Final

from webhookctl.core.orders.advancing import CODES_MISSING, OTHER_CODES
from webhookctl.core.orders.records import ActionKind, ActionState, Move, Order, OrderStatus

IMPORTED: Final = "it comes from a file: what it asks for may have been done before"
_GO_OUT: Final = frozenset({ActionKind.DELIVER, ActionKind.REFUND})


def held_back(move: Move, order: Order | None) -> Move:
    """Hold what an imported event asks for of `order` as it was (None: not known), and the order that it made known.

    Such an order stays held though it be pending: the supplier's next answer would have it delivered. Old news goes to
    nobody, and an old balance tops nothing up.
    """
    goes_out = tuple(
        replace(one, state=ActionState.HELD, detail=IMPORTED) for one in move.actions if one.kind in _GO_OUT
    )
    is_known = order is not None and order.held != IMPORTED
    told = tuple(
        one
        for one in move.actions
        if one.cause == OTHER_CODES or (is_known and one.kind is ActionKind.ALERT and one.subject)
    )
    after = move.order
    if after is not None and (order is None or goes_out) and after.status is not OrderStatus.REFUNDED:
        after = replace(after, held=IMPORTED if after.held in (None, CODES_MISSING) else after.held)
    return replace(move, order=after, actions=(*told, *goes_out))
