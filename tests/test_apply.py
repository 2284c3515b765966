"""From stored events to orders, over the real store."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest
import uuid_utils

from webhookctl import suppliers
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.events import EventState
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import ActionKind, ConfirmRule, Order, OrderStatus, Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.flows.apply import Apply, Supplier

NOW = 1_800_000_000_000
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CODES = [{"sku": "a", "code": "AAAA-BBBB-CCCC"}]


def store_at(path: Path, *keys: bytes) -> SqliteStore:
    return open_store(path, AesGcmCipher(keys), create=True)


def apply(store: SqliteStore) -> Apply:
    mapping = Mapping.parse(suppliers.preset("generic")["map"])
    return Apply(store.events, store.orders, {"acme": Supplier(mapping, Policy())})


def arrive(store: SqliteStore, *said: tuple[str, str], supplier: str = "acme") -> None:
    bodies = [
        {"event": type_, "data": {"reference": reference, "items": CODES if "fulfilled" in type_ else []}}
        for type_, reference in said
    ]
    store.intake.accept(
        [
            Verified(Delivery(supplier, json.dumps(body).encode(), (), NOW, uuid_utils.uuid7().bytes), "env:S")
            for body in bodies
        ]
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "store.db"


def test_one_batch_moves_an_order_all_the_way(path: Path) -> None:
    """Events of one order in one batch build on each other, a repeat among them changes nothing."""
    store = store_at(path, KEY)
    arrive(store, ("order.created", "R1"), ("order.created", "R1"), ("order.fulfilled", "R1"), ("order.refunded", "R1"))

    outcomes = apply(store).run(now=NOW)

    states = [EventState.DONE, EventState.DUPLICATE, EventState.DONE, EventState.DONE]
    assert [outcome.state for outcome in outcomes] == states
    (order,) = store.orders.find(OrderQuery())
    assert order.status is OrderStatus.REFUNDED
    (deliver,) = store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    assert deliver.state == "cancelled"
    assert apply(store).run(now=NOW) == []
    store.close()


def test_two_workers_take_different_events(path: Path) -> None:
    """Two appliers on one file share the work, and the order ends as it must."""
    first, second = store_at(path, KEY), store_at(path, KEY)
    arrive(first, *[(f"order.{word}", f"R{n}") for n in range(50) for word in ("created", "fulfilled")])

    count = 0
    while done := len(apply(first).run(now=NOW, limit=7)) + len(apply(second).run(now=NOW, limit=7)):
        count += done

    assert count == 100
    assert {order.status for order in first.orders.find(OrderQuery())} == {OrderStatus.FULFILLED}
    assert len(first.outbox.find(ActionQuery(kind=ActionKind.DELIVER, limit=1000))) == 50
    first.close()
    second.close()


def test_an_event_of_an_unknown_supplier_is_dead(path: Path) -> None:
    """A supplier that was taken out of the settings loses nothing: its events are kept, with the reason."""
    store = store_at(path, KEY)
    arrive(store, ("order.created", "R1"), supplier="gone")

    (outcome,) = apply(store).run(now=NOW)

    assert (outcome.state, outcome.reason) == ("dead", "supplier gone is not in the settings")
    store.close()


def test_an_order_that_cannot_be_opened_does_not_hold_up_the_others(path: Path) -> None:
    """Its event is dead with the name of the missing key; the neighbours in the batch are applied."""
    old = store_at(path, KEY)
    arrive(old, ("order.fulfilled", "R1"))
    apply(old).run(now=NOW)
    old.close()
    both = store_at(path, OTHER_KEY, KEY)
    arrive(both, ("order.refunded", "R1"), ("order.created", "R2"))
    # What was encrypted under the old key can't be read any more, what came since can.
    broken = Apply(both.events, _Sealed(both), apply(both).suppliers)

    outcomes = broken.run(now=NOW)

    assert [outcome.state for outcome in outcomes] == ["dead", "done"]
    assert "is not at hand" in (outcomes[0].reason or "")
    assert both.events.find(EventQuery(reference="R1"))[0].state is EventState.DEAD
    both.close()


def test_what_needed_a_missing_key_is_told_and_done_once_the_key_is_back(path: Path) -> None:
    """A worker that lacks the key sets its events aside and tells a person; queued again, all is as if it never had."""
    old, new = store_at(path, KEY), store_at(path, OTHER_KEY, KEY)
    arrive(new, ("order.fulfilled", "R1"))
    without = apply(old).run(now=NOW)
    (alert,) = old.outbox.find(ActionQuery())
    apply(new).run(now=NOW)
    idle = new.events.find(EventQuery(state=EventState.DEAD))

    queued = [new.events.queue_sealed(), new.events.queue_sealed()]
    outcomes = apply(new).run(now=NOW)
    arrive(old, ("order.refunded", "R1"))
    sealed = apply(old).run(now=NOW)
    queued.append(new.events.queue_sealed())

    assert [(one.state, one.supplier, one.needs_a_person) for one in without] == [("dead", "acme", True)]
    assert (alert.kind, alert.supplier) == (ActionKind.ALERT, "acme")
    assert "is not at hand" in (idle[0].error or "")
    assert queued == [1, 0, 1]
    assert [(one.state, one.status) for one in outcomes] == [("done", OrderStatus.FULFILLED)]
    assert [(one.state, one.needs_a_person) for one in sealed] == [("dead", True)]
    assert [(one.state, one.status) for one in apply(new).run(now=NOW)] == [("done", OrderStatus.REFUNDED)]
    old.close()
    new.close()


def test_what_can_not_be_read_is_told_now_and_then(path: Path) -> None:
    """One alert for any number of unreadable events of a supplier, and the run says that a person is needed."""
    store = store_at(path, KEY)
    arrive(store, *[("order.fulfilled", "")] * 3)
    store.intake.accept(
        [Verified(Delivery("acme", b"{%d" % n, (), NOW, uuid_utils.uuid7().bytes), "env:S") for n in (1, 2)]
    )

    outcomes = apply(store).run(now=NOW)

    assert [outcome.needs_a_person for outcome in outcomes] == [True, False, False, True, True]
    (alert,) = store.outbox.find(ActionQuery())
    assert (alert.kind, alert.subject) == (ActionKind.ALERT, "")
    assert "events list --state dead" in alert.detail
    store.close()


def test_one_that_can_not_be_written_leaves_the_others(path: Path) -> None:
    """A batch is written together; where an order has moved on meanwhile, each is written for itself."""
    store = store_at(path, KEY)
    arrive(store, ("order.created", "R1"))
    apply(store).run(now=NOW)
    arrive(store, *[("order.fulfilled", f"R{n}") for n in range(5)], ("order.created", "R1"))
    racing = apply(store)
    raced = Apply(store.events, _Racing(store, racing), racing.suppliers)

    outcomes = raced.run(now=NOW)

    assert {outcome.state for outcome in outcomes} == {EventState.DONE, EventState.DUPLICATE}
    assert {order.status for order in store.orders.find(OrderQuery())} == {OrderStatus.FULFILLED, OrderStatus.REFUNDED}
    delivers = store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    assert sorted(one.subject for one in delivers) == ["R0", "R2", "R3", "R4"]
    store.close()


class _Racing:
    """The orders; right after they are read for the first time another process refunds R1."""

    def __init__(self, store: SqliteStore, other: Apply) -> None:
        self._store, self._other, self._first = store, other, True
        self.suppliers_of, self.write = store.orders.suppliers_of, store.orders.write
        self.references_of, self.asked = store.orders.references_of, store.orders.asked
        self.find, self.story, self.record_reveal = store.orders.find, store.orders.story, store.orders.record_reveal

    def get(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        found = self._store.orders.get(keys)
        if self._first:
            self._first = False
            arrive(self._store, ("order.refunded", "R1"))
            self._other.run(now=NOW)
        return found


def arrive_raw(store: SqliteStore, *bodies: object) -> None:
    """Take JSON in as it is."""
    deliveries = [Delivery("acme", json.dumps(body).encode(), (), NOW, uuid_utils.uuid7().bytes) for body in bodies]
    store.intake.accept([Verified(delivery, "env:S") for delivery in deliveries])


MANY = Mapping.parse(
    {
        "each": "/orders/*",
        "reference": "/ref",
        "order_id": "/id",
        "status": "/status",
        "statuses": {"open": "pending", "bad": "failed"},
    }
)


def apply_many(store: SqliteStore) -> Apply:
    return Apply(store.events, store.orders, {"acme": Supplier(MANY, Policy())})


def test_several_orders_in_one_delivery(path: Path) -> None:
    """Those that can be read move, those that can't are named with what was looked for; one order twice moves twice."""
    store = store_at(path, KEY)
    orders = [
        {"ref": "R1", "status": "open"},
        {"ref": "R2"},
        {"ref": "R1", "status": "bad", "id": "S1"},
        {"ref": "R3", "status": "odd"},
    ]
    arrive_raw(store, {"orders": orders})

    (outcome,) = apply_many(store).run(now=NOW)
    event = store.events.get("1")

    assert event is not None
    assert (outcome.state, outcome.reference, outcome.status) == ("done", None, None)
    assert (outcome.reason or "").startswith(
        "3 of 4 orders handled; order 2 (R2): no status: looked at /status; order 4"
    )
    assert [(one.reference, one.state, one.type) for one in event.orders] == [
        ("R1", "done", "order.created"),
        ("R2", "dead", None),
        ("R1", "done", "order.failed"),
        ("R3", "done", None),
    ]
    assert [(one.reference, one.status) for one in store.orders.find(OrderQuery())] == [("R1", OrderStatus.FAILED)]
    store.close()


