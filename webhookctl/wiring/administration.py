"""What stands behind the admin listener."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from webhookctl.adapters import metrics
from webhookctl.adapters.free_space import is_low
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import Settings, admin_token
from webhookctl.core.errors import StoreError
from webhookctl.core.orders import Registered
from webhookctl.flows.order_files import parse
from webhookctl.flows.register import Outcome, Register
from webhookctl.flows.report import Row, order_row
from webhookctl.server.admin import Admin, Reply
from webhookctl.wiring import now_ms, order_reading, policies, store

_COUNTED_EVERY_S: Final = 5.0
"""Counting walks whole indexes: whoever asks more often gets the same again."""
_NOBODY: Final = ("", "")
_STATUS: Final = {Registered.NEW: 201, Registered.KNOWN: 200, Registered.HELD: 409}


def admin(
    opened: SqliteStore, in_force: Callable[[], Settings], counts: Mapping[str, int], broken: Callable[[], bool]
) -> Admin:
    """Join the listener to the store; `in_force` are the settings that hold when it is asked."""
    settings = in_force()
    desk = _Desk(opened, in_force, counts, broken)
    token = settings.serve.admin_token
    read = admin_token(settings.read([token], os.environ)[0]) if token else None
    return Admin(desk.health, desk.metrics, desk.register, read)


@dataclass(slots=True)
class _Desk:
    """Answers what the listener is asked."""

    opened: SqliteStore
    in_force: Callable[[], Settings]
    counts: Mapping[str, int]
    broken: Callable[[], bool]
    _counted: tuple[bytes, str] = (b"", "")
    _count_again: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def health(self) -> str | None:
        if self.broken():
            return "the store is broken, and this process ends"
        if is_low(self.in_force().store.path.parent):
            return "there is hardly any space left where the store lies"
        try:
            self.opened.orders.get([_NOBODY])
        except StoreError as error:
            return str(error)
        return None

    def metrics(self) -> tuple[bytes, str]:
        """Count by a connection of our own: a walk along ten million rows must not keep deliveries waiting."""
        with self._lock:
            if time.monotonic() >= self._count_again:
                now = now_ms()
                with store(self.in_force()) as aside:
                    summary = aside.reports.summary(now=now)
                self._counted = metrics.exposition(dict(self.counts), summary, now=now)
                self._count_again = time.monotonic() + _COUNTED_EVERY_S
            return self._counted

    def register(self, body: bytes) -> Reply:
        settings = self.in_force()
        try:
            registration = order_reading(settings).order(parse(body))
        except ValueError as error:
            return Reply(400, {"error": f"the order can't be registered: {error}"})
        (outcome,) = Register(self.opened.orders, policies(settings)).run([registration], now=now_ms())
        return Reply(_STATUS[outcome.state], _page(outcome))


def _page(outcome: Outcome) -> Row:
    return {"registered": outcome.state.value} | order_row(outcome.order)
