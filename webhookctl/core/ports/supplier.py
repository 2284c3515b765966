"""A supplier that can be asked how its orders stand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from webhookctl.core.events import Event, Unmapped
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.orders import Order

MOST_ANSWERED = 1024 * 1024
"""Bytes of one answer; the largest list of a hundred orders is far below."""


@dataclass(frozen=True, slots=True)
class SecondCall:
    """Where the codes are, if they come apart from the order."""

    path: str
    places: Places
    first_page: int = 1
    page_size: int = 100
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_paged(self) -> bool:
        return "{page}" in self.path


@dataclass(frozen=True, slots=True)
class ListCall:
    """Many orders in one call: those of a list of ids, or those of a time."""

    places: Places
    ids: str | None = None
    path: str | None = None
    first_page: int = 1
    page_size: int = 100
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Api:
    """How a supplier is asked."""

    base_url: str
    order: tuple[str, ...]
    """Path templates with {order_id} or {reference}: the first of which everything is known."""
    places: Places
    headers: Mapping[str, str] = field(default_factory=dict)
    per_second: float | None = None
    """At most so many requests; None: as many as `concurrency` allows."""
    concurrency: int = 4
    timeout_s: float = 10.0
    then: SecondCall | None = None
    list: ListCall | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the supplier says, mapped to our words; whether it speaks of our order is not checked yet."""

    what: Event | Unmapped
    by_reference: bool = False
    """The question named the shop's own reference."""


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The supplier has no such order (yet)."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The supplier was asked, and did not answer anything that can be used."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The question was not put: time was up, the supplier is down, or nothing is known that it could be asked by."""

    reason: str | None = None
    """None: another run does it."""


Reply: TypeAlias = Said | NotKnown | Unanswered | NotAsked


@dataclass(frozen=True, slots=True)
class Condition:
    """How it goes with asking this supplier; a run is over where `stopped` is set."""

    stopped: str | None = None
    """Why it is not asked any more: a sentence for the operator."""
    not_before_ms: int | None = None
    """How long it wants to be left alone."""
    answered: bool = False
    """It has answered something useful in this run."""


class Supplier(Protocol):
    """One supplier's API."""

    @property
    def condition(self) -> Condition:
        """How it has done so far."""

    @property
    def batch(self) -> int:
        """How many orders to ask about at once, so that it is never idle and answers are kept soon."""

    def enough(self) -> None:
        """Put no more questions: what is on its way comes to its end."""

    async def ask(self, orders: Sequence[Order], *, until: float) -> Sequence[Reply]:
        """Ask about each, until the loop's time `until`; a reply for each, in their order; never raises for it."""

    def recent(self, *, since: int, until: int, deadline: float) -> AsyncIterator[Event | Unmapped]:
        """Read the supplier's list of orders of this time; raises `UpstreamError`, or `SettingsError` without one."""
