"""The clocks: what has not happened in time is told to a person, once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from webhookctl.core.orders import Action, NewAction, Order

UNAPPLIED: Final = "unapplied"
"""What the cause of an alert begins with that tells of a `Waiting`; a colon and the order id follow."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that names its order by the supplier's id alone, and could not be applied to it."""

    id: int
    supplier: str
    order_id: str
    received_at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """Which events to tell of: received in [since, until); and how many alerts one hour may have."""

    since: int
    until: int
    hourly: int


class Alarms(Protocol):
    """What has run out of time; each call looks at one span of it, so that nothing is looked at for ever."""

    def overdue(self, tell: Callable[[Order], NewAction], *, since: int, until: int, now: int) -> int:
        """Add an alert for each order that is pending or partial and was due in [since, until); returns how many.

        One whose alert exists already is left out.
        """

    def undelivered(self, tell: Callable[[Order, Action], NewAction], *, since: int, until: int, now: int) -> int:
        """Add an alert for each `deliver` asked for in [since, until) that has not succeeded; returns how many.

        Those are left out that a person was told of already: held, dead, ambiguous.
        """

    def waiting(self, supplier: str, tell: Callable[[Waiting], NewAction], window: Window, *, now: int) -> int:
        """Add an alert for each order id of a supplier whose event could not be applied; returns how many.

        One whose alert exists already is left out; oldest first, and no more in an hour than `window` says.
        """
