"""The event log as it grows, for whoever looks on and never writes."""

from collections.abc import Collection
from typing import Protocol

from webhookctl.core.events import StoredEvent


class Feed(Protocol):
    """The event log in the order in which it grew: an event has its number from the moment it can be seen."""

    def newest(self) -> int:
        """Return the highest number that was ever given; 0 for none."""

    def has_grown(self) -> bool:
        """Return whether anybody may have written since this was asked last; costs next to nothing."""

    def arrived(self, *, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events whose number is higher than `after`, in order, with empty headers and body."""

    def again(self, numbers: Collection[int]) -> list[StoredEvent]:
        """Return those of the events that are there and not queued any more, in order, with empty headers and body."""
