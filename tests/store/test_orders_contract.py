"""Every store's `Orders` does what its port says."""

from dataclasses import replace
from typing import Any

import pytest

from tests.store.building import (
    NOW,
    Store,
    action,
    application,
    arrive,
    claim_actions,
    order,
    put,
    restrain,
    said,
    with_code,
    write,
)
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import NotFoundError
from webhookctl.core.events import EventState, Item, Spoken
from webhookctl.core.orders import (
    ActionKind,
    ActionState,
    Intervention,
    Move,
    NewAction,
    Order,
    OrderStatus,
    Paid,
    Restraint,
)
from webhookctl.core.ports.events import Application, EventQuery
from webhookctl.core.ports.orders import OrderQuery, Reveal
from webhookctl.core.ports.outbox import ActionQuery, Settlement
from webhookctl.core.redaction import Code


def test_an_order_comes_back_whole(store: Store) -> None:
    """Every field that was saved is read again, and the version counts the saves."""
    whole = replace(
        with_code(order(), "AAAA-BBBB", "99"),
        due_at=NOW + 1,
        ask_at=NOW + 2,
        learned_by=Via.POLL,
        held="it came with another order id than before",
        released="another supplier has an order of this reference",
        paid=Paid("19.90", "EUR"),
    )

    write(store, Move(whole))

    assert store.orders.get([whole.key, ("acme", "ORD-9")]) == {whole.key: replace(whole, version=1)}
    assert store.orders.get([]) == {}


def test_items_follow_their_order(store: Store) -> None:
    """A later save replaces the items: more, fewer, other codes, or the same."""
    key = order().key
    versions = [
        (Item("a"), Item("b")),
        (Item("a", Code("1")), Item("b", Code("2"), Code("3")), Item("c", None, Code("4"))),
        (Item("a", Code("1")),),
        (Item("a", Code("aGk="), None, "image/png"),),
        (),
    ]

    for version, items in enumerate(versions):
        write(store, Move(replace(order(), version=version, items=items)))
        found = store.orders.get([key])[key]
        assert (found.items, found.version) == (items, version + 1)


def test_suppliers_of_a_reference(store: Store) -> None:
    """A reference may be known at several suppliers; an unknown one is left out."""
    write(store, Move(order()), Move(order(supplier="other")), Move(order("ORD-2")))

    assert store.orders.suppliers_of({"ORD-1", "ORD-2", "ORD-3"}) == {"ORD-1": ("acme", "other"), "ORD-2": ("acme",)}
    assert store.orders.suppliers_of([]) == {}


def test_any_number_of_orders_is_asked_for(store: Store) -> None:
    """A supplier's list may name more orders than a statement of SQLite takes values."""
    write(store, Move(order("LAST-250000")))
    names = [f"LAST-{number}" for number in range(250_001)]

    assert store.orders.get([("acme", name) for name in names]).keys() == {("acme", "LAST-250000")}
    assert store.orders.suppliers_of(names) == {"LAST-250000": ("acme",)}


def test_references_of_an_order_id(store: Store) -> None:
    """The supplier's id finds its orders, those of no other supplier; two are enough to know that it is ambiguous."""
    same = [replace(order(f"ORD-{number}"), order_id="SAME") for number in (3, 4, 5)]
    write(store, Move(order()), Move(order(supplier="other")), *map(Move, same))

    found = store.orders.references_of({("acme", "SUP-ORD-1"), ("acme", "SAME"), ("acme", "x"), ("x", "SUP-ORD-1")})

    assert {key: len(references) for key, references in found.items()} == {
        ("acme", "SUP-ORD-1"): 1,
        ("acme", "SAME"): 2,
    }
    assert found["acme", "SUP-ORD-1"] == ("ORD-1",)
    assert store.orders.references_of([]) == {}


