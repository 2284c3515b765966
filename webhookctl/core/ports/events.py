"""The event log: what came, and what `apply` made of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventState, Place, Spoken, StoredEvent, Unmapped
from webhookctl.core.orders import Move
from webhookctl.core.ports.orders import Reveal


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that is ours until the claim ends."""

    event: StoredEvent
    claim: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A claimed event whose sealed bytes can't be opened; `reason` names the key."""

    id: int
    supplier: str
    claim: str
    reason: str


@dataclass(frozen=True, slots=True)
class Application:
    """What is to be written of one event, claimed or handled again, in one transaction."""

    id: int
    claim: str | None
    """None where it is handled again: written while the event stands as `before` says, and nobody holds it."""
    state: EventState
    """`done`, `ignored` or `dead`; the store makes it `duplicate` when `key` was seen before."""
    reason: str | None = None
    event: Event | Unmapped | None = None
    """What was said of the order; None where the delivery speaks of several, or could not be opened."""
    key: bytes | None = None
    """What makes two deliveries the same event (before hashing): an event id, or the body's digest."""
    moves: tuple[Move, ...] = ()
    orders: tuple[Spoken, ...] = ()
    """What was said of each order, where the delivery speaks of several."""
    before: EventState | None = None
    """The state that it was read in; of a claimed one that is `queued`, which its claim vouches for."""


class Applied(StrEnum):
    """What became of one application."""

    DONE = "done"
    DUPLICATE = "duplicate"
    STALE = "stale"
    """The order had moved on since it was read: nothing was written, read it again."""
    LOST = "lost"
    """The claim had ended, or what is handled again is not as it was read: nothing was written, another has it now."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are meant; None does not filter."""

    supplier: str | None = None
    type: str | None = None
    state: EventState | None = None
    reference: str | None = None
    order_id: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50
    via: Via | None = None


class Events(Protocol):
    """The event log."""

    def claim(self, *, now: int, limit: int, lease_ms: int) -> list[ClaimedEvent | Unreadable]:
        """Take up to `limit` queued events, oldest first, until `now + lease_ms`; counts the attempt."""

    def apply(self, applications: Sequence[Application], *, now: int) -> list[Applied]:
        """Write all in one transaction, each wholly or not at all: event, order (compare-and-set), actions, key.

        The answers stand in the order of `applications`.
        """

    def queue_sealed(self) -> int:
        """Queue again what was set aside because a key was missing; returns how much that was."""

    def find(self, query: EventQuery) -> list[StoredEvent]:
        """List events, newest first, with empty headers and body."""

    def walk(self, query: EventQuery, *, after: Place | None = None, opened: bool = False) -> list[StoredEvent]:
        """Return up to `query.limit` events that stand behind `after`, oldest first.

        The last one's place is the next `after`; an empty list is the end. Headers, body and each of several orders are
        only there where `opened` asks for them; one that can't be opened says so in `unreadable`.
        """

    def firsts(self, keys: Sequence[tuple[str, bytes | None]]) -> list[int | None]:
        """Return, for each (supplier, key), the event that had the key first; None where none had."""

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this row number or delivery id, headers and body opened."""

    def record_reveal(self, number: int, reveal: Reveal) -> None:
        """Write down, durably, that somebody is about to see an event as it came."""

    def record_reveals(self, numbers: Sequence[int], reveal: Reveal) -> None:
        """Write down, durably and in one transaction, that somebody is about to see these events as they came."""

    def here(self, delivery_ids: Collection[bytes], *, upto: int) -> set[bytes]:
        """Return those of the deliveries that are in the log under a number not higher than `upto`."""

    def count(self, query: EventQuery) -> int:
        """Return how many events `query` means, whatever its limit."""

    def reveals(self, number: int) -> list[Reveal]:
        """Return who has seen an event as it came, oldest first."""
