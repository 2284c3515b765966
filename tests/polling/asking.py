"""What the tests of polling are built of."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import uuid_utils

from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.adapters.supplier_http import Authorisation, Caller, Fixed, HttpSupplier
from webhookctl.config.api_settings import ApiSettings
from webhookctl.core.asking import AskPolicy
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import CodesRule, Order, Policy
from webhookctl.core.outcomes import Asked
from webhookctl.core.retries import MINUTE
from webhookctl.fanout import Job, fan_out
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.poll import Asking, Poll

KEY = ("acme", "R-1")
BELOW = Mapping.parse(
    {
        "reference": "/reference",
        "order_id": "/id",
        "status": "/status",
        "items": "/items/*",
        "code": "/code",
        "statuses": {"open": "pending", "done": "fulfilled", "failed": "failed", "part": "partial", "back": "refunded"},
    }
)
MAP = {"order_id": "/id", "reference": "/reference", "status": "/status", "items": "/items/*", "code": "/code"}
SUPPLIER = Supplier(BELOW, Policy(can_ask=True))
AGE = 10 * MINUTE


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def api(url: str, **changes: object) -> ApiSettings:
    return ApiSettings.model_validate({"base_url": url, "order": "/orders/{order_id}", "map": MAP, **changes})


def said(order_id: str = "S-1", status: str = "done", *codes: str, **more: object) -> dict[str, Any]:
    """Make what the API says of an order."""
    items = [{"code": code} for code in codes]
    return {"id": order_id, "reference": f"R-{order_id.removeprefix('S-')}", "status": status, "items": items} | more


def arrive(store: SqliteStore, *numbers: int, age: int = AGE, status: str = "open", code: str | None = None) -> None:
    """Have a webhook arrive for each order, `age` ago."""
    at = now_ms() - age
    bodies = [json.dumps(said(f"S-{number}", status, *([code] if code else []))).encode() for number in numbers]
    store.intake.accept(
        [Verified(Delivery("acme", body, (), at, uuid_utils.uuid7().bytes), "env:ACME_SECRET", None) for body in bodies]
    )
    apply(store, at)


def apply(store: SqliteStore, now: int | None = None, supplier: Supplier = SUPPLIER) -> None:
    flow = Apply(store.events, store.orders, {"acme": supplier})
    while flow.run(now=now_ms() if now is None else now):
        pass


def order_of(store: SqliteStore, key: tuple[str, str] = KEY) -> Order:
    return store.orders.get([key])[key]


def actions_of(store: SqliteStore, reference: str = "R-1") -> list[tuple[str, str]]:
    story = store.orders.story("acme", reference)
    assert story is not None
    return [(action.kind.value, action.cause) for action in story.actions]


def asking(
    settings: ApiSettings,
    outbound: Outbound,
    *,
    codes: CodesRule = CodesRule.REQUIRED,
    authorisation: Authorisation | None = None,
    policy: AskPolicy | None = None,
) -> Asking:
    caller = Caller(settings.api(BELOW), authorisation or Fixed(), outbound, now_ms, first_wait_s=0.01)
    return Asking("acme", HttpSupplier("acme", caller), policy or settings.policy, codes)


def poll_of(store: SqliteStore, one: Asking, deadline_s: float = 30.0, now: Callable[[], int] = now_ms) -> Poll:
    deadline = asyncio.get_running_loop().time() + deadline_s
    return Poll(one, store.leases, store.intake, now, lambda: 0.5, lambda: uuid_utils.uuid7().bytes, deadline)


async def run(poll: Poll, *, applied: SqliteStore | None = None) -> list[Asked]:
    """Run to the end; apply what was learned."""
    outcomes = list[Asked]()
    before = poll.leases.standing("acme")
    await fan_out(Job(poll.take, poll.call, poll.failed, poll.settle, outcomes.append), concurrency=2)
    outcomes += poll.finish(before)
    if applied is not None:
        apply(applied)
    return outcomes


def ask(  # noqa: PLR0913 - what a run can differ in
    store: SqliteStore,
    settings: ApiSettings,
    *,
    deadline_s: float = 30.0,
    codes: CodesRule = CodesRule.REQUIRED,
    later_ms: int = 0,
    only: str | None = None,
    wanted_only: bool = False,
) -> list[Asked]:
    """Make one run from start to end, `later_ms` after now; apply what was learned."""

    async def all_of_it() -> list[Asked]:
        async with aclosing(Outbound()) as outbound:
            poll = poll_of(store, asking(settings, outbound, codes=codes), deadline_s, lambda: now_ms() + later_ms)
            poll.only = None if only is None else (only,)
            poll.wanted_only = wanted_only
            return await run(poll, applied=store)

    return asyncio.run(all_of_it())
