"""What does the delivery say, in our own words?"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from webhookctl.core.deliveries import ON_SOMEBODYS_WORD, Headers, Via
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
    media_type: str | None = None
    """What `code` is, where it is no text: `image/png` means the base64 of an image, which is never printed."""


STOPS_THE_WORKER: Final = "handling it seems to stop the worker"
"""So ends the reason of an event that was set aside because whoever began to handle it ended."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a supplier said, mapped to our words."""

    supplier: str
    type: EventType
    reference: str | None
    """The shop's own order id; None for `balance.low`, and where the supplier only names its own."""
    order_id: str | None = None
    """The supplier's order id."""
    occurred_at: int | None = None
    """The supplier's own time, in milliseconds since 1970; for the story, not for decisions."""
    items: tuple[Item, ...] = ()
    via: Via = Via.WEBHOOK
    hint: bool = False
    """Nothing of it is sure: it only says that the supplier should be asked about the order."""
    balance: str | None = None
    """What is left with the supplier, in its own digits."""
    note: str | None = None
    """What was looked for in vain, for the operator."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What moves no order: `dead` where it should have, `ignored` where it need not, `done` where a word is unknown."""

    supplier: str
    state: EventState
    reason: str
    reference: str | None = None
    order_id: str | None = None
    """Whom it seems to be about: for the lists, not for decisions."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one of several orders in a delivery was said to be, and what came of it."""

    state: EventState
    type: str | None = None
    reference: str | None = None
    order_id: str | None = None
    reason: str | None = None


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
    orders: tuple[Spoken, ...] = ()
    """Each order that the delivery speaks of, where there are several."""
    method: str = "POST"
    url: str = ""
    """The public URL as the supplier knows it; empty where the settings named none."""
    unreadable: str | None = None
    """Why headers and body are empty where they were asked for: a sentence that names the key."""

    @property
    def stops_the_worker(self) -> bool:
        """True where handling it seems to end the process that does."""
        return self.state is EventState.DEAD and (self.error or "").endswith(STOPS_THE_WORKER)

    @property
    def is_imported(self) -> bool:
        """True where it comes from a file: also what somebody had learned by asking."""
        return self.via is Via.IMPORT or self.matched.startswith(ON_SOMEBODYS_WORD)

    @property
    def place(self) -> "Place":
        """Where it stands among all events, oldest first."""
        return Place(self.received_at, self.id)


class Place(NamedTuple):
    """How far a walk through the events has come: those received earlier, and of the same moment the lower ids."""

    received_at: int
    id: int
