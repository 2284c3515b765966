"""Orders over the real store, driven by events, polls, people and crashes in any interleaving, beside a small model."""

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeVar

import uuid_utils
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.core.test_orders import RUNG
from webhookctl import suppliers
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.errors import UsageError
from webhookctl.core.events import EventType
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import (
    Action,
    ActionKind,
    ActionState,
    ConfirmRule,
    Intervention,
    Order,
    OrderStatus,
    Policy,
    Registration,
)
from webhookctl.core.ports.outbox import ActionQuery, ClaimedAction, Settlement
from webhookctl.flows import decide
from webhookctl.flows.alarms import Alarms
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.register import Register

T = TypeVar("T")
LADDER = list(OrderStatus)
LEASE = 60_000
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
"""Where there is one: thousands of commits are made, and none of them is about the disk."""
POLICIES = {"acme": Policy(sla_ms=900_000), "other": Policy(sla_ms=900_000, can_ask=True)}
POLICIES |= {"shady": Policy(sla_ms=900_000, can_ask=True, confirm=ConfirmRule.POLL)}
PLACES = Mapping.parse(suppliers.preset("generic")["map"])
KINDS = (ActionKind.DELIVER, ActionKind.REFUND)
SETTLED = {ActionState.WAITING, ActionState.DONE, ActionState.DEAD, ActionState.AMBIGUOUS}


class Said(NamedTuple):
    """What a supplier says."""

    type: EventType
    code: str | None = "AAAA-1111"
    reference: str = "R1"
    order_id: str | None = "SUP-1"
    via: Via = Via.WEBHOOK
    supplier: str = "acme"

    @property
    def is_hint(self) -> bool:
        return self.supplier == "shady" and self.via is Via.WEBHOOK

    def body(self, number: int) -> bytes:
        items = [{"sku": "a", "code": self.code}] if self.type is EventType.FULFILLED else [{"sku": "a"}]
        data = {"reference": self.reference, "order_id": self.order_id, "items": items}
        polled = {"version": 1, "status": RUNG[self.type], **data, "n": number}
        told = {"event": self.type, "data": data, "n": number}
        return json.dumps(polled if self.via is Via.POLL else told).encode()


REFERENCES = ("R1", "R2")
USUAL = [Said(type_, reference=reference) for reference in REFERENCES for type_ in RUNG] + [
    Said(EventType.FULFILLED, via=Via.POLL)
]
STRANGE = [
    *(Said(type_, supplier="other") for type_ in RUNG),
    *(Said(type_, order_id="SUP-2") for type_ in RUNG),
    *(Said(type_, supplier="shady", via=via) for type_ in RUNG for via in (Via.WEBHOOK, Via.POLL)),
    *(Said(EventType.FULFILLED, None, supplier=name, via=via) for name in POLICIES for via in (Via.WEBHOOK, Via.POLL)),
    Said(EventType.FULFILLED, "BBBB-2222"),
    Said(EventType.FULFILLED, order_id=None),
]
WAITING = [ActionQuery(kind=kind, state=ActionState.WAITING, limit=1) for kind in KINDS]


def mostly(usual: T, *others: T) -> st.SearchStrategy[T]:
    """Draw the usual more often than all others: what is rare must meet what is usual to say anything."""
    return st.sampled_from([usual] * (2 * len(others) + 2) + list(others))


@dataclass
class Shop:
    """One store for all runs, emptied for each: to make one takes longer than a run."""

    folder: Path
    store: SqliteStore
    now: int = 0

    @classmethod
    def open(cls) -> "Shop":
        folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        return cls(folder, open_store(folder / "shop.db", AesGcmCipher([b"k" * 32]), create=True))

    def empty(self) -> None:
        self.now = 1_800_000_000_000
        with self.store.connection.writing() as raw:
            for table in ("events", "event_keys", "orders", "actions", "interventions"):
                raw.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