def test_a_delivery_of_which_no_order_can_be_read_is_dead(path: Path) -> None:
    """Its reason names the first few of them."""
    store = store_at(path, KEY)
    arrive_raw(store, {"orders": [{"ref": f"R{number}"} for number in range(6)]})

    (outcome,) = apply_many(store).run(now=NOW)

    assert outcome.state == "dead"
    assert (outcome.reason or "").startswith("0 of 6 orders handled; order 1 (R0): no status")
    assert (outcome.reason or "").endswith("and 3 more")
    store.close()


def test_an_order_that_is_known_by_the_suppliers_id_alone(path: Path) -> None:
    """The id finds the order, even one of the same batch; one that nobody knows is said, and may come again."""
    store = store_at(path, KEY)
    known, unknown = {"orders": [{"id": "S1", "status": "bad"}]}, {"orders": [{"id": "S9", "status": "bad"}]}
    arrive_raw(store, {"orders": [{"ref": "R1", "id": "S1", "status": "open"}]}, known, unknown)

    outcomes = apply_many(store).run(now=NOW)
    arrive_raw(store, {"orders": [{"ref": "R9", "id": "S9", "status": "open"}]}, unknown, known)
    later = apply_many(store).run(now=NOW)

    assert [(one.state, one.reference) for one in outcomes] == [("done", "R1"), ("done", "R1"), ("dead", None)]
    assert "no order of acme has the id 'S9' yet" in (outcomes[2].reason or "")
    assert [(one.state, one.reference) for one in later] == [("done", "R9"), ("done", "R9"), ("duplicate", "R1")]
    assert {one.status for one in store.orders.find(OrderQuery())} == {OrderStatus.FAILED}
    store.close()


