"""The orders, and what is known of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhookctl.core.events import StoredEvent
from webhookctl.core.orders import Action, ActionState, Attempt, Intervention, Move, NewAction, Order, OrderStatus


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders to list, newest first; None does not filter."""

    supplier: str | None = None
    status: OrderStatus | None = None
    reference: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50
    held: bool = False
    """Only those that wait for a person."""
    overdue_at: int | None = None
    """Only those that are past due at this time."""


@dataclass(frozen=True, slots=True)
class Reveal:
    """Who looked at the codes of an order, when and why: in the operator's own words."""

    at: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that the store knows of one order."""

    order: Order
    events: Sequence[StoredEvent]
    """Oldest first, with empty headers and body."""
    actions: Sequence[Action]
    attempts: Sequence[Attempt]
    reveals: Sequence[Reveal]
    interventions: Sequence[Intervention] = ()
    """What people did about it, oldest first."""


class Orders(Protocol):
    """The orders, keyed by (supplier, reference)."""

    def get(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        """Return those of the (supplier, reference) pairs that are known, codes opened."""

    def suppliers_of(self, references: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return, per reference, the suppliers that have an order of it."""

    def references_of(self, order_ids: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
        """Return, per (supplier, order id), the references of the orders that have it: two at most."""

    def find(self, query: OrderQuery) -> list[Order]:
        """List orders, newest first, without their items."""

    def story(self, supplier: str, reference: str) -> Story | None:
        """Return all that is known of an order."""

    def asked(self, actions: Sequence[NewAction], *, now: int) -> list[ActionState | None]:
        """Return, for each, the state of what was asked for in its stead: its like, or one within its cooldown.

        None where it would be added. Where it was done in several generations the furthest counts: `done`, or else the
        newest.
        """

    def write(self, moves: Sequence[Move], *, now: int) -> list[bool]:
        """Write what follows from no event, in one transaction: orders (compare-and-set), actions, interventions.

        False where the order has moved on since it was read: nothing was written of that move. Restraints, releases
        and interventions need the order in their move.
        """

    def record_reveal(self, supplier: str, reference: str, reveal: Reveal) -> None:
        """Write down, durably, that somebody is about to see the order's codes."""