class Orders(RuleBasedStateMachine):
    """What happens to two references at two suppliers."""

    shop: Shop

    def __init__(self) -> None:
        super().__init__()
        self.shop.empty()
        self.numbers = count()
        self.status: dict[tuple[str, str], OrderStatus] = {}
        self.sent: list[Verified] = []
        self.store = self.shop.store
        places = {name: Supplier(PLACES, policy) for name, policy in POLICIES.items()}
        self.apply = Apply(self.store.events, self.store.orders, places)

    # What suppliers say

    @rule(said=st.sampled_from(USUAL), crashes=mostly(False, True))
    def told(self, said: Said, crashes: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self._tell(said, crashes=crashes)

    @rule(said=st.sampled_from(STRANGE))
    def told_something_strange(self, said: Said) -> None:
        self._tell(said, crashes=False)

    def _tell(self, said: Said, *, crashes: bool) -> None:
        body = said.body(next(self.numbers))
        delivery = Delivery(said.supplier, body, (), self.shop.now, uuid_utils.uuid7().bytes, said.via)
        self.sent.append(Verified(delivery, "env:S"))
        if not said.is_hint:
            proven = said.type is not EventType.FULFILLED or said.code
            self._climbs((said.supplier, said.reference), RUNG[said.type] if proven else OrderStatus.PENDING)
        self._arrive([self.sent[-1]], crashes=crashes)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), times=st.integers(1, 3))
    def repeated(self, data: st.DataObject, times: int) -> None:
        self._arrive([data.draw(st.sampled_from(self.sent))] * times, crashes=False)

    def _climbs(self, key: tuple[str, str], rung: OrderStatus) -> None:
        self.status[key] = max(self.status.get(key, rung), rung, key=LADDER.index)

    def _arrive(self, deliveries: list[Verified], *, crashes: bool) -> None:
        self.store.intake.accept(
            [one._replace(delivery=one.delivery._replace(delivery_id=uuid_utils.uuid7().bytes)) for one in deliveries]
        )
        if crashes:  # a worker that dies with the events in its hands
            self.store.events.claim(now=self.shop.now, limit=100, lease_ms=LEASE)
            self.shop.now += LEASE
        while self.apply.run(now=self.shop.now):
            pass

    # What the worker does

    @precondition(lambda self: any(self.store.outbox.find(query) for query in WAITING))
    @rule(
        kinds=mostly(KINDS, (ActionKind.DELIVER,), (ActionKind.REFUND,)),
        end=st.sampled_from(["done", "killed when begun", *sorted(SETTLED), "killed"]),
        news=mostly(None, EventType.REFUNDED, EventType.FULFILLED, EventType.FAILED),
    )
    def worked(self, kinds: tuple[ActionKind, ...], end: str, news: EventType | None) -> None:
        self.shop.now += 1
        claimed = self.store.outbox.claim(kinds, now=self.shop.now, limit=3, lease_ms=LEASE)
        for one in claimed:
            order = self._order(one.action)
            assert order.held is None
            assert one.action.kind is ActionKind.REFUND or order.status is not OrderStatus.REFUNDED
            assert one.action.kind is ActionKind.REFUND or all(item.code for item in order.items)
        if news and claimed:  # while the attempts are under way
            said = Said(news, reference=claimed[0].action.subject, supplier=claimed[0].action.supplier)
            self._tell(said, crashes=False)
        self._end(claimed, end)

    def _end(self, claimed: list[ClaimedAction], end: str) -> None:
        if end == "killed when begun":
            for one in claimed:
                self.store.outbox.begin(one.action.id, one.claim, now=self.shop.now)
        if end.startswith("killed"):
            self.shop.now += LEASE
        else:
            settled = [Settlement(one.action.id, one.claim, ActionState(end), "why", alert="ended") for one in claimed]
            self.store.outbox.settle(settled, now=self.shop.now)

    def _order(self, action: Action) -> Order:
        key = (action.supplier, action.subject)
        return self.store.orders.get([key])[key]

    # What people do

    @precondition(lambda self: self.status)
    @rule(data=st.data(), what=st.sampled_from(["hold", "release", "release", "refund"]))
    def decided(self, data: st.DataObject, what: str) -> None:
        self.shop.now += 1
        key = data.draw(st.sampled_from(sorted(self.status)))
        by = self._by(what)
        with suppress(UsageError):
            if what == "hold":
                decide.hold_order(self.store.orders, key, by)
            else:
                decide.release_order(self.store.orders, key, by, refund=what == "refund", although_refunded=False)

    @precondition(lambda self: self.status)
    @rule(data=st.data(), state=st.sampled_from([ActionState.DONE, ActionState.WAITING]))
    def resolved(self, data: st.DataObject, state: ActionState) -> None:
        self.shop.now += 1
        actions = self._actions(lambda one: one.kind in KINDS)
        if actions:
            action = data.draw(st.sampled_from(actions))
            self.store.outbox.retry(action.id, now=self.shop.now, by=self._by("retry"))
            with suppress(UsageError):
                decide.resolve(self.store.outbox, action, state, self._by("resolve"))

    @rule(
        supplier=mostly("acme", "shady"),
        reference=st.sampled_from(REFERENCES),
        order_id=mostly("SUP-1", None, "SUP-2"),
    )
    def registered(self, supplier: str, reference: str, order_id: str | None) -> None:
        self.shop.now += 1
        registration = Registration(supplier, reference, order_id, ("a",))
        Register(self.store.orders, POLICIES).run([registration], now=self.shop.now)
        self._climbs((supplier, reference), OrderStatus.PENDING)

    def _by(self, what: str) -> Intervention:
        return Intervention(self.shop.now, "ann", what, "a reason")

    # What must hold

    @invariant()
    def statuses_are_the_ladders(self) -> None:
        found = self.store.orders.get([(name, reference) for name in POLICIES for reference in REFERENCES])
        assert {key: order.status for key, order in found.items()} == self.status

    @invariant()
    def one_delivery_and_never_beside_a_refund(self) -> None:
        for key in self.status:
            story = self.store.orders.story(*key)
            assert story is not None
            by_kind = [action for action in story.actions if action.kind in KINDS]
            states = {action.kind: action.state for action in by_kind}
            assert len(states) == len(by_kind)
            assert set(states.values()) != {ActionState.DONE} or len(states) == 1, "both the code and the money"

    def _actions(self, want: Callable[[Action], bool]) -> list[Action]:
        stories = [self.store.orders.story(*key) for key in sorted(self.status)]
        return [action for story in stories if story for action in story.actions if want(action)]

    def teardown(self) -> None:
        """A day later each order is final, waits for something that can be named, or a person was told."""
        self.shop.now += 86_400_000
        Alarms(self.store.alarms, lambda: POLICIES, lambda: 600_000, lambda: 600_000).run(now=self.shop.now)
        self.store.outbox.claim([ActionKind.TOP_UP], now=self.shop.now, limit=1, lease_ms=1)  # takes back lost claims
        for key in self.status:
            story = self.store.orders.story(*key)
            assert story is not None
            alerts = {action.cause.partition(":")[0] for action in story.actions if action.kind is ActionKind.ALERT}
            states = {action.kind: action.state for action in story.actions if action.kind in KINDS}
            decided = {one.what for one in story.interventions}
            assert fate(story.order, states, alerts, decided), (story.order, states, alerts, decided)


