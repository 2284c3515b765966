"""Which orders a supplier is to be asked about, by one of us at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from webhookctl.core.orders import Order


@dataclass(frozen=True, slots=True)
class Leased:
    """An order that nobody else asks about until the lease ends."""

    order: Order
    """Without its items."""
    claim: str
    items: int
    """How many items are known of it: a fulfilment must bring a code for each."""
    asked: int
    """How many answers there were before."""
    due_at: int | None
    """When it was to be asked about; None: never asked so far."""
    note: str | None
    """What kept it where it is when it was last asked about."""


@dataclass(frozen=True, slots=True)
class Concern:
    """What a person should know of one order, told once per cause."""

    cause: str
    detail: str
    """A sentence, without any code."""
    hold: bool = False
    """It is the person's from now on: the order is held, and not asked about any more."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How asking about one order ended."""

    leased: Leased
    next_at: int | None
    """When it is asked about again; None: as if it had not been asked."""
    answered: bool
    note: str | None = None
    concern: Concern | None = None
    wanted: bool = False
    """At `next_at` it is to be asked about even by a run that leaves stale orders to others."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a supplier's API has done, for the next run and for the operator."""

    supplier: str
    asked_at: int | None = None
    answered_at: int | None = None
    failing_since: int | None = None
    """None: the last run was answered."""
    not_before: int | None = None
    """The supplier has asked to be left alone until then."""
    reason: str | None = None
    """Why it could not be asked."""
    missed_told: bool = False
    """A person was told that too many webhooks are missed, and it has not become better since."""


@dataclass(frozen=True, slots=True)
class Endings:
    """How we learned of the final states of one supplier's orders within a time."""

    supplier: str
    ended: int
    found: int
    """Of these, by asking."""
    late: int
    """Of those, how many webhooks came all the same, afterwards."""
    mean_late_ms: int
    most_late_ms: int

    @property
    def missed(self) -> int:
        """Webhooks that never came."""
        return self.found - self.late


class Leases(Protocol):
    """Pending and partial orders, each lent to one asker at a time."""

    def claim_stale_orders(
        self, supplier: str, *, older_than: int | None, now: int, until: int, limit: int
    ) -> list[Leased]:
        """Lease up to `limit` orders until `until`: due ones known since `older_than`, and whatever is to be asked now.

        With None only the latter.

        The latter first, then the oldest. What nobody settles comes back at `until`.
        """

    def is_any_wanted(self, supplier: str, *, now: int) -> bool:
        """Return whether an order is to be asked about now, whatever its interval."""

    def claim_order(self, supplier: str, reference: str, *, now: int, until: int) -> Leased | None:
        """Lease this order whatever its state and interval; None where somebody else has it, or there is none."""

    def stale_orders(self, supplier: str, *, older_than: int, now: int, limit: int) -> list[Order]:
        """List what `claim_stale_orders` would lease, leasing nothing."""

    def count_stale_orders(self, supplier: str, *, older_than: int, now: int) -> int:
        """Count them."""

    def settle(self, settled: Sequence[Settled], *, now: int) -> list[bool]:
        """Write how asking ended, in one transaction; True where a person was told just now.

        Nothing is written where the lease was lost.
        """

    def standing(self, supplier: str) -> Standing:
        """Return how the supplier's API has done."""

    def record_standing(self, standing: Standing) -> None:
        """Remember it."""

    def tell_of_missed(self, supplier: str, detail: str | None, *, now: int) -> bool:
        """Alert that too many webhooks are missed, once until it is called with None; True where just now."""

    def beat(self, *, now: int) -> None:
        """Write down that we are receiving."""

    def last_beat(self) -> int | None:
        """Return when we last were; None: never."""

    def endings(self, *, since: int) -> list[Endings]:
        """Count the final states reached since, per supplier."""