def test_an_event_waits_for_its_order(path: Path) -> None:
    """The order's id is learned after the event came, alone or among others: then the event is applied by itself."""
    store = store_at(path, KEY)
    arrive_raw(store, {"orders": [{"id": "S1", "status": "bad"}]})
    arrive_raw(store, {"orders": [{"id": "S2", "status": "bad"}, {"id": "S3", "status": "bad"}]})
    early = [one.state for one in apply_many(store).run(now=NOW)]
    known = [{"ref": f"R{number}", "id": f"S{number}", "status": "open"} for number in (1, 2)]
    arrive_raw(store, {"orders": known})

    apply_many(store).run(now=NOW)
    late = apply_many(store).run(now=NOW)

    orders = store.orders.get([("acme", "R1"), ("acme", "R2")])
    assert early == ["dead", "dead"]
    assert [(one.state, one.status) for one in late] == [("done", OrderStatus.FAILED), ("dead", OrderStatus.FAILED)]
    assert {order.status for order in orders.values()} == {OrderStatus.FAILED}
    assert apply_many(store).run(now=NOW) == []
    store.close()


def test_an_id_that_two_orders_have_moves_neither(path: Path) -> None:
    """Whose it is can't be known: the event is dead and names both."""
    store = store_at(path, KEY)
    two = [{"ref": reference, "id": "S1", "status": "open"} for reference in ("R1", "R2")]
    arrive_raw(store, {"orders": two})
    apply_many(store).run(now=NOW)
    arrive_raw(store, {"orders": [{"id": "S1", "status": "bad"}]})

    (outcome,) = apply_many(store).run(now=NOW)

    assert (outcome.state, outcome.reason) == ("dead", "several orders have the id 'S1': R1, R2")
    store.close()


