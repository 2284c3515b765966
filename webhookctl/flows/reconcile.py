"""Comparing a supplier's own list of recent orders with ours."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from webhookctl.core import answers
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType, Unmapped
from webhookctl.core.orders import CodesRule, Order, OrderStatus
from webhookctl.core.ports.intake import Intake
from webhookctl.core.ports.orders import OrderQuery, Orders

_MOST: Final = 1_000_000
_SLACK_MS: Final = 3_600_000
"""Clocks differ, and a supplier's list may lag behind: what is younger is not missed yet."""


class Difference(StrEnum):
    """How the two lists differ at one order."""

    UNKNOWN_HERE = "unknown here"
    OTHER_STATUS = "other status"
    UNKNOWN_THERE = "unknown there"
    UNREADABLE = "can't be read"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One order at which the lists differ."""

    supplier: str
    difference: Difference
    reference: str | None
    order_id: str | None
    ours: str | None
    theirs: str | None
    event: Event | None = None
    """What is stored where the operator wants it to be; None: nothing can be done by itself."""


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Reads the supplier's list, and looks each of its orders up here."""

    supplier: str
    orders: Orders
    intake: Intake
    codes: CodesRule
    now: Callable[[], int]
    new_id: Callable[[], bytes]

    async def compare(self, listed: AsyncIterator[Event | Unmapped], *, since: int) -> list[Deviation]:
        """Return all deviations among the orders since then; raises what reading the list raises."""
        said = [one async for one in listed]
        known = self._known([one for one in said if isinstance(one, Event)])
        deviations = [found for one in said if (found := self._deviation(one, known)) is not None]
        seen = {(one.reference, one.order_id) for one in said}
        return [*deviations, *self._missing_there(seen, since)]

    def apply(self, deviations: Sequence[Deviation]) -> int:
        """Store what the supplier says as events, durably; return how many."""
        now = self.now()
        events = [one.event for one in deviations if one.event is not None]
        self.intake.accept([answers.delivery_of(event, now=now, delivery_id=self.new_id()) for event in events])
        return len(events)

    def _known(self, said: Sequence[Event]) -> dict[str, Order]:
        """Return our orders by their reference and by their order id."""
        nameless = {(self.supplier, one.order_id) for one in said if one.order_id and not one.reference}
        found = self.orders.references_of(nameless) if nameless else {}
        keys = {(self.supplier, one.reference) for one in said if one.reference}
        keys |= {(self.supplier, reference) for references in found.values() for reference in references}
        ours = self.orders.get(keys).values()
        return {f"id:{one.order_id}": one for one in ours if one.order_id} | {
            f"ref:{one.reference}": one for one in ours
        }

    def _deviation(self, one: Event | Unmapped, known: dict[str, Order]) -> Deviation | None:
        if isinstance(one, Unmapped):
            names = (one.reference, one.order_id)
            return Deviation(self.supplier, Difference.UNREADABLE, *names, None, one.reason) if any(names) else None
        ours = known.get(f"ref:{one.reference}") if one.reference else known.get(f"id:{one.order_id}")
        theirs = answers.status_of(one)
        if ours is None:
            return Deviation(
                self.supplier, Difference.UNKNOWN_HERE, one.reference, one.order_id, None, theirs, self._new(one)
            )
        if ours.status is theirs:
            return None
        order_id, event = ours.order_id or one.order_id, self._changed(ours, one)
        return Deviation(
            self.supplier, Difference.OTHER_STATUS, ours.reference, order_id, ours.status.value, theirs.value, event
        )

    def _new(self, one: Event) -> Event | None:
        """Register it as pending and let asking find the rest, where the list doesn't give the codes."""
        if one.reference is None:
            return None
        event = replace(one, supplier=self.supplier, via=Via.POLL)
        return replace(event, type=EventType.CREATED, items=()) if self._lacks_codes(one) else event

    def _changed(self, ours: Order, one: Event) -> Event | None:
        """What is lower on the ladder changes nothing; what lacks its codes is found by asking."""
        if one.type is EventType.CREATED or self._lacks_codes(one):
            return None
        order_id = ours.order_id or one.order_id
        if one.order_id and one.order_id != order_id:
            return None
        return replace(one, supplier=self.supplier, reference=ours.reference, order_id=order_id, via=Via.POLL)

    def _lacks_codes(self, one: Event) -> bool:
        needs = one.type is EventType.FULFILLED and self.codes is CodesRule.REQUIRED
        return needs and answers.lacks_codes(one.items, 0)

    def _missing_there(self, seen: Collection[tuple[str | None, str | None]], since: int) -> list[Deviation]:
        references, ids = {reference for reference, _ in seen}, {order_id for _, order_id in seen}
        query = OrderQuery(supplier=self.supplier, since=since, until=self.now() - _SLACK_MS, limit=_MOST)
        return [
            Deviation(self.supplier, Difference.UNKNOWN_THERE, one.reference, one.order_id, one.status.value, None)
            for one in self.orders.find(query)
            if one.reference not in references
            and (one.order_id is None or one.order_id not in ids)
            and one.status is not OrderStatus.REFUNDED
        ]
