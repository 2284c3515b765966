"""What is left to do about an event that has had its say before?"""

from dataclasses import replace
from typing import Final

from webhookctl.core.events import Event
from webhookctl.core.orders.advancing import OTHER_CODES, Policy, advance
from webhookctl.core.orders.records import OPEN, Move, Order, OrderStatus
from webhookctl.core.orders.table import STATUS_OF

_RUNGS: Final = tuple(OrderStatus)


def advance_again(order: Order | None, event: Event, policy: Policy, *, known_at: tuple[str, ...], now: int) -> Move:
    """Say where `event`, which was handled before, moves `order`: up the ladder, or nowhere.

    As `advance`, without what would be old news: a conflict that was told of when the event came, a hold that a person
    has let go, a balance of then. Codes that are read otherwise than before are told of.
    """
    said = STATUS_OF.get(event.type)
    if said is None or event.reference is None:
        return Move(None)
    event = replace(event, balance=None)
    if order is None or (event.hint and order.status in OPEN):
        return advance(order, event, policy, known_at=known_at, now=now)
    if event.hint:
        return Move(None)
    move = advance(order, event, policy, known_at=known_at, now=now)
    if _RUNGS.index(order.status) < _RUNGS.index(said):
        return move if move.order is not None else replace(move, restraints=())
    filled = move.order if move.order is not None and move.order.held == order.held else None
    told = tuple(action for action in move.actions if action.cause == OTHER_CODES)
    return replace(move, order=filled, actions=told, restraints=())