def test_a_delivery_of_several_orders_is_in_the_story_of_each(store: Store) -> None:
    """It is found by each of them, and says of each what came of it."""
    claimed, *_ = arrive(store, 1)
    spoken = (
        Spoken(EventState.DONE, "order.failed", "ORD-1", "SUP-1"),
        Spoken(EventState.DEAD, None, None, "SUP-2", "no status: looked at /status"),
    )
    several = Application(claimed.event.id, claimed.claim, EventState.DONE, moves=(Move(order()),), orders=spoken)
    store.events.apply([several], now=NOW)

    story = store.orders.story("acme", "ORD-1")
    found = [store.events.find(query) for query in (EventQuery(reference="ORD-1"), EventQuery(order_id="SUP-2"))]
    shown = store.events.get("1")

    assert story is not None
    assert [event.id for event in story.events] == [1]
    assert [[event.id for event in events] for events in found] == [[1], [1]]
    assert store.events.find(EventQuery(reference="ORD-2")) == []
    assert store.events.find(EventQuery(reference="ORD-1", supplier="other")) == []
    assert store.events.find(EventQuery(reference="ORD-1", until=NOW)) == []
    assert shown is not None
    assert shown.orders == spoken


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["ORD-3", "ORD-2", "ORD-1"]),
        ({"limit": 1}, ["ORD-3"]),
        ({"supplier": "other"}, ["ORD-2"]),
        ({"status": OrderStatus.PENDING}, ["ORD-3", "ORD-1"]),
        ({"status": OrderStatus.PENDING, "supplier": "other"}, []),
        ({"reference": "ORD-1"}, ["ORD-1"]),
        ({"since": NOW + 2}, ["ORD-3", "ORD-2"]),
        ({"until": NOW + 2}, ["ORD-1"]),
    ],
)
def test_orders_are_listed_newest_first(store: Store, filters: dict[str, Any], expected: list[str]) -> None:
    """Each filter narrows the list; codes stay closed."""
    write(
        store,
        Move(order("ORD-1", created_at=NOW + 1)),
        Move(with_code(order("ORD-2", supplier="other", created_at=NOW + 2), "CODE")),
        Move(order("ORD-3", created_at=NOW + 3)),
    )

    found = store.orders.find(OrderQuery(**filters))

    assert [one.reference for one in found] == expected
    assert {one.items for one in found} <= {()}


def test_the_story_of_an_order(store: Store) -> None:
    """Its events, duplicates too, its actions, their attempts and who looked, each oldest first; nobody else's."""
    first, second, dead = arrive(store, 1, 2, 4)
    (others,) = arrive(store, 3, supplier="other")
    strange = order(supplier="other")
    store.events.apply(
        [
            application(first, Move(order(), (action(), action(ActionKind.NOTIFY))), key=b"k"),
            application(second, key=b"k"),
            application(others, Move(strange, (action(of=strange),)), of=strange),
            Application(dead.event.id, dead.claim, EventState.DEAD, "no status", said(order())),
        ],
        now=NOW,
    )
    (claimed,) = claim_actions(store, ActionKind.NOTIFY)
    store.outbox.settle([Settlement(claimed.action.id, claimed.claim, ActionState.DONE, "HTTP 200")], now=NOW + 7)
    reveals = [Reveal(NOW + 8, "ann", "the customer lost it"), Reveal(NOW + 9, "bob", "again")]
    for reveal in reveals:
        store.orders.record_reveal("acme", "ORD-1", reveal)

    story = store.orders.story("acme", "ORD-1")

    assert story is not None
    assert story.order == replace(order(), version=1)
    assert [(one.id, one.state) for one in story.events] == [
        (1, EventState.DONE),
        (2, EventState.DUPLICATE),
        (3, EventState.DEAD),
    ]
    assert [(one.kind, one.state) for one in story.actions] == [
        (ActionKind.DELIVER, ActionState.WAITING),
        (ActionKind.NOTIFY, ActionState.DONE),
    ]
    assert [(one.action_id, one.number, one.detail) for one in story.attempts] == [(claimed.action.id, 1, "HTTP 200")]
    assert list(story.reveals) == reveals


def by(what: str = "held", at: int = NOW) -> Intervention:
    return Intervention(at, "ann", what, "why")


def held(store: Store, *kinds: ActionKind) -> Order:
    """Put an order with held actions."""
    put(store, *kinds, state=ActionState.HELD)
    return store.orders.get([order().key])[order().key]


def states(store: Store) -> dict[str, str]:
    return {one.kind.value: one.state.value for one in store.outbox.find(ActionQuery())}


