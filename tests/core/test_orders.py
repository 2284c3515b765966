"""The table of orders: every cell, every pair, every order of arrival."""

from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.moves import CODES, LADDER, ORDER_EVENTS, OTHER_CODES, move, order_in, said, words
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.orders import (
    CODES_MISSING,
    KNOWN_ELSEWHERE,
    OTHER_ORDER_ID,
    TABLE,
    ActionKind,
    ActionState,
    CodesRule,
    NewAction,
    Order,
    OrderStatus,
    Paid,
    Policy,
)

RUNG = {
    EventType.CREATED: OrderStatus.PENDING,
    EventType.PARTIAL: OrderStatus.PARTIAL,
    EventType.FAILED: OrderStatus.FAILED,
    EventType.FULFILLED: OrderStatus.FULFILLED,
    EventType.REFUNDED: OrderStatus.REFUNDED,
}

# The table as design and README have it: what the order becomes (None: it stays) and which actions there are.
EXPECTED: dict[tuple[str | None, str], tuple[str | None, str]] = {
    (None, "created"): ("pending", ""),
    (None, "fulfilled"): ("fulfilled", "deliver"),
    (None, "partial"): ("partial", "alert"),
    (None, "failed"): ("failed", "alert refund"),
    (None, "refunded"): ("refunded", "alert notify"),
    ("pending", "created"): (None, ""),
    ("pending", "fulfilled"): ("fulfilled", "deliver"),
    ("pending", "partial"): ("partial", "alert"),
    ("pending", "failed"): ("failed", "alert refund"),
    ("pending", "refunded"): ("refunded", "notify"),
    ("partial", "created"): (None, ""),
    ("partial", "fulfilled"): ("fulfilled", "deliver"),
    ("partial", "partial"): (None, ""),
    ("partial", "failed"): ("failed", "alert refund"),
    ("partial", "refunded"): ("refunded", "alert notify"),
    ("fulfilled", "created"): (None, ""),
    ("fulfilled", "fulfilled"): (None, ""),
    ("fulfilled", "partial"): (None, ""),
    ("fulfilled", "failed"): (None, "alert"),
    ("fulfilled", "refunded"): ("refunded", "alert notify -deliver"),
    ("failed", "created"): (None, ""),
    ("failed", "fulfilled"): ("fulfilled", "alert deliver(held) -refund(held)"),
    ("failed", "partial"): (None, "alert"),
    ("failed", "failed"): (None, ""),
    ("failed", "refunded"): ("refunded", "notify"),
    ("refunded", "created"): (None, ""),
    ("refunded", "fulfilled"): (None, "alert"),
    ("refunded", "partial"): (None, ""),
    ("refunded", "failed"): (None, ""),
    ("refunded", "refunded"): (None, ""),
}


@pytest.mark.parametrize(("cell", "expected"), EXPECTED.items(), ids=str)
def test_each_cell(cell: tuple[str | None, str], expected: tuple[str | None, str]) -> None:
    """Each cell moves the order and asks for actions as the design's table says."""
    now, event = cell
    order = order_in(OrderStatus(now)) if now else None

    moved = move(order, said(EventType(f"order.{event}")))

    assert words(moved) == expected[1]
    assert (moved.order.status if moved.order else order and order.status) == (expected[0] or now)


def test_the_table_is_complete() -> None:
    """Every status meets every event, and no cell leads down the ladder."""
    assert set(EXPECTED) == {
        (status and status.value, type_.removeprefix("order.")) for status in TABLE for type_ in TABLE[status]
    }
    for status, row in TABLE.items():
        assert set(row) == set(ORDER_EVENTS)
        assert all(
            cell.to is None or status is None or LADDER.index(cell.to) > LADDER.index(status) for cell in row.values()
        )


