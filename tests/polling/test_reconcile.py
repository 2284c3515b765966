"""The supplier's own list beside ours: what differs is shown, and taken over where that is wanted."""

import asyncio
from collections.abc import AsyncIterator

import uuid_utils

from tests.polling.asking import apply, arrive, now_ms, order_of
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventState, EventType, Item, Unmapped
from webhookctl.core.orders import CodesRule, OrderStatus
from webhookctl.core.redaction import Code
from webhookctl.core.retries import HOUR
from webhookctl.flows.reconcile import Deviation, Difference, Reconcile


def listed(number: int, type_: EventType, *codes: str) -> Event:
    items = tuple(Item(code=Code(code)) for code in codes)
    return Event("acme", type_, f"R-{number}", f"S-{number}", items=items, via=Via.POLL)


def compare(store: SqliteStore, *said: Event | Unmapped) -> tuple[Reconcile, list[Deviation]]:
    async def stream() -> AsyncIterator[Event | Unmapped]:
        for one in said:
            yield one

    flow = Reconcile("acme", store.orders, store.intake, CodesRule.REQUIRED, now_ms, lambda: uuid_utils.uuid7().bytes)
    return flow, asyncio.run(flow.compare(stream(), since=now_ms() - 48 * HOUR))


def told(deviations: list[Deviation]) -> list[tuple[str | None, Difference, str | None, str | None]]:
    return [(one.reference, one.difference, one.ours, one.theirs) for one in deviations]


def test_what_agrees_is_not_shown(store: SqliteStore) -> None:
    """The same orders in the same states differ in nothing."""
    arrive(store, 1)
    arrive(store, 2, status="done", code="C-2")

    assert compare(store, listed(1, EventType.CREATED), listed(2, EventType.FULFILLED, "C-2"))[1] == []


def test_each_kind_of_difference_is_named(store: SqliteStore) -> None:
    """Never heard of, another status, unknown to them, unreadable: each with both sides."""
    arrive(store, 1)
    arrive(store, 3, age=2 * HOUR)
    arrive(store, 4)  # too young to be missed there
    unreadable = Unmapped("acme", EventState.DONE, "the status 'odd' is not known", "R-5", "S-5")

    _, deviations = compare(store, listed(1, EventType.FAILED), listed(2, EventType.CREATED), unreadable)

    assert told(deviations) == [
        ("R-1", Difference.OTHER_STATUS, "pending", "failed"),
        ("R-2", Difference.UNKNOWN_HERE, None, "pending"),
        ("R-5", Difference.UNREADABLE, None, "the status 'odd' is not known"),
        ("R-3", Difference.UNKNOWN_THERE, "pending", None),
    ]


def test_taking_over_never_moves_an_order_down(store: SqliteStore) -> None:
    """What differs is stored as events, which the ladder judges: a fulfilled one stays; a new one is registered."""
    arrive(store, 1, status="done", code="C-1")
    arrive(store, 2)

    flow, deviations = compare(
        store, listed(1, EventType.CREATED), listed(2, EventType.FULFILLED, "C-2"), listed(9, EventType.FULFILLED)
    )
    stored = flow.apply(deviations)
    apply(store)

    assert stored == 2
    assert order_of(store).status is OrderStatus.FULFILLED
    assert order_of(store, ("acme", "R-2")).status is OrderStatus.FULFILLED
    assert order_of(store, ("acme", "R-9")).status is OrderStatus.PENDING  # its code is found by asking
