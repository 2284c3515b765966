"""What a person decides about orders and actions: written with who, when and why."""

from collections.abc import Callable
from typing import Final

from webhookctl.core.errors import NotFoundError, StoreBusyError, UsageError
from webhookctl.core.orders import (
    Action,
    ActionKind,
    ActionState,
    Intervention,
    Move,
    done_before,
    hold,
    redeliver,
    release,
)
from webhookctl.core.ports.orders import Orders, Story
from webhookctl.core.ports.outbox import Outbox

_TRIES: Final = 10
_DECIDED: Final = frozenset({ActionKind.DELIVER, ActionKind.REFUND})


def hold_order(orders: Orders, key: tuple[str, str], by: Intervention) -> list[Action]:
    """Hold an order; returns those of its actions that can't be held any more, as they have begun or taken effect."""
    story = _decide(orders, key, by, lambda found: hold(found.order, by))
    gone = {ActionState.DONE, ActionState.RUNNING, ActionState.AMBIGUOUS}
    return [action for action in story.actions if action.kind in _DECIDED and action.state in gone]


def release_order(
    orders: Orders, key: tuple[str, str], by: Intervention, *, refund: bool, although_refunded: bool
) -> list[Action]:
    """Let a held order go on; returns its actions as they are then."""

    def move(found: Story) -> Move:
        decided = [action for action in found.actions if action.kind in _DECIDED]
        states = {one.kind: [action.state for action in decided if action.kind is one.kind] for one in decided}
        return release(found.order, states, by, refund=refund, although_refunded=although_refunded)

    _decide(orders, key, by, move)
    return _decided(orders, key)


def settle_imported(orders: Orders, key: tuple[str, str], by: Intervention) -> list[Action]:
    """Say of an imported order that what it asks for was done before; returns its actions as they are then."""
    _decide(orders, key, by, lambda found: done_before(found.order, by))
    return _decided(orders, key)


def _decided(orders: Orders, key: tuple[str, str]) -> list[Action]:
    after = orders.story(*key)
    return [action for action in after.actions if action.kind in _DECIDED] if after else []


def redelivery(story: Story, by: Intervention, *, needs_codes: bool) -> int:
    """Return which generation it would be if the order were delivered once more; raises `UsageError` as that would."""
    return redeliver(story.order, story.actions, by, needs_codes=needs_codes).actions[0].generation


def redeliver_order(orders: Orders, key: tuple[str, str], by: Intervention, *, needs_codes: bool) -> Action:
    """Deliver an order once more, under a new id; returns that delivery."""
    _decide(orders, key, by, lambda found: redeliver(found.order, found.actions, by, needs_codes=needs_codes))
    after = orders.story(*key)
    delivers = [action for action in after.actions if action.kind is ActionKind.DELIVER] if after else []
    return max(delivers, key=lambda action: action.generation)


def resolve(outbox: Outbox, action: Action, state: ActionState, by: Intervention) -> ActionState:
    """Say how an ambiguous action ended (`done`), or have it tried again (`waiting`); returns what it is then."""
    _check(by)
    if action.state is not ActionState.AMBIGUOUS:
        raise UsageError(f"Action {action.id} is {action.state}: only what is ambiguous can be resolved.")
    after = outbox.resolve(action.id, state, by=by, now=by.at)
    if after is None or after is ActionState.RUNNING:
        raise UsageError(f"Action {action.id} was resolved by somebody else meanwhile.")
    return after


def _decide(orders: Orders, key: tuple[str, str], by: Intervention, move: Callable[[Story], Move]) -> Story:
    """Write what `move` makes of the order, read again as often as it has moved on; returns what was read."""
    _check(by)
    for _ in range(_TRIES):
        story = orders.story(*key)
        if story is None:
            raise NotFoundError(f"Supplier {key[0]!r} has no order {key[1]!r}; `webhookctl orders list` shows them.")
        if orders.write([move(story)], now=by.at) == [True]:
            return story
    raise StoreBusyError(f"Order {key[1]} keeps moving: try again.")


def _check(by: Intervention) -> None:
    if not by.reason.strip():
        raise UsageError("--reason is empty: say why; it is kept with the order.")
