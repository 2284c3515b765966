"""How far has it come, and how long is there, in words for the person who must decide?"""

from collections.abc import Mapping
from typing import Final

from webhookctl.core.moments import to_the_second
from webhookctl.core.orders.records import ActionKind, ActionState, Order

# What is said of each kind in each state; `{at}` is when it came into it. Where there is no such action: None.
_OF_DELIVER: Final[Mapping[ActionState | None, str]] = {
    None: "The code was not out: nothing was to be delivered.",
    ActionState.WAITING: "The code was not out.",
    ActionState.HELD: "The code was not out.",
    ActionState.CANCELLED: "The code was not out, and its delivery is cancelled.",
    ActionState.DEAD: "The code was not out, as far as the failed attempts say.",
    ActionState.RUNNING: "The code may be out: its delivery is under way.",
    ActionState.AMBIGUOUS: "The code may be out: whether its delivery took effect is not known.",
    ActionState.DONE: "The code was out: delivered at {at}.",
}
_OF_REFUND: Final[Mapping[ActionState | None, str]] = {
    None: "No refund was asked for.",
    ActionState.WAITING: "The refund was not made yet.",
    ActionState.HELD: "The refund was not made, and is held.",
    ActionState.CANCELLED: "The refund was cancelled.",
    ActionState.DEAD: "The refund was given up.",
    ActionState.RUNNING: "The refund is under way.",
    ActionState.AMBIGUOUS: "The refund may have been made: whether it took effect is not known.",
    ActionState.DONE: "The refund was made at {at}.",
}


def how_far(kind: ActionKind, state: ActionState | None, at: int | None) -> str:
    """Say how far the order's `deliver` or `refund` has come; empty for other kinds, of which there are several."""
    words = {ActionKind.DELIVER: _OF_DELIVER, ActionKind.REFUND: _OF_REFUND}.get(kind, {})
    return words.get(state, "").format(at="a time unknown" if at is None else to_the_second(at))


def return_until(order: Order, return_window_ms: int | None) -> int | None:
    """Return until when the supplier takes an order back; None where that is not known, or it is not fulfilled."""
    if order.fulfilled_at is None or return_window_ms is None:
        return None
    return order.fulfilled_at + return_window_ms
