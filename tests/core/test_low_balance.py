"""A balance that is low asks for money, once in a while, and a hint never does."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.core.moves import move, order_in, said, words
from webhookctl.core.events import Event, EventType
from webhookctl.core.orders import ActionKind, OrderStatus, Policy, advance

LOW = Policy(low_balance=Decimal("100.00"))


@pytest.mark.parametrize(
    ("balance", "is_low"),
    [
        *((low, True) for low in ("99.99", "-5", "0E-2", "0")),
        *((other, False) for other in (None, "", "100", "NaN", "-Infinity", "9,99", "1" * 41, "1e-9999999", "99 EUR")),
    ],
)
def test_a_balance_told_along_asks_for_a_top_up(balance: str | None, is_low: bool) -> None:  # noqa: FBT001 - a table
    """Below `low_balance` it is as good as balance.low; what is no number is none."""
    moved = move(order_in(OrderStatus.PENDING), said(EventType.CREATED, balance=balance), LOW)

    assert words(moved) == ("alert top_up" if is_low else "")
    assert all(action.subject == "" and action.cooldown_ms for action in moved.actions)


def test_a_hint_moves_no_money() -> None:
    """A balance, or a balance.low, that nothing vouches for is told to a person; it tops up nothing."""
    told = move(
        order_in(OrderStatus.PENDING), said(EventType.CREATED, balance="1", hint=True), replace(LOW, can_ask=True)
    )
    alone = move(None, Event("acme", EventType.BALANCE_LOW, None, hint=True))

    assert [words(told), words(alone)] == ["alert", "alert"]


def test_each_balance_low_has_its_own_cause() -> None:
    """A supplier that sends no time of its own is topped up the second time, too."""
    one, other = (
        advance(None, Event("acme", EventType.BALANCE_LOW, None), Policy(), known_at=(), now=n) for n in (1, 2)
    )

    assert one.actions[0].cause != other.actions[0].cause


def test_balance_low_concerns_the_supplier() -> None:
    """It causes `top_up` and `alert`, at most once per cooldown, and no order."""
    moved = move(None, Event("acme", EventType.BALANCE_LOW, None, occurred_at=5))

    assert moved.order is None
    assert [(action.kind, action.subject, action.cooldown_ms) for action in moved.actions] == [
        (ActionKind.TOP_UP, "", 3_600_000),
        (ActionKind.ALERT, "", 3_600_000),
    ]