def test_a_decision_is_written_with_its_reason(store: Store) -> None:
    """Order, what is let go, what is cancelled and who did it: together, and the story tells of it."""
    found = held(store, ActionKind.DELIVER, ActionKind.REFUND)
    against = Restraint(ActionKind.REFUND, ActionState.CANCELLED, "the code was chosen")
    after = replace(found, held=None, released="x")

    written = store.orders.write(
        [Move(after, (), (against,), releases=(ActionKind.DELIVER,), intervention=by("released"), keeps_items=True)],
        now=NOW,
    )

    assert written == [True]
    assert states(store) == {"deliver": "waiting", "refund": "cancelled"}
    story = store.orders.story(*found.key)
    assert story is not None
    assert story.order == replace(after, version=found.version + 1)
    assert story.interventions == [by("released")]


def test_a_decision_about_what_has_moved_on_writes_nothing(store: Store) -> None:
    """Compare-and-set: whoever was slower reads again; the others of the batch are written."""
    found = held(store, ActionKind.DELIVER)
    stale = Move(replace(found, version=7), releases=(ActionKind.DELIVER,), intervention=by())

    written = store.orders.write([stale, Move(order("ORD-2")), Move(order())], now=NOW)

    assert written == [False, True, False]
    assert states(store) == {"deliver": "held"}
    story = store.orders.story(*found.key)
    assert story is not None
    assert list(story.interventions) == []
    assert ("acme", "ORD-2") in store.orders.get([("acme", "ORD-2")])


def test_a_hold_that_is_let_go_does_not_catch_up_with_what_runs(store: Store) -> None:
    """Held while it ran, released before it ended: it is tried again as if nothing had been."""
    put(store)
    (claimed,) = claim_actions(store)
    restrain(store, ActionKind.DELIVER, ActionState.HELD)
    found = store.orders.get([order().key])[order().key]
    store.orders.write([Move(found, releases=(ActionKind.DELIVER,), intervention=by())], now=NOW)

    store.outbox.settle([Settlement(claimed.action.id, claimed.claim, ActionState.WAITING, "503")], now=NOW)

    assert states(store) == {"deliver": "waiting"}


def test_held_and_overdue_orders_are_found(store: Store) -> None:
    """What needs a person can be listed, and nothing else."""
    write(
        store,
        Move(replace(order("HELD"), held="x")),
        Move(replace(order("LATE"), due_at=NOW)),
        Move(replace(order("BOTH"), due_at=NOW, held="x")),
        Move(replace(order("DONE"), due_at=NOW, status=OrderStatus.FULFILLED)),
        Move(replace(order("SOON"), due_at=NOW + 1)),
    )

    def found(**filters: Any) -> set[str]:  # noqa: ANN401 - filters of any kind
        return {one.reference for one in store.orders.find(OrderQuery(**filters))}

    assert found(held=True) == {"HELD", "BOTH"}
    assert found(overdue_at=NOW) == {"LATE", "BOTH"}
    assert found(overdue_at=NOW, held=True) == {"BOTH"}
    assert found(held=True, supplier="other") == set()


def test_an_order_that_is_not_there_has_no_story(store: Store) -> None:
    """Unknown is None, and nobody can look at its codes."""
    put(store)

    assert store.orders.story("acme", "ORD-2") is None
    with pytest.raises(NotFoundError, match="ORD-2 at acme"):
        store.orders.record_reveal("acme", "ORD-2", Reveal(NOW, "ann", "why"))


def test_what_was_asked_for_before_is_known(store: Store) -> None:
    """Of its like the state, of several generations `done`; where there is none, nothing."""
    first, second = action(), replace(action(), generation=2)
    write(store, Move(order(), (first,)))
    (held,) = claim_actions(store)
    store.outbox.settle([Settlement(held.action.id, held.claim, ActionState.DONE, "200")], now=NOW)
    write(store, Move(None, (second, action(ActionKind.NOTIFY))))

    wanted = [first, action(of=order("ORD-9")), action(ActionKind.NOTIFY), action(ActionKind.ALERT)]

    assert store.orders.asked(wanted, now=NOW) == [ActionState.DONE, None, ActionState.WAITING, None]
    assert store.orders.asked([], now=NOW) == []


def test_a_cooldown_counts_as_asked_for(store: Store) -> None:
    """Another of its kind is young enough to stand in for it."""
    low = NewAction("acme", "", ActionKind.TOP_UP, "low:1", cooldown_ms=1_000)
    write(store, Move(None, (low,)))
    other = replace(low, cause="low:2")

    assert store.orders.asked([other], now=NOW + 999) != [None]
    assert store.orders.asked([other], now=NOW + 1_000) == [None]
