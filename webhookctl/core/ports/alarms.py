"""The clocks: what has not happened in time is told to a person, once."""

from collections.abc import Callable
from typing import Protocol

from webhookctl.core.orders import Action, NewAction, Order


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
