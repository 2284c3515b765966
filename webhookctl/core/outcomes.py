"""What happened, as values: flows return these, and telemetry turns each into a log line."""

from dataclasses import dataclass
from typing import TypeAlias

from webhookctl.core.errors import Reason
from webhookctl.core.orders import Action


@dataclass(frozen=True, slots=True)
class Stored:
    """A delivery is durable."""

    supplier: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same delivery had been stored before: it was answered without a row."""

    supplier: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A delivery was not proven to be its supplier's."""

    supplier: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Challenged:
    """A supplier asked whether the address is ours, and was answered."""

    supplier: str


@dataclass(frozen=True, slots=True)
class Unkept:
    """Deliveries were rejected and counted, but not kept: too many came at once, or the store could not take them."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A delivery was longer than what we take: it was answered 413."""

    supplier: str
    limit: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What came was no request as we read them, came too slowly, or came from one client too many."""

    status: int | None
    """What was answered; None: nothing, the connection was cut."""
    reason: str
    client: str
    """The address that it came from."""


@dataclass(frozen=True, slots=True)
class NotStored:
    """A delivery could not be made durable in time: it was answered 503, and the supplier tries again."""

    supplier: str
    reason: str


@dataclass(frozen=True, slots=True)
class EventApplied:
    """What became of one stored event."""

    id: int
    state: str
    type: str | None
    supplier: str | None
    reference: str | None
    status: str | None
    """The order's new status; None where it did not move."""
    reason: str | None
    actions: int
    """How many were asked for; those that existed before are not made again."""
    needs_a_person: bool = False
    """It could not be read, or something is held since it came."""


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How one attempt at an action ended; `action` is as it was when the attempt began."""

    action: Action
    at: int
    detail: str
    """A sentence for the operator, without any code."""


@dataclass(frozen=True, slots=True)
class Delivered(ActionOutcome):
    """The action, of whatever kind, took effect."""


@dataclass(frozen=True, slots=True)
class Postponed(ActionOutcome):
    """The attempt failed and is made again."""

    next_at: int
    alert: bool
    """A person was told, though it is tried on."""


@dataclass(frozen=True, slots=True)
class Dead(ActionOutcome):
    """The action was given up: a person must see to it."""


@dataclass(frozen=True, slots=True)
class Ambiguous(ActionOutcome):
    """The attempt may have taken effect and must not be repeated: a person must look."""


@dataclass(frozen=True, slots=True)
class PutBack(ActionOutcome):
    """The worker stopped before the attempt: it is due again at once."""


@dataclass(frozen=True, slots=True)
class Deferred(ActionOutcome):
    """It was no time for an attempt: none was made, and none is counted."""


@dataclass(frozen=True, slots=True)
class LostClaim(ActionOutcome):
    """Somebody else has the action now: nothing was written."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An action whose handler is the log: this line is its effect."""

    action: Action


@dataclass(frozen=True, slots=True)
class Found:
    """Asking a supplier told us something of an order that no webhook had told; it is stored as an event."""

    supplier: str
    reference: str
    before: str
    """The order's status when it was asked about."""
    said: str


@dataclass(frozen=True, slots=True)
class StillOpen:
    """A supplier was asked about an order, and nothing follows from its answer."""

    supplier: str
    reference: str
    note: str | None
    """Why, where a person would wonder."""
    fresh: bool
    """It is another note than the last time."""


@dataclass(frozen=True, slots=True)
class PersonTold:
    """An order can't be brought to its end by asking: a person was told, just now."""

    supplier: str
    reference: str
    detail: str


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """A supplier was asked about an order, and did not answer anything that can be used."""

    supplier: str
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """There was no time to ask about an order, or no way: another run does."""

    supplier: str
    reference: str


@dataclass(frozen=True, slots=True)
class SupplierNotAsked:
    """A supplier could not be asked: it is down, refuses us, wants to be left alone, or we lack its secret."""

    supplier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """We receive again, and ask at once about what was missed meanwhile."""

    down_s: int | None
    """None: for the first time."""
    stale_orders: int


@dataclass(frozen=True, slots=True)
class MissedWebhooks:
    """Too many of a supplier's webhooks never came: a person was told, just now."""

    supplier: str
    detail: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something about how we work here that the operator should know."""

    detail: str


@dataclass(frozen=True, slots=True)
class Hindered:
    """One of the worker's loops could not do its work; it tries again by itself."""

    where: str
    """`apply`, `act`, `renew`, `upkeep`, `poll`, `backup` or `prune`."""
    reason: str


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """The store was backed up, or pruned, by itself."""

    chore: str
    detail: str


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """The settings were read again while we serve, and hold from now on."""

    changed: tuple[str, ...]
    """What is new, as the settings name it."""
    restart: tuple[str, ...]
    """What has changed there and takes effect only when we are started again."""


@dataclass(frozen=True, slots=True)
class SettingsKept:
    """The settings were read again and are wrong: those of before go on."""

    reason: str


Received: TypeAlias = Stored | Duplicate | Rejected | Challenged | TooLarge | NotStored
"""What becomes of one request."""
Asked: TypeAlias = Found | StillOpen | PersonTold | NotAnswered | PutOff | SupplierNotAsked | MissedWebhooks | Resumed
"""What becomes of asking suppliers."""
Outcome: TypeAlias = (
    Received
    | Unkept
    | Refused
    | EventApplied
    | ActionOutcome
    | Announced
    | Noticed
    | Hindered
    | LookedAfter
    | SettingsRead
    | SettingsKept
    | Asked
)