def test_a_hint_in_a_status_never_seen_has_the_order_asked_for(path: Path) -> None:
    """Whatever a hint says, it moves nothing: the word is shown, and the supplier's API tells what it means."""
    store = store_at(path, KEY)
    arrive_raw(store, {"orders": [{"ref": "R1", "id": "S1", "status": "open"}]})
    apply_many(store).run(now=NOW)
    arrive_raw(store, {"orders": [{"id": "S1", "status": "odd"}]})
    hinting = Policy(can_ask=True, confirm=ConfirmRule.POLL)

    (outcome,) = Apply(store.events, store.orders, {"acme": Supplier(MANY, hinting)}).run(now=NOW + 1)

    (order,) = store.orders.get([("acme", "R1")]).values()
    assert (outcome.state, order.status, order.ask_at) == ("done", OrderStatus.PENDING, NOW + 1)
    assert "the status 'odd' at /status is not known" in (outcome.reason or "")
    store.close()


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        (
            {"items": [{"sku": "a", "code": None}]},
            "done",
            "no code in item 1 of /data/items/*: looked at /code or /pin",
        ),
        ({"items": []}, "done", "no item: looked at /data/items/*"),
        ({"items": None}, "done", "no item: looked at /data/items/*"),
        ({"items": {"sku": "a"}}, "done", "no item: looked at /data/items/*"),
        ({"status": "shipped"}, "done", "the status 'shipped' at /data/status is not known"),
        ({"reference": None}, "dead", "no reference: looked at /data/reference; no order id: looked at /data/order_id"),
        ({"reference": 2**70, "items": CODES}, "done", ""),
        ({"reference": {"id": 1}}, "dead", "/data/reference holds an object, not a text"),
    ],
)
def test_the_event_says_what_was_looked_for_and_where(
    path: Path, changes: dict[str, object], state: str, words: str
) -> None:
    """What is missing stands at the event; the rest of it is handled where that is safe."""
    store = store_at(path, KEY)
    data = {"reference": "R1", "status": "fulfilled"} | changes
    arrive_raw(store, {"event": "order.fulfilled", "data": data})

    (outcome,) = apply(store).run(now=NOW)

    (event,) = store.events.find(EventQuery())
    orders = store.orders.find(OrderQuery())
    assert (outcome.state, event.state) == (state, state)
    assert words in (event.error or "")
    assert [one.held is None for one in orders] == ([] if "status" in changes or state == "dead" else [not words])
    assert [one.reference for one in orders if one.held is None] == ([str(2**70)] if not words else [])
    store.close()


class _Sealed:
    """The orders, read with the new key alone."""

    def __init__(self, store: SqliteStore) -> None:
        self._orders = type(store.orders)(store.connection, AesGcmCipher([OTHER_KEY]))
        self.get, self.suppliers_of = self._orders.get, self._orders.suppliers_of
        self.references_of, self.asked = self._orders.references_of, self._orders.asked
        self.find, self.story, self.record_reveal = self._orders.find, self._orders.story, self._orders.record_reveal
        self.write = self._orders.write
