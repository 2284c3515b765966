"""What still becomes of an order whose details were pruned: it stays as it ended, and a person is told of news."""

from typing import Final

from webhookctl.core.errors import UsageError
from webhookctl.core.events import Event
from webhookctl.core.moments import to_the_second
from webhookctl.core.orders.records import ActionKind, Move, NewAction, Order
from webhookctl.core.orders.table import TABLE, Duty

REFERENCE_USED: Final = "an older order of this reference was pruned: give the new one another"


def of_the_past(order: Order, event: Event) -> Move:
    """Say what an event does to a pruned order: nothing, as nobody knows any more what was done and what with.

    The table tells news from an old delivery that somebody kept and sends again, which would not have moved the order.
    """
    note = f"the order was pruned: it had ended as {order.status}, and stays so"
    cell = TABLE[order.status][event.type]
    if event.hint or (cell.to is None and Duty.ALERT not in cell.duties):
        return Move(None, note=note)
    said = event.type.removeprefix("order.")
    detail = (
        f"Order {order.reference} at {order.supplier} had ended as {order.status} and was pruned; now it is said to be "
        f"{said}: nothing was done about it."
    )
    return Move(None, (NewAction(*order.key, ActionKind.ALERT, f"{said} after pruning", detail=detail),), note=note)


def used_again(order: Order) -> Move:
    """Tell a person that a new order has the reference of one that was pruned: it would never be delivered."""
    detail = f"Order {order.reference} at {order.supplier} was registered anew, but {REFERENCE_USED}."
    return Move(None, (NewAction(*order.key, ActionKind.ALERT, "registered after pruning", detail=detail),))


def refuse_pruned(order: Order, what: str) -> None:
    """Raise `UsageError` where there is nothing left to do `what` with."""
    if order.pruned_at is not None:
        raise UsageError(
            f"Order {order.reference} at {order.supplier} was pruned at {to_the_second(order.pruned_at)}: only how it "
            f"ended is left, and nothing that could be {what}."
        )
