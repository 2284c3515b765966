"""What people decide about orders, and what the shop says of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.errors import UsageError
from webhookctl.core.events import Item
from webhookctl.core.orders import (
    KNOWN_ELSEWHERE,
    OTHER_ORDER_ID,
    ActionKind,
    ActionState,
    Intervention,
    Move,
    Order,
    OrderStatus,
    Paid,
    Policy,
    Registered,
    Registration,
    hold,
    paid,
    register,
    release,
)

DELIVER, REFUND = ActionKind.DELIVER, ActionKind.REFUND
HELD, DONE, CANCELLED = ActionState.HELD, ActionState.DONE, ActionState.CANCELLED
BY = Intervention(1000, "ann", "released", "asked the supplier")


def order(status: OrderStatus = OrderStatus.PENDING, held: str | None = None) -> Order:
    return Order("acme", "ORD-1", status, 1, 1, version=3, order_id="SUP-1", held=held)


def let_go(found: Order, actions: dict[ActionKind, ActionState], *, refund: bool = False, yes: bool = False) -> Move:
    return release(found, {kind: (state,) for kind, state in actions.items()}, BY, refund=refund, although_refunded=yes)


def test_a_hold_keeps_what_has_not_begun() -> None:
    """Delivery and refund are held, and the order says why and by whom."""
    moved = hold(order(), replace(BY, what="held"))

    assert moved.order is not None
    assert moved.order.held == "held by hand: asked the supplier"
    assert {(one.kind, one.state) for one in moved.restraints} == {(DELIVER, HELD), (REFUND, HELD)}
    assert moved.intervention == replace(BY, what="held")


def test_a_fulfilled_order_is_delivered_and_its_refund_cancelled() -> None:
    """Failed, then fulfilled: the customer gets the code or the money, whichever was chosen, and never both."""
    both = {DELIVER: HELD, REFUND: HELD}

    code = let_go(order(OrderStatus.FULFILLED), both)
    money = let_go(order(OrderStatus.FULFILLED), both, refund=True)

    assert (code.releases, [(one.kind, one.state) for one in code.restraints]) == ((DELIVER,), [(REFUND, CANCELLED)])
    assert (money.releases, [(one.kind, one.state) for one in money.restraints]) == ((REFUND,), [(DELIVER, CANCELLED)])


def test_the_reason_that_was_let_pass_is_kept() -> None:
    """The same reason does not hold the order again."""
    moved = let_go(order(held=KNOWN_ELSEWHERE), {})

    assert moved.order is not None
    assert (moved.order.held, moved.order.released) == (None, KNOWN_ELSEWHERE)


def test_money_instead_of_the_code_is_asked_for() -> None:
    """A held delivery whose customer wants the money: it is cancelled, and a refund begins."""
    moved = let_go(order(OrderStatus.FULFILLED, KNOWN_ELSEWHERE), {DELIVER: HELD}, refund=True)

    assert [action.kind for action in moved.actions] == [REFUND]
    assert [(one.kind, one.state) for one in moved.restraints] == [(DELIVER, CANCELLED)]


@pytest.mark.parametrize(
    ("found", "actions", "refund", "told"),
    [
        (order(OrderStatus.FULFILLED), {DELIVER: DONE}, False, "not held"),
        (order(OrderStatus.PENDING, "x"), {}, True, "once it is fulfilled or failed"),
        (order(OrderStatus.PARTIAL, "x"), {}, True, "once it is fulfilled or failed"),
        (order(OrderStatus.REFUNDED, "x"), {DELIVER: HELD}, False, "never delivered"),
        (order(OrderStatus.FULFILLED), {DELIVER: HELD, REFUND: DONE}, False, "both the code and the money"),
        (order(OrderStatus.FULFILLED), {DELIVER: HELD, REFUND: ActionState.AMBIGUOUS}, False, "both the code"),
        (order(OrderStatus.FULFILLED, "x"), {DELIVER: DONE}, True, "both the code"),
        (order(OrderStatus.FULFILLED), {DELIVER: HELD, REFUND: CANCELLED}, True, "was cancelled"),
        (replace(order(OrderStatus.FAILED, "x"), paid=Paid("0", "EUR")), {}, True, "Nothing was paid"),
    ],
)
def test_what_can_not_be_let_go(
    found: Order,
    actions: dict[ActionKind, ActionState],
    refund: bool,  # noqa: FBT001 - a column of the table
    told: str,
) -> None:
    """What would give code and money, or a code of a refunded order, is refused in words."""
    with pytest.raises(UsageError, match=told):
        let_go(found, actions, refund=refund)


def test_both_can_be_wanted() -> None:
    """A shop may be generous, if somebody says so."""
    assert let_go(order(OrderStatus.FULFILLED), {DELIVER: HELD, REFUND: DONE}, yes=True).releases == (DELIVER,)


def registered(found: Order | None, said: Registration, known_at: tuple[str, ...] = ()) -> tuple[Registered, Move]:
    return register(found, said, Policy(sla_ms=900_000), known_at=known_at, now=1000)


WHOLE = Registration("acme", "ORD-1", "SUP-1", ("a", "b"), Paid("19.90", "EUR"), 60_000)


def test_a_registration_makes_the_order_known() -> None:
    """What the shop knows is there before any webhook: items, what was paid, and when it is due."""
    state, moved = registered(None, WHOLE)

    assert state is Registered.NEW
    assert moved.order is not None
    assert (moved.order.items, moved.order.paid, moved.order.due_at) == ((Item("a"), Item("b")), WHOLE.paid, 61_000)


def test_a_registration_said_twice_changes_nothing() -> None:
    """It is idempotent: whoever is not sure says it again."""
    _, first = registered(None, WHOLE)
    assert first.order is not None

    again = registered(replace(first.order, version=1), WHOLE)

    assert again == (Registered.KNOWN, Move(None))


def test_a_registration_completes_what_a_webhook_made() -> None:
    """The webhook was first: order id, amount and SLA are added, status and codes stay."""
    found = replace(order(OrderStatus.FULFILLED), order_id=None, items=(Item("z"),))

    state, moved = registered(found, WHOLE)

    assert state is Registered.KNOWN
    assert moved.order == replace(found, order_id="SUP-1", paid=WHOLE.paid, due_at=60_001, updated_at=1000)


@pytest.mark.parametrize(
    ("found", "said", "known_at", "reason"),
    [
        (order(), replace(WHOLE, order_id="SUP-2"), (), f"{OTHER_ORDER_ID}: SUP-2"),
        (replace(order(), paid=Paid("20", "EUR")), WHOLE, (), "another amount paid"),
        (None, WHOLE, ("other",), KNOWN_ELSEWHERE),
    ],
)
def test_a_registration_that_contradicts_is_held(
    found: Order | None, said: Registration, known_at: tuple[str, ...], reason: str
) -> None:
    """An order id, an amount or a supplier other than what is known: a person must look."""
    state, moved = registered(found, said, known_at)

    assert state is Registered.HELD
    assert moved.order is not None
    assert reason in (moved.order.held or "")
    assert [action.kind for action in moved.actions] == [ActionKind.ALERT]


def test_an_order_that_was_not_paid_is_not_refunded() -> None:
    """It had failed before the shop said that nothing was paid: the refund that waits is cancelled."""
    _, moved = registered(order(OrderStatus.FAILED), Registration("acme", "ORD-1", paid=Paid("0", "EUR")))

    assert [(one.kind, one.state) for one in moved.restraints] == [(REFUND, CANCELLED)]


@pytest.mark.parametrize("amount", ["", "-1", "1e3", "19,90", "NaN", "1" * 20, "19.", " 1", "١٩"])
def test_what_is_no_money_is_refused(amount: str) -> None:
    """Nothing that a shop could read otherwise than we do."""
    with pytest.raises(ValueError, match="the amount paid must be digits"):
        paid(amount, "EUR")


@pytest.mark.parametrize("name", ["", " ", " A", "A\n", "x" * 257, "A\0", "A\u2028", "\ud800", "A\x1b[31m"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """Empty, endless, or made to act on a terminal."""
    with pytest.raises(ValueError, match="the reference"):
        Registration("acme", name)


@given(st.text(min_size=1, max_size=300))
def test_a_name_is_taken_or_refused_in_words(name: str) -> None:
    """Nothing but `ValueError` comes out, and what is taken stays as it was; right-to-left signs are taken."""
    refused = ""
    try:
        taken = Registration("acme", name, name, (name,)).reference
    except ValueError as error:
        taken, refused = name, str(error)

    assert taken == name
    assert not refused or refused.startswith("the reference ")
