"""The shop at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhookctl.core.orders import Action


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of all that the store holds, and what is oldest of what waits."""

    orders: Mapping[str, int]
    """By status."""
    events: Mapping[str, int]
    """By state."""
    actions: Mapping[tuple[str, str], int]
    """By (kind, state)."""
    held_orders: int
    overdue_orders: int
    repeats_answered: int
    """Deliveries that were answered 200 without a row, as the same bytes had been stored."""
    rejected: int
    """Deliveries in the quarantine."""
    oldest_queued_at: int | None
    newest_event_at: int | None
    journal_mode: str
    """`wal`, or `delete` where this SQLite is one that can lose rows in WAL mode."""
    untold_alerts: int = 0
    """Alerts that could not be sent so far; they are tried again."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What followed from one event."""

    actions: Sequence[Action]
    """Oldest first; those that an earlier event had caused already are not among them."""
    repeats: Sequence[int]
    """Later events that said the same: the first hundred."""
    orders: Sequence[tuple[str, str, str]]
    """Supplier, reference and present status of each order that it speaks of."""


class Reports(Protocol):
    """Questions that only look."""

    def summary(self, *, now: int) -> Summary:
        """Count everything."""

    def secret_uses(self) -> dict[tuple[str, str], int]:
        """Return when a delivery that was applied matched each secret last, by (supplier, reference of the secret)."""

    def effects(self, number: int) -> Effects:
        """Return what followed from the event of this number; nothing for one that is not there."""
