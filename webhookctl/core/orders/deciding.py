"""What a person may decide about an order, and what follows."""

from collections.abc import Mapping
from dataclasses import replace

from webhookctl.core.errors import UsageError
from webhookctl.core.orders.past import refuse_pruned
from webhookctl.core.orders.records import (
    OPEN,
    ActionKind,
    ActionState,
    Intervention,
    Move,
    NewAction,
    Order,
    OrderStatus,
    Restraint,
)

BY_HAND = "held by hand"
_EFFECT = frozenset({ActionState.DONE, ActionState.RUNNING, ActionState.AMBIGUOUS})
"""States of an action that has, or may have, taken effect."""


def hold(order: Order, intervention: Intervention) -> Move:
    """Hold an order: what it has not begun yet waits for a person, and so does what it will ask for."""
    refuse_pruned(order, "held")
    if order.status is OrderStatus.REFUNDED:
        raise UsageError(f"Order {order.reference} is refunded: nothing goes on that could be held.")
    reason = f"{BY_HAND}: {intervention.reason}"
    after = replace(order, held=reason, updated_at=intervention.at)
    restraints = tuple(Restraint(kind, ActionState.HELD, reason) for kind in (ActionKind.DELIVER, ActionKind.REFUND))
    return Move(after, restraints=restraints, intervention=intervention, keeps_items=True)


def release(
    order: Order,
    actions: Mapping[ActionKind, ActionState],
    intervention: Intervention,
    *,
    refund: bool,
    although_refunded: bool,
) -> Move:
    """Let a held order go on: delivered where it is fulfilled, else refunded; `refund` chooses the money instead.

    Of the two only one goes on and the other is cancelled: a customer gets the code or the money. `actions` are the
    states of the order's `deliver` and `refund`. Raises `UsageError` where there is nothing to let go, where both
    would take place, and where a refunded order would be delivered.
    """
    refuse_pruned(order, "released")
    held = {kind for kind, state in actions.items() if state is ActionState.HELD}
    if order.held is None and not held:
        raise UsageError(f"Order {order.reference} is not held: there is nothing to let go.")
    if order.status is OrderStatus.REFUNDED and ActionKind.DELIVER in held:
        raise UsageError(f"Order {order.reference} is refunded: it is never delivered.")
    if refund:
        _check_refund(order, actions)
    chosen, other = _choice(order, actions, refund=refund)
    state = actions.get(other)
    if (refund or chosen in held) and state in _EFFECT and not although_refunded:
        raise UsageError(
            f"The {other} of order {order.reference} is {state}: the customer would have both the code and the money. "
            "Say --yes if that is wanted."
        )
    after = replace(order, held=None, released=order.held or order.released, updated_at=intervention.at)
    against = Restraint(other, ActionState.CANCELLED, f"{chosen} was chosen by {intervention.who}")
    asked = (NewAction(*order.key, ActionKind.REFUND, "order"),) if refund and chosen not in actions else ()
    return Move(
        after,
        asked,
        (against,) if other in held else (),
        releases=(chosen,),
        intervention=intervention,
        keeps_items=True,
    )


def _check_refund(order: Order, actions: Mapping[ActionKind, ActionState]) -> None:
    if order.status in OPEN:
        # The code could come afterwards, and nobody would remember that the money went back.
        raise UsageError(
            f"Order {order.reference} is {order.status}: it can be refunded once it is fulfilled or failed."
        )
    if actions.get(ActionKind.REFUND) is ActionState.CANCELLED:
        raise UsageError(f"The refund of order {order.reference} was cancelled: it can't be chosen any more.")
    if order.paid is not None and not order.paid.is_something:
        raise UsageError(f"Nothing was paid for order {order.reference}: there is nothing to refund.")


def _choice(order: Order, actions: Mapping[ActionKind, ActionState], *, refund: bool) -> tuple[ActionKind, ActionKind]:
    may_deliver = order.status is OrderStatus.FULFILLED and actions.get(ActionKind.DELIVER) is not ActionState.CANCELLED
    delivers = may_deliver and not refund
    kinds = (ActionKind.DELIVER, ActionKind.REFUND)
    return kinds if delivers else (kinds[1], kinds[0])