def fate(order: Order, states: dict[ActionKind, ActionState], alerts: set[str], decided: set[str]) -> str | None:
    """Say why the order is not forgotten; None: it is."""
    deliver, refund = states.get(ActionKind.DELIVER), states.get(ActionKind.REFUND)
    done = ActionState.DONE
    if order.status is OrderStatus.REFUNDED or done in {deliver, refund}:
        return "final"
    if ActionState.WAITING in {deliver, refund} or ActionState.RUNNING in {deliver, refund}:
        return "waits for its handler"
    if order.status in {OrderStatus.PENDING, OrderStatus.PARTIAL} and "overdue" in alerts:
        return "alerted"
    if (order.held or ActionState.HELD in {deliver, refund}) and (
        {"held", "codes missing", "fulfilled after failed"} & alerts or "hold" in decided
    ):
        return "a person was told"
    return "a person was told" if "ended" in alerts or "ambiguous" in alerts else None


class TestOrders(Orders.TestCase):  # type: ignore[misc, valid-type] # hypothesis makes this class as it runs
    """At most one delivery, never without its codes or after a refund; the same end whatever the order of arrival."""

    settings = settings(
        max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )

    @classmethod
    def setUpClass(cls) -> None:
        Orders.shop = Shop.open()

    @classmethod
    def tearDownClass(cls) -> None:
        Orders.shop.close()
