"""An event that had its say is no news; what it can still add, it adds."""

from dataclasses import replace

import pytest

from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.orders import (
    OTHER_ORDER_ID,
    ActionKind,
    ActionState,
    CodesRule,
    Move,
    Order,
    OrderStatus,
    Policy,
    advance,
    advance_again,
)
from webhookctl.core.redaction import Code

CODES = (Item("steam-20", Code("AAAA-BBBB")),)
POLICY = Policy(codes=CodesRule.NONE)


def order(status: OrderStatus, *, held: str | None = None, order_id: str | None = "S-1") -> Order:
    items = CODES if status in {OrderStatus.FULFILLED, OrderStatus.REFUNDED} else ()
    return Order("acme", "ORD-1", status, 1, 1, version=3, order_id=order_id, held=held, items=items)


def event(type_: EventType, **more: object) -> Event:
    items = CODES if type_ is EventType.FULFILLED else ()
    return replace(Event("acme", type_, "ORD-1", "S-1", items=items), **more)  # type: ignore[arg-type]  # as its fields


def again(found: Order | None, said: Event, policy: Policy = POLICY) -> Move:
    return advance_again(found, said, policy, known_at=(), now=9)


@pytest.mark.parametrize("type_", list(EventType))
@pytest.mark.parametrize("status", list(OrderStatus))
def test_what_was_said_before_moves_an_order_up_or_not_at_all(status: OrderStatus, type_: EventType) -> None:
    """As for the first time where the order is lower than that; else nobody is told what was told before."""
    found, said = order(status), event(type_)
    rungs = list(OrderStatus)
    first = advance(found, said, POLICY, known_at=(), now=9)

    moved = again(found, said)

    to = type_.removeprefix("order.").replace("created", "pending")
    if to in rungs and rungs.index(OrderStatus(to)) > rungs.index(status):
        assert moved == first
    else:
        assert (moved.order, moved.actions, moved.restraints) == (None, (), ())


def test_an_order_that_is_lost_is_made_again() -> None:
    """Without the order the event is as new as on its first day."""
    moved = again(None, event(EventType.FULFILLED))

    assert moved.order is not None
    assert [one.kind for one in moved.actions] == [ActionKind.DELIVER]


def test_codes_that_are_read_otherwise_than_then_are_told_of() -> None:
    """A mended mapping finds another code than the one that went out: a person must know, the shop gets none."""
    moved = again(order(OrderStatus.FULFILLED), event(EventType.FULFILLED, items=(Item("x", Code("OTHER")),)))

    assert [(one.kind, one.cause) for one in moved.actions] == [(ActionKind.ALERT, "other codes")]


def test_an_order_id_that_was_not_read_then_is_filled_in() -> None:
    """A mended mapping finds it: the supplier can be asked from now on."""
    moved = again(order(OrderStatus.PENDING, order_id=None), event(EventType.CREATED))

    assert moved.order is not None
    assert (moved.order.order_id, moved.order.status) == ("S-1", OrderStatus.PENDING)


def test_a_hold_that_a_person_let_go_stays_so() -> None:
    """The event that had held the order is handled again: it would hold it, were it new."""
    other = event(EventType.FULFILLED, order_id="S-2")
    assert advance(order(OrderStatus.FULFILLED), other, POLICY, known_at=(), now=9).needs_a_person

    moved = again(order(OrderStatus.FULFILLED), other)

    assert (moved.order, moved.actions, moved.restraints) == (None, (), ())
    assert again(order(OrderStatus.FULFILLED, held=f"{OTHER_ORDER_ID}: S-2"), other).order is None


def test_a_balance_of_then_tops_nothing_up_now() -> None:
    """It was looked at when it came, and says nothing of today."""
    low = Policy(codes=CodesRule.NONE, low_balance=100)  # type: ignore[arg-type]  # an int compares as a Decimal does
    told = event(EventType.CREATED, balance="3")
    assert advance(order(OrderStatus.PENDING), told, low, known_at=(), now=9).actions

    assert again(order(OrderStatus.PENDING), told, low).actions == ()
    assert again(None, Event("acme", EventType.BALANCE_LOW, None, balance="3"), low).actions == ()


@pytest.mark.parametrize(("status", "asks"), [(OrderStatus.PENDING, True), (OrderStatus.FULFILLED, False)])
def test_a_hint_has_only_open_orders_asked_for(status: OrderStatus, *, asks: bool) -> None:
    """A hundred thousand hints handled again are no reason to ask about orders that have ended."""
    moved = again(order(status), event(EventType.CREATED, hint=True), replace(POLICY, can_ask=True))

    assert (moved.order is not None and moved.order.ask_at == 9) is asks


def test_codes_that_still_do_not_come_hold_no_refund_again() -> None:
    """The order failed, was said to be fulfilled without codes, and a person let the refund go."""
    without = event(EventType.FULFILLED, items=())

    moved = again(
        order(OrderStatus.FAILED, held="it is said to be fulfilled, but not every code came"), without, Policy()
    )

    assert all(one.state is not ActionState.HELD for one in moved.restraints)
    assert moved.order is None
