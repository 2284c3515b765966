"""What is only a hint moves nothing, what contradicts is held, and alerts say how far it had come."""

from dataclasses import replace

import pytest

from tests.core.moves import ASKING, ORDER_EVENTS, OTHER_CODES, move, order_in, said, words
from webhookctl.core.deliveries import Via
from webhookctl.core.events import EventType
from webhookctl.core.orders import (
    HINT_ASKED,
    HINT_UNASKED,
    HINT_UNKNOWN,
    KNOWN_ELSEWHERE,
    OTHER_ORDER_ID,
    ActionKind,
    ActionState,
    Move,
    OrderStatus,
    Policy,
    how_far,
)

HELD = "-deliver(held) -refund(held)"


@pytest.mark.parametrize("policy", [Policy(), ASKING])
@pytest.mark.parametrize("type_", [*ORDER_EVENTS])
def test_a_hint_makes_no_order(type_: EventType, policy: Policy) -> None:
    """Whoever can post a hint can't have an order made, let alone delivered."""
    moved = move(None, said(type_, hint=True), policy)

    assert moved == Move(None, note=HINT_UNKNOWN)


@pytest.mark.parametrize("type_", [*ORDER_EVENTS])
@pytest.mark.parametrize("status", [*OrderStatus])
def test_a_hint_only_has_the_supplier_asked(status: OrderStatus, type_: EventType) -> None:
    """It gives no status, no codes and no order id: the attacker's code is not sent, nor mine to his order."""
    order = order_in(status, order_id=None, items=())

    moved = move(order, said(type_, hint=True, order_id="SUP-EVIL", items=OTHER_CODES), ASKING, known_at=("other",))

    assert moved.order == replace(order, ask_at=1000)
    assert words(moved) == ""


def test_a_hint_that_cannot_be_asked_about_is_told() -> None:
    """Without an API nothing can confirm it: a person is told, and nothing moves."""
    moved = move(order_in(OrderStatus.PENDING), said(EventType.FULFILLED, hint=True))

    assert (moved.order, moved.note) == (None, HINT_UNASKED)
    assert words(moved) == "alert"


def test_a_second_hint_writes_nothing() -> None:
    """An order that is due for asking already is not written again: a storm of hints costs no rows."""
    moved = move(order_in(OrderStatus.PENDING, ask_at=999), said(EventType.FAILED, hint=True), ASKING)

    assert (moved.order, moved.note) == (None, HINT_ASKED)


def test_a_reference_known_elsewhere_is_held_though_its_codes_come_later() -> None:
    """Saying fulfilled without codes first does not get a second delivery past the hold."""
    first = move(None, said(EventType.FULFILLED, items=()), ASKING, known_at=("other",))
    assert first.order is not None
    then = move(first.order, said(EventType.FULFILLED), ASKING, known_at=("acme", "other"))

    assert (first.order.held, words(first)) == (KNOWN_ELSEWHERE, "alert")
    assert words(then) == "deliver(held)"


def test_asking_that_brings_no_codes_is_told_and_not_asked_again_at_once() -> None:
    """The supplier itself says fulfilled and gives no code: a person hears of it once, the usual intervals go on."""
    order = order_in(OrderStatus.PENDING)

    moved = move(order, said(EventType.FULFILLED, items=(), via=Via.POLL), ASKING)

    assert moved.order is None
    assert words(moved) == "alert"


@pytest.mark.parametrize("policy", [Policy(), ASKING])
def test_fulfilled_without_codes_holds_the_refund_of_a_failed_order(policy: Policy) -> None:
    """The supplier contradicts itself: the money waits until somebody knows."""
    moved = move(order_in(OrderStatus.FAILED), said(EventType.FULFILLED, items=()), policy)

    assert "-refund(held)" in words(moved)
    assert any(action.cause == "fulfilled after failed" for action in moved.actions)


def test_what_a_person_let_pass_does_not_hold_the_order_again() -> None:
    """The same other order id comes again after the release: nothing is held; a third one is."""
    released = order_in(OrderStatus.FULFILLED, released=f"{OTHER_ORDER_ID}: SUP-2")

    same = move(released, said(EventType.FULFILLED, order_id="SUP-2"))
    third = move(released, said(EventType.FULFILLED, order_id="SUP-3"))

    assert (same.order, words(same)) == (None, "")
    assert third.order is not None
    assert (third.order.held, words(third)) == (f"{OTHER_ORDER_ID}: SUP-3", f"alert {HELD}")


def test_an_order_that_is_refunded_is_held_no_more() -> None:
    """Nothing is left to decide about it."""
    moved = move(order_in(OrderStatus.PENDING, held=KNOWN_ELSEWHERE), said(EventType.REFUNDED))

    assert moved.order is not None
    assert moved.order.held is None


@pytest.mark.parametrize(
    ("now", "event", "about"),
    [
        (OrderStatus.FULFILLED, EventType.REFUNDED, ActionKind.DELIVER),
        (OrderStatus.FULFILLED, EventType.FAILED, ActionKind.DELIVER),
        (OrderStatus.FAILED, EventType.FULFILLED, ActionKind.REFUND),
        (OrderStatus.PARTIAL, EventType.REFUNDED, None),
    ],
)
def test_an_alert_tells_how_far_it_had_come(now: OrderStatus, event: EventType, about: ActionKind | None) -> None:
    """Refunded after fulfilled: whether the code was out is what the person needs to know."""
    (alert,) = [one for one in move(order_in(now), said(event)).actions if one.kind is ActionKind.ALERT]

    assert alert.about is about


@pytest.mark.parametrize(
    ("kind", "state", "told"),
    [
        (ActionKind.DELIVER, ActionState.DONE, "The code was out: delivered at 1970-01-01T00:00:01Z."),
        (ActionKind.DELIVER, ActionState.RUNNING, "The code may be out: its delivery is under way."),
        (ActionKind.DELIVER, None, "The code was not out: nothing was to be delivered."),
        (ActionKind.REFUND, ActionState.HELD, "The refund was not made, and is held."),
        (ActionKind.NOTIFY, ActionState.DONE, ""),
    ],
)
def test_how_far_an_action_has_come(kind: ActionKind, state: ActionState | None, told: str) -> None:
    """Each state of a delivery and a refund has its sentence."""
    assert how_far(kind, state, 1000) == told
