"""A store in which things came, and its replay."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uuid_utils

from webhookctl import suppliers
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import Action, ActionState, Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery, Settlement
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.judging import Judge
from webhookctl.flows.replay import Pace, Replay, Tally, selected

NOW = 1_777_000_000_000
KEY = bytes(range(32))
GENERIC = Supplier(Mapping.parse(suppliers.preset("generic")["map"]), Policy())
EVERYTHING = EventQuery(limit=1_000_000)


def said(word: str, reference: str | None, code: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    items = [{"sku": "a", "code": f"CODE-{reference}" if code is None and word == "fulfilled" else code}]
    return {"event": f"order.{word}", "data": {"reference": reference, "items": items} | more}


@dataclass
class Shop:
    """A store, the settings that hold for it, and a clock."""

    store: SqliteStore
    supplier: Supplier | None = GENERIC
    now: int = NOW
    told: list[int] = field(default_factory=list)

    def arrive(self, *bodies: object) -> None:
        """Take in what a supplier says, a millisecond apart."""
        for body in bodies:
            self.now += 1
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            delivery = Delivery("acme", raw, (), self.now, uuid_utils.uuid7().bytes)
            self.store.intake.accept([Verified(delivery, "env:S")])

    def apply(self) -> None:
        self.now += 1
        while Apply(self.store.events, self.store.orders, self.suppliers).run(now=self.now):
            pass

    @property
    def suppliers(self) -> dict[str, Supplier]:
        return {} if self.supplier is None else {"acme": self.supplier}

    def set(self, **policy: Any) -> None:  # noqa: ANN401 - the policy's own fields
        self.supplier = Supplier(GENERIC.mapping, replace(GENERIC.policy, **policy))

    def deliver(self) -> None:
        """Carry out all that is due."""
        kinds = [action.kind for action in self.actions(state=ActionState.WAITING)]
        claimed = self.store.outbox.claim(kinds, now=self.now, limit=1_000, lease_ms=60_000)
        done = [Settlement(one.action.id, one.claim, ActionState.DONE, "200") for one in claimed]
        self.store.outbox.settle(done, now=self.now)

    def actions(self, **query: Any) -> list[Action]:  # noqa: ANN401 - the query's own fields
        return self.store.outbox.find(ActionQuery(limit=10_000, **query))

    def asked(self) -> list[tuple[str, str, str]]:
        """Say all that was ever asked for: kind, reference and state."""
        return sorted((one.kind.value, one.subject, one.state.value) for one in self.actions())

    def statuses(self) -> dict[str, str]:
        return {one.reference: one.status.value for one in self.store.orders.find(OrderQuery(limit=10_000))}

    def states(self) -> list[str]:
        """Say how each event stands, in order of arrival."""
        return [one.state.value for one in reversed(self.store.events.find(EventQuery(limit=10_000)))]

    def replay(self) -> Replay:
        return Replay(self.store.events, Judge(self.store.events, self.store.orders, self.suppliers))

    def plan(self, query: EventQuery = EVERYTHING, *, missing: bool = False) -> dict[str, int]:
        """Say what there would be, without what there would be none of."""
        self.now += 1
        events = selected(self.store.events, query, newest=self.store.feed.newest(), missing=missing)
        return counted(self.replay().plan(events, now=self.now, advance=self.told.append))

    def run(self, query: EventQuery = EVERYTHING, *, missing: bool = False) -> dict[str, int]:
        """Handle again, and say what that came to."""
        self.now += 1
        events = selected(self.store.events, query, newest=self.store.feed.newest(), missing=missing)
        tally = Tally()
        pace = Pace(self.store.feed.newest, lambda _: None)
        self.replay().run(events, tally, clock=lambda: self.now, pace=pace, advance=self.told.append)
        return counted(tally)


def counted(tally: Tally) -> dict[str, int]:
    return {name: count for name, count in tally.counts().items() if count}


@contextmanager
def shop_at(path: Path) -> Iterator[Shop]:
    path.parent.chmod(0o700)
    with closing(open_store(path, AesGcmCipher([KEY]), create=True)) as store:
        yield Shop(store)
