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
from webhookctl.core.orders import ActionKind, Order, OrderStatus, Policy
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
        self.find, self.story, self.record_reveal = store.orders.find, store.orders.story, store.orders.record_reveal

    def get(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        found = self._store.orders.get(keys)
        if self._first:
            self._first = False
            arrive(self._store, ("order.refunded", "R1"))
            self._other.run(now=NOW)
        return found


class _Sealed:
    """The orders, read with the new key alone."""

    def __init__(self, store: SqliteStore) -> None:
        self._orders = type(store.orders)(store.connection, AesGcmCipher([OTHER_KEY]))
        self.get, self.suppliers_of = self._orders.get, self._orders.suppliers_of
        self.find, self.story, self.record_reveal = self._orders.find, self._orders.story, self._orders.record_reveal
        self.write = self._orders.write
