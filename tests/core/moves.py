"""What the tests of orders say: an event, an order in a state, and the move that follows."""

from dataclasses import replace

from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.orders import ActionState, Move, Order, OrderStatus, Policy, advance
from webhookctl.core.redaction import Code

CODES = (Item("steam", Code("AAAA-BBBB-CCCC")),)
OTHER_CODES = (Item("steam", Code("DDDD-EEEE-FFFF")),)
ORDER_EVENTS = [type_ for type_ in EventType if type_ is not EventType.BALANCE_LOW]
LADDER = list(OrderStatus)


def said(type_: EventType, **changes: object) -> Event:
    items = CODES if type_ is EventType.FULFILLED else ()
    return replace(Event("acme", type_, "ORD-1", "SUP-1", items=items), **changes)  # type: ignore[arg-type] # by name


def order_in(status: OrderStatus, **changes: object) -> Order:
    items = CODES if status is OrderStatus.FULFILLED else ()
    order = Order("acme", "ORD-1", status, 1, 1, version=3, order_id="SUP-1", items=items)
    return replace(order, **changes)  # type: ignore[arg-type] # by name


def move(order: Order | None, event: Event, policy: Policy = Policy(), known_at: tuple[str, ...] = ()) -> Move:  # noqa: B008 - frozen
    return advance(order, event, policy, known_at=known_at, now=1000)


def words(moved: Move) -> str:
    wanted = sorted(action.kind + ("(held)" if action.state is ActionState.HELD else "") for action in moved.actions)
    kept = sorted(
        f"-{restraint.kind}" + ("(held)" if restraint.state is ActionState.HELD else "")
        for restraint in moved.restraints
    )
    return " ".join(wanted + kept)


ASKING = Policy(can_ask=True)