class Ledger:
    """What a store would hold after a run of events."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.order: Order | None = None
        self.policy = policy or Policy()
        self.actions: dict[tuple[ActionKind, str], ActionState] = {}

    def hear(self, event: Event) -> None:
        moved = move(self.order, event, self.policy)
        if moved.order:
            self.order = replace(moved.order, version=moved.order.version + 1)
        for action in moved.actions:
            self.actions.setdefault((action.kind, action.cause), action.state)
        for restraint in moved.restraints:
            for key in self.actions:
                if key[0] is restraint.kind:
                    self.actions[key] = restraint.state

    @property
    def deliveries(self) -> list[ActionState]:
        return [state for (kind, _), state in self.actions.items() if kind is ActionKind.DELIVER]


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_every_order_of_arrival_ends_alike(length: int) -> None:
    """Whatever the order of arrival, with duplicates: the same status, at most one deliver, none after a refund."""
    for chosen in product(ORDER_EVENTS, repeat=length):
        if list(chosen) != sorted(chosen):
            continue
        highest = max((RUNG[type_] for type_ in chosen), key=LADDER.index)
        for arrival in set(permutations(chosen)):
            ledger = Ledger()
            for type_ in arrival:
                ledger.hear(said(type_))

            assert ledger.order is not None
            assert ledger.order.status is highest, arrival
            assert len(ledger.deliveries) <= 1
            assert highest is not OrderStatus.REFUNDED or ActionState.WAITING not in ledger.deliveries
            assert highest is not OrderStatus.FULFILLED or len(ledger.deliveries) == 1


def test_sla_starts_when_we_first_hear_of_an_order() -> None:
    """The clock counts from our own receipt."""
    moved = move(None, said(EventType.CREATED), Policy(sla_ms=900_000))

    assert moved.order is not None
    assert (moved.order.created_at, moved.order.due_at) == (1000, 901_000)


def test_fulfilled_without_codes_is_held_and_alerted() -> None:
    """Without every code and without an API to ask, nothing moves, a person is told, and it is not delivered."""
    moved = move(order_in(OrderStatus.PENDING), said(EventType.FULFILLED, items=(*CODES, Item("steam"))))

    assert moved.order is not None
    assert (moved.order.status, moved.order.held) == (OrderStatus.PENDING, CODES_MISSING)
    assert words(moved) == "alert"


def test_fewer_items_than_were_ordered_are_not_every_code() -> None:
    """Two things were ordered and one code came: nothing moves."""
    order = order_in(OrderStatus.PENDING, items=(Item("a"), Item("b")))

    moved = move(order, said(EventType.FULFILLED))

    assert moved.order is not None
    assert moved.order.status is OrderStatus.PENDING


def test_fulfilled_without_codes_is_due_for_asking() -> None:
    """Where the supplier can be asked, the order is due for it now, and nobody is disturbed."""
    moved = move(None, said(EventType.FULFILLED, items=()), Policy(can_ask=True))

    assert moved.order is not None
    assert (moved.order.status, moved.order.ask_at, moved.order.held) == (OrderStatus.PENDING, 1000, None)
    assert words(moved) == ""


def test_the_codes_that_come_later_are_delivered() -> None:
    """An order held for want of codes goes on as soon as they are there."""
    order = order_in(OrderStatus.PENDING, held=CODES_MISSING)

    moved = move(order, said(EventType.FULFILLED))

    assert moved.order is not None
    assert (moved.order.status, moved.order.held) == (OrderStatus.FULFILLED, None)
    assert words(moved) == "deliver"


def test_top_ups_need_no_codes() -> None:
    """`codes = "none"`: fulfilled is fulfilled."""
    moved = move(None, said(EventType.FULFILLED, items=()), Policy(codes=CodesRule.NONE))

    assert words(moved) == "deliver"


def test_other_codes_than_before_are_a_conflict() -> None:
    """The codes that were delivered stay; a person is told once."""
    moved = move(order_in(OrderStatus.FULFILLED), said(EventType.FULFILLED, items=OTHER_CODES))

    assert moved.order is None
    assert words(moved) == "alert"


def test_codes_that_come_for_the_first_time_are_no_conflict() -> None:
    """A fulfilled order that had no codes takes them."""
    moved = move(order_in(OrderStatus.FULFILLED, items=()), said(EventType.FULFILLED))

    assert moved.order is not None
    assert moved.order.items == CODES
    assert words(moved) == ""


def test_another_order_id_is_held() -> None:
    """A reference that comes with another order id than before is for a person."""
    moved = move(order_in(OrderStatus.PENDING), said(EventType.FULFILLED, order_id="SUP-2"))

    assert moved.order is not None
    assert (moved.order.order_id, moved.order.held) == ("SUP-1", f"{OTHER_ORDER_ID}: SUP-2")
    assert words(moved) == "alert deliver(held) -deliver(held) -refund(held)"


def test_a_reference_of_another_supplier_is_held() -> None:
    """A second supplier that speaks of the same reference could have it delivered twice."""
    first = move(None, said(EventType.CREATED), known_at=("other",))
    assert first.order is not None
    later = move(first.order, said(EventType.FULFILLED), known_at=("other", "acme"))

    assert first.order.held == KNOWN_ELSEWHERE
    assert words(first) == "alert"
    assert words(later) == "deliver(held)"


def test_only_what_was_paid_is_refunded() -> None:
    """An order registered as unpaid causes no refund."""
    unpaid = order_in(OrderStatus.PENDING, paid=Paid("0.00", "EUR"))
    paid = order_in(OrderStatus.PENDING, paid=Paid("19.99", "EUR"))

    assert words(move(unpaid, said(EventType.FAILED))) == "alert"
    assert words(move(paid, said(EventType.FAILED))) == "alert refund"


def test_no_detail_holds_a_code() -> None:
    """What people are told about an order never contains what it is worth."""
    orders = [None, *(order_in(status) for status in OrderStatus)]
    moves = [move(order, said(type_, items=OTHER_CODES)) for order in orders for type_ in ORDER_EVENTS]
    texts = [text(action) for moved in moves for action in moved.actions]

    assert texts
    assert not any("DDDD" in line or "AAAA" in line for line in texts)


def text(action: NewAction) -> str:
    return f"{action!r} {action.detail} {action.cause}"


events = st.builds(
    said,
    st.sampled_from(ORDER_EVENTS),
    order_id=st.sampled_from([None, "SUP-1", "SUP-2"]),
    items=st.sampled_from([(), CODES, OTHER_CODES, (Item("a"),), (*CODES, *OTHER_CODES)]),
    via=st.sampled_from([Via.WEBHOOK, Via.POLL]),
)


@given(st.lists(events, max_size=8), st.sampled_from([Policy(), Policy(can_ask=True), Policy(codes=CodesRule.NONE)]))
def test_at_most_one_deliver_and_never_without_codes(run: list[Event], policy: Policy) -> None:
    """Whatever comes: one deliver at most, with every code where they are required, on no lower rung than before."""
    ledger = Ledger(policy)
    rung = 0
    for event in run:
        ledger.hear(event)
        assert ledger.order is not None
        assert LADDER.index(ledger.order.status) >= rung
        rung = LADDER.index(ledger.order.status)
        assert len(ledger.deliveries) <= 1
        if ledger.deliveries and policy.codes is CodesRule.REQUIRED:
            assert ledger.order.items
            assert all(item.code for item in ledger.order.items)
