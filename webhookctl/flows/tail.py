"""Watching events come and be handled, without missing one between two looks."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from webhookctl.core.events import EventState, StoredEvent
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.feed import Feed

_PAGE: Final = 500
_MOST_AWAITED: Final = 100_000
"""Of those that were seen queued, so many are looked at again until they are handled; the oldest are let go first."""


@dataclass(slots=True)
class Tail:
    """Looks at what is new: each event when it arrives, and once more when it was handled, in the words of its state.

    One that is handled already at the first look is told once. What a delivery says is only known once it was handled:
    a query that asks for it meets the event then.
    """

    feed: Feed
    query: EventQuery
    after: int
    """The number of the last event that was looked at: where another tail can go on."""
    _awaited: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_AWAITED), repr=False)

    def look(self) -> Iterator[StoredEvent]:
        """Yield what there is to tell since the last look; nothing, and at next to no cost, where nobody wrote."""
        if not self.feed.has_grown():
            return
        yield from self._handled()
        while page := self.feed.arrived(after=self.after, limit=_PAGE):
            for event in page:
                if event.state is EventState.QUEUED and self._may_mean(event):
                    self._awaited.append(event.id)
                if means(self.query, event):
                    yield event
                self.after = event.id

    def _handled(self) -> Iterator[StoredEvent]:
        """Yield what was queued when it was looked at last, and is not any more."""
        waiting = list(self._awaited)
        self._awaited.clear()
        for at in range(0, len(waiting), _PAGE):
            some = waiting[at : at + _PAGE]
            handled = self.feed.again(some)
            done = {event.id for event in handled}
            self._awaited.extend(number for number in some if number not in done)
            yield from (event for event in handled if means(self.query, event))

    def _may_mean(self, event: StoredEvent) -> bool:
        """Return whether the event can still become one that is meant."""
        query = self.query
        return query.state is not EventState.QUEUED and _came_as_asked(query, event)


def means(query: EventQuery, event: StoredEvent) -> bool:
    """Return whether `query` means `event`, by what is known of it now."""
    return (
        _came_as_asked(query, event)
        and query.state in {None, event.state}
        and any(
            query.type in {None, one.type}
            and query.reference in {None, one.reference}
            and query.order_id in {None, one.order_id}
            for one in event.orders or (event,)
        )
    )


def _came_as_asked(query: EventQuery, event: StoredEvent) -> bool:
    return (
        query.supplier in {None, event.supplier}
        and query.via in {None, event.via}
        and (query.since is None or event.received_at >= query.since)
        and (query.until is None or event.received_at < query.until)
    )
