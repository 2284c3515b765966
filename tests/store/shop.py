"""A shop whose orders end and are pruned: a store, and what supplier, worker and operator do with it."""

import json
from typing import Final

import pytest
import uuid_utils

from webhookctl import suppliers
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import ActionKind, ActionState, ConfirmRule, Intervention, OrderStatus, Policy
from webhookctl.core.ports.outbox import ActionQuery, ClaimedAction, Settlement
from webhookctl.flows import decide, prune
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.prune import Prune, Total

DAY: Final = 86_400_000
THEN: Final = 1_700_000_000_000
NOW: Final = THEN + 500 * DAY
BEFORE: Final = NOW - 400 * DAY
CODE: Final = "CANARY-AAAA-BBBB"
STATUSES: Final = {"created": "pending"}


class Shop:
    """A store, and what supplier, worker and operator do with it."""

    def __init__(self, store: SqliteStore, confirm: ConfirmRule = ConfirmRule.NONE) -> None:
        self.store = store
        self.at = THEN
        self.policy = Policy(can_ask=confirm is ConfirmRule.POLL, confirm=confirm)

    def said(self, word: str, reference: str = "R1", *, code: str = CODE, salt: str = "") -> bytes:
        items = [{"sku": "a", "code": code}] if word == "fulfilled" else []
        data = {
            "reference": reference,
            "order_id": f"S-{reference}",
            "status": STATUSES.get(word, word),
            "items": items,
        }
        return json.dumps({"event": f"order.{word}", "data": data, "salt": salt}).encode()

    def arrive(self, *bodies: bytes, via: Via = Via.WEBHOOK, at: int = THEN, supplier: str = "acme") -> None:
        """Take deliveries in and apply them."""
        deliveries = [Delivery(supplier, body, (), at, uuid_utils.uuid7().bytes, via) for body in bodies]
        self.store.intake.accept([Verified(delivery, "env:S") for delivery in deliveries])
        mapping = Mapping.parse(suppliers.preset("generic")["map"])
        Apply(self.store.events, self.store.orders, {"acme": Supplier(mapping, self.policy)}).run(now=at)

    def claim(self, *, at: int = THEN) -> list[ClaimedAction]:
        return self.store.outbox.claim(tuple(ActionKind), now=at, limit=100, lease_ms=60_000)

    def act(self, state: ActionState = ActionState.DONE, *, at: int = THEN) -> list[ActionKind]:
        """Carry out all that is due; returns which kinds that were."""
        claimed = self.claim(at=at)
        self.store.outbox.settle([Settlement(one.action.id, one.claim, state, "", at) for one in claimed], now=at)
        return [one.action.kind for one in claimed]

    def end(self, *words: str, reference: str = "R1") -> None:
        """Have an order come all the way to its end."""
        self.at += 1
        for word in words:
            self.arrive(self.said(word, reference), at=self.at)
            for held in self.store.outbox.find(ActionQuery(state=ActionState.HELD)):
                by = Intervention(self.at, "ann", "released", "the customer waits")
                decide.release_order(
                    self.store.orders, (held.supplier, held.subject), by, refund=False, although_refunded=True
                )
            self.act(at=self.at)

    def prune(self, *, limit: int = 100) -> Total:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prune, "BATCH", limit)
            return Prune(self.store.upkeep, BEFORE, NOW, rest=lambda _: None).run()

    def order(self, reference: str = "R1") -> tuple[OrderStatus, bool]:
        found = self.store.orders.get([("acme", reference)])["acme", reference]
        return found.status, found.pruned_at is not None
