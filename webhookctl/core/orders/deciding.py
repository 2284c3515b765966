"""What a person may decide about an order, and what follows."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from webhookctl.core.errors import UsageError
from webhookctl.core.orders.imported import IMPORTED
from webhookctl.core.orders.past import refuse_pruned
from webhookctl.core.orders.records import (
    OPEN,
    Action,
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
    actions: Mapping[ActionKind, Collection[ActionState]],
    intervention: Intervention,
    *,
    refund: bool,
    although_refunded: bool,
) -> Move:
    """Let a held order go on: delivered where it is fulfilled, else refunded; `refund` chooses the money instead.

    Of the two only one goes on and the other is cancelled: a customer gets the code or the money. `actions` are the
    states of the order's `deliver` and `refund`, one for each generation. Raises `UsageError` where there is nothing to
    let go, where both would take place, and where a refunded order would be delivered.
    """
    refuse_pruned(order, "released")
    held = {kind for kind, states in actions.items() if ActionState.HELD in states}
    if order.held is None and not held:
        raise UsageError(f"Order {order.reference} is not held: there is nothing to let go.")
    if order.status is OrderStatus.REFUNDED and ActionKind.DELIVER in held:
        raise UsageError(f"Order {order.reference} is refunded: it is never delivered.")
    if refund:
        _check_refund(order, actions)
    chosen, other = _choice(order, actions, refund=refund)
    effect = next((state for state in actions.get(other, ()) if state in _EFFECT), None)
    if (refund or chosen in held) and effect and not although_refunded:
        raise UsageError(
            f"The {other} of order {order.reference} is {effect}: the customer would have both the code and the money. "
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


def _check_refund(order: Order, actions: Mapping[ActionKind, Collection[ActionState]]) -> None:
    if order.status in OPEN:
        # The code could come afterwards, and nobody would remember that the money went back.
        raise UsageError(
            f"Order {order.reference} is {order.status}: it can be refunded once it is fulfilled or failed."
        )
    if ActionState.CANCELLED in actions.get(ActionKind.REFUND, ()):
        raise UsageError(f"The refund of order {order.reference} was cancelled: it can't be chosen any more.")
    if order.paid is not None and not order.paid.is_something:
        raise UsageError(f"Nothing was paid for order {order.reference}: there is nothing to refund.")


def _choice(
    order: Order, actions: Mapping[ActionKind, Collection[ActionState]], *, refund: bool
) -> tuple[ActionKind, ActionKind]:
    is_cancelled = ActionState.CANCELLED in actions.get(ActionKind.DELIVER, ())
    delivers = order.status is OrderStatus.FULFILLED and not is_cancelled and not refund
    kinds = (ActionKind.DELIVER, ActionKind.REFUND)
    return kinds if delivers else (kinds[1], kinds[0])


def done_before(order: Order, intervention: Intervention) -> Move:
    """Take it on a person's word that the shop has had what an imported order asks for: nothing of it goes out.

    Raises `UsageError` for an order of which this is not the question, or not yet: its `deliver` would come later.
    """
    if order.held != IMPORTED or order.status in OPEN:
        raise UsageError(
            f"Order {order.reference} is {order.status}, held: {order.held or 'no'}. Only of one that came from a file "
            "and has ended can it be said that it was done before."
        )
    after = replace(order, held=None, released=order.held, updated_at=intervention.at)
    kinds = (ActionKind.DELIVER, ActionKind.REFUND)
    done = tuple(Restraint(kind, ActionState.DONE, f"done before, says {intervention.who}") for kind in kinds)
    return Move(after, restraints=done, intervention=intervention, keeps_items=True)


_FIRST: Final[Mapping[ActionState, str]] = {
    ActionState.WAITING: "it goes out by itself",
    ActionState.RUNNING: "wait for its end",
    ActionState.HELD: "`webhookctl orders release` lets it go",
    ActionState.DEAD: "`webhookctl actions retry {id}` tries it again, under the id that it has",
    ActionState.AMBIGUOUS: "`webhookctl actions resolve {id}` says how it ended",
    ActionState.CANCELLED: "it is never delivered",
}
"""What stands in the way of delivering once more, while the delivery before is in that state."""
_NO_REFUND: Final = frozenset({ActionState.CANCELLED, ActionState.DEAD})


def redeliver(order: Order, actions: Collection[Action], intervention: Intervention, *, needs_codes: bool) -> Move:
    """Deliver once more what was delivered: a new generation, under an id that the shop has not seen.

    `actions` are those of the order. Raises `UsageError` where the code must not go out, or is not known to have.
    """
    refuse_pruned(order, "delivered once more")
    name = f"Order {order.reference}"
    delivers = [action for action in actions if action.kind is ActionKind.DELIVER]
    if order.status is OrderStatus.REFUNDED:
        raise UsageError(f"{name} is refunded: it is never delivered.")
    if order.held is not None:
        raise UsageError(f"{name} is held ({order.held}): `webhookctl orders release` comes first.")
    if not delivers or order.status is not OrderStatus.FULFILLED:
        raise UsageError(f"{name} is {order.status} and was never delivered: there is nothing to deliver once more.")
    newest = max(delivers, key=lambda action: action.generation)
    if newest.state is not ActionState.DONE:
        raise UsageError(
            f"The deliver of order {order.reference} is {newest.state}: {_FIRST[newest.state].format(id=newest.id)}."
        )
    if refund := [one for one in actions if one.kind is ActionKind.REFUND and one.state not in _NO_REFUND]:
        raise UsageError(
            f"The refund of order {order.reference} is {refund[0].state}: the customer has the money, or may get it."
        )
    if needs_codes and not any(item.code or item.pin for item in order.items):
        raise UsageError(f"{name} has no codes: there is nothing to deliver.")
    generation = newest.generation + 1
    detail = f"Delivered once more because a person wants it: generation {generation}."
    again = NewAction(*order.key, ActionKind.DELIVER, newest.cause, detail=detail, generation=generation)
    by = replace(intervention, what=f"delivered once more, as generation {generation},")
    return Move(replace(order, updated_at=by.at), (again,), intervention=by, keeps_items=True)
