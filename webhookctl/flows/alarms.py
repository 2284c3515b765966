"""Telling a person about what has not happened in time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from webhookctl.core.moments import to_the_second
from webhookctl.core.orders import Action, ActionKind, NewAction, Order, Policy, return_until
from webhookctl.core.ports.alarms import UNAPPLIED, Waiting, Window
from webhookctl.core.ports.alarms import Alarms as Port
from webhookctl.core.retries import MINUTE, SECOND

_FURTHEST_BACK_MS: Final = 7 * 86_400_000
"""How far the first look goes back: whoever ran before has told of what is older."""
_OVERLAP_MS: Final = 600_000
"""How much each look sees again: another process's clock, or its last transaction, may lag behind ours."""

_WAITING_EVERY_MS: Final = 60_000
_HOURLY: Final = 20
"""A supplier's alerts of this kind: another shop's orders at the same account must not become an alert each."""


@dataclass(slots=True)
class Alarms:
    """Looks at what has become late since the last look."""

    store: Port
    policies: Callable[[], Mapping[str, Policy]]
    deliver_within_ms: Callable[[], int]
    wait_ms: Callable[[], int]
    """How long an event may wait for its order: shops make it known once the supplier has answered, or later."""
    _looked_at: int | None = field(default=None, init=False)
    _looked_at_waiting: int = field(default=0, init=False)

    def run(self, *, now: int) -> int:
        """Alert what is late and was not alerted yet; returns how much that was."""
        since = 0 if self._looked_at is None else self._looked_at - _OVERLAP_MS
        overdue = self.store.overdue(overdue_alert, since=since, until=now, now=now)
        within = self.deliver_within_ms()
        first = now - _FURTHEST_BACK_MS if self._looked_at is None else since - within
        undelivered = self.store.undelivered(self._undelivered, since=first, until=now - within, now=now)
        self._looked_at = now
        return overdue + undelivered + self._waiting(now)

    def _waiting(self, now: int) -> int:
        """Tell of events without an order; by the clock of their coming, so each look sees all that are there."""
        if now - self._looked_at_waiting < _WAITING_EVERY_MS:
            return 0
        self._looked_at_waiting = now
        window = Window(now - _FURTHEST_BACK_MS, now - self.wait_ms(), _HOURLY)
        return sum(self.store.waiting(name, waiting_alert, window, now=now) for name in self.policies())

    def _undelivered(self, order: Order, action: Action) -> NewAction:
        policy = self.policies().get(order.supplier)
        window = policy.return_window_ms if policy else None
        return undelivered_alert(order, action, self.deliver_within_ms(), window)


def overdue_alert(order: Order) -> NewAction:
    """Say that an order's time has run out."""
    due = f"it was due at {to_the_second(order.due_at)}" if order.due_at is not None else "its time has run out"
    detail = f"Order {order.reference} at {order.supplier} is still {order.status}: {due}."
    return NewAction(*order.key, ActionKind.ALERT, "overdue", detail=detail)


def undelivered_alert(order: Order, action: Action, within_ms: int, return_window_ms: int | None) -> NewAction:
    """Say that a fulfilled order's code has not reached the shop, why, and until when the supplier takes it back."""
    why = f"the last attempt: {action.error.rstrip('.')}" if action.error else "it was not tried, or has not ended yet"
    detail = (
        f"Order {order.reference} at {order.supplier} is fulfilled and was not delivered "
        f"within {_span(within_ms)}: {why}."
    )
    until = return_until(order, return_window_ms)
    if until is not None:
        detail += f" The supplier takes it back until {to_the_second(until)}."
    return NewAction(*order.key, ActionKind.ALERT, "undelivered", detail=detail)


def waiting_alert(event: Waiting) -> NewAction:
    """Say that a supplier speaks of an order that it can't be told of, and why."""
    detail = (
        f"Event {event.id} of {event.supplier}, of {to_the_second(event.received_at)}, speaks of its order "
        f"{event.order_id!r} and waits: {event.reason.rstrip('.')}. "
        "`webhookctl events list --state dead` shows all that wait."
    )
    return NewAction(event.supplier, "", ActionKind.ALERT, f"{UNAPPLIED}:{event.order_id}", detail=detail)


def _span(ms: int) -> str:
    return f"{ms // MINUTE} min" if ms >= MINUTE else f"{ms / SECOND:g} s"
