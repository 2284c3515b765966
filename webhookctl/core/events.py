"""What does the delivery say, in our own words?"""

from dataclasses import dataclass, field
from enum import StrEnum

from webhookctl.core.deliveries import Headers, Via
from webhookctl.core.redaction import Code


class EventType(StrEnum):
    """What a supplier can tell us."""

    CREATED = "order.created"
    PARTIAL = "order.partial"
    FULFILLED = "order.fulfilled"
    FAILED = "order.failed"
    REFUNDED = "order.refunded"
    BALANCE_LOW = "balance.low"


class EventState(StrEnum):
    """How far an event has come with us."""

    QUEUED = "queued"
    DONE = "done"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was ordered; its code arrives with the fulfilment."""

    sku: str | None = None
    code: Code | None = None
    pin: Code | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a supplier said, mapped to our words."""

    supplier: str
    type: EventType
    reference: str | None
    """The shop's own order id; None only for `balance.low`."""
    order_id: str | None = None
    """The supplier's order id."""
    occurred_at: int | None = None
    """The supplier's own time, in milliseconds since 1970; for the story, not for decisions."""
    items: tuple[Item, ...] = ()
    via: Via = Via.WEBHOOK
    hint: bool = False
    """The supplier's word alone proves nothing (`confirm = "poll"`): it says only which order to ask about."""
    balance: str | None = None
    """What is left of our money there, where the supplier says so: a decimal number as text."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the store holds it: the delivery's exact bytes, and what `apply` made of it."""

    id: int
    supplier: str
    received_at: int
    via: Via
    delivery_id: str
    """A UUIDv7 in its text form."""
    matched: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    state: EventState = EventState.QUEUED
    type: str | None = None
    reference: str | None = None
    order_id: str | None = None
    occurred_at: int | None = None
    attempts: int = 0
    error: str | None = None
    duplicate_of: int | None = None
    event_id: bytes | None = None
    """The supplier's event id, where it stood in a header that the signature covers."""
