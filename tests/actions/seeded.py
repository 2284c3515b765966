"""A real store with orders and actions in it, and what drives `Act` on it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uuid_utils

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.events import Event, EventState, EventType, Item
from webhookctl.core.orders import Action, ActionKind, Move, NewAction, Order, OrderStatus
from webhookctl.core.outcomes import ActionOutcome
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent
from webhookctl.core.ports.handler import Handler, Repeat, Result, Succeeded, Task
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.redaction import Code
from webhookctl.core.retries import RetryPolicy
from webhookctl.flows.act import Act

START = 1_790_000_000_000
CODE = "ABCD-EFGH-1234-5678"


@dataclass
class Clock:
    """A time that only the test moves."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


@contextmanager
def opened(folder: Path) -> Iterator[SqliteStore]:
    """Open the store in `folder`, as each process does for itself."""
    store = open_store(folder / "webhookctl.db", AesGcmCipher([bytes(32)]), create=True)
    try:
        yield store
    finally:
        store.close()


def order(reference: str) -> Order:
    """Return a fulfilled order with a code."""
    items = (Item("GC-25", Code(CODE)),)
    return Order("acme", reference, OrderStatus.FULFILLED, START, START, fulfilled_at=START, items=items)


def add(store: SqliteStore, *actions: NewAction, orders: Sequence[Order] = (), now: int = START) -> None:
    """Write `orders` and `actions` as `apply` does: as what one event causes."""
    delivery = Delivery("acme", b"{}", (), now, uuid_utils.uuid7().bytes)
    store.intake.accept([Verified(delivery, "env:ACME_SECRET")])
    (claimed,) = store.events.claim(now=now, limit=1, lease_ms=1000)
    assert isinstance(claimed, ClaimedEvent)
    moves = (*(Move(each) for each in orders), Move(None, actions))
    event = Event("acme", EventType.FULFILLED, "SHOP-1")
    application = Application(claimed.event.id, claimed.claim, EventState.DONE, event=event, moves=moves)
    assert store.events.apply([application], now=now) == [Applied.DONE]


def deliver(reference: str = "SHOP-1") -> NewAction:
    return NewAction("acme", reference, ActionKind.DELIVER, "fulfilled")


@dataclass
class Scripted:
    """A handler that ends as the test says: by a result, or by raising."""

    results: list[Result | BaseException] = field(default_factory=list)
    repeat: Repeat = Repeat.AT_LEAST_ONCE
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    tasks: list[Task] = field(default_factory=list)
    ready: bool = True

    async def handle(self, task: Task) -> Result:
        self.tasks.append(task)
        result = self.results.pop(0) if self.results else Succeeded("Done.")
        if isinstance(result, BaseException):
            raise result
        return result


def acting(store: SqliteStore, clock: Clock, handler: Handler, *kinds: ActionKind) -> Act:
    """Return an `Act` whose jitter is always half, with one handler for `kinds` (or `deliver`)."""
    return Act(store.outbox, store.orders, dict.fromkeys(kinds or [ActionKind.DELIVER], handler), clock, lambda: 0.5)


def turn(act: Act, limit: int = 10) -> list[ActionOutcome]:
    """Take what is due, call it and settle it, as the worker does."""

    async def calls() -> list[ActionOutcome]:
        ended = [await act.call(held) for held in act.take(limit)]
        return act.settle(ended)

    return asyncio.run(calls())


def actions(store: SqliteStore, kind: ActionKind = ActionKind.DELIVER) -> list[Action]:
    """Return the actions of a kind, oldest first."""
    return store.outbox.find(ActionQuery(kind=kind))[::-1]


def only(store: SqliteStore, kind: ActionKind = ActionKind.DELIVER) -> Action:
    (action,) = actions(store, kind)
    return action
