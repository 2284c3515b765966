"""What stands behind `replay`, where it handles again."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import Settings
from webhookctl.core.events import StoredEvent
from webhookctl.core.orders import CodesRule
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows import replay as flow
from webhookctl.flows.handling import Supplier
from webhookctl.flows.judging import Judge
from webhookctl.wiring import now_ms, steady_clock, stored_event

Walk: TypeAlias = Callable[[], Iterator[StoredEvent]]
"""Walks through the events that are meant, from the first, whenever it is called."""


class Replaying:
    """Handles again what is in an open store, by the settings of now."""

    def __init__(self, settings: Settings, store: SqliteStore) -> None:
        self._store = store
        self._newest = store.feed.newest()
        self.left_out = set[int]()
        """Events that were meant, and are only handled where they are named."""
        suppliers = {name: Supplier(one.mapping, one.policy) for name, one in settings.suppliers.items()}
        self._replay = flow.Replay(store.events, Judge(store.events, store.orders, suppliers))

    def events(self, ids: Iterable[str], query: EventQuery, *, missing: bool) -> Walk:
        """Return what walks through the events that are meant, in order of arrival: what arrives later is not."""
        if numbers := list(ids):
            return lambda: iter(sorted({one.id: one for one in self._named(numbers)}.values(), key=_place))
        return lambda: self._selected(query, missing=missing)

    def _selected(self, query: EventQuery, *, missing: bool) -> Iterator[StoredEvent]:
        """Leave out what would end this process as it ended the worker: each run would come no further."""
        for event in flow.selected(self._store.events, query, newest=self._newest, missing=missing):
            if event.stops_the_worker:
                self.left_out.add(event.id)
            else:
                yield event

    def _named(self, ids: Iterable[str]) -> list[StoredEvent]:
        return [stored_event(self._store, one) for one in ids]

    def plan(self, events: Iterable[StoredEvent], advance: Callable[[int], None]) -> flow.Tally:
        """Say what would become of them."""
        return self._replay.plan(events, now=now_ms(), advance=advance)

    @staticmethod
    def nothing_yet() -> flow.Tally:
        """Return what counts what is done."""
        return flow.Tally()

    def run(self, events: Iterable[StoredEvent], tally: flow.Tally, advance: Callable[[int], None]) -> None:
        """Handle them; live work goes first."""
        pace = flow.Pace(self._store.feed.newest, time.sleep, time.monotonic)
        self._replay.run(events, tally, clock=steady_clock(), pace=pace, advance=advance)


def _place(event: StoredEvent) -> tuple[int, int]:
    return event.place


def needs_codes(settings: Settings, supplier: str) -> bool:
    """Say whether a delivery of this supplier's orders is nothing without codes."""
    known = settings.suppliers.get(supplier)
    return known is None or known.policy.codes is CodesRule.REQUIRED
