"""Going through the events that a query means, however many, without holding them all."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from webhookctl.core.events import Place, StoredEvent
from webhookctl.core.ports.events import EventQuery, Events

EVERYTHING: Final = 1 << 40
"""A limit that no store reaches."""
_PAGE: Final = 1_000
_OPENED_PAGE: Final = 100
"""A body may be as large as its supplier may send."""


def pages(
    events: Events, query: EventQuery, *, opened: bool = False, after: Place | None = None
) -> Iterator[list[StoredEvent]]:
    """Walk through all that `query` means, oldest first, page by page; what is read may change meanwhile.

    Between two pages the store is free for others. Headers and body are only there where `opened` asks for them.
    """
    size, left = _OPENED_PAGE if opened else _PAGE, query.limit
    while left and (page := events.walk(replace(query, limit=min(left, size)), after=after, opened=opened)):
        yield page
        after, left = page[-1].place, left - len(page)


def selected(events: Events, query: EventQuery, *, opened: bool = False) -> Iterator[StoredEvent]:
    """Walk through all that `query` means, oldest first, one by one."""
    return chain.from_iterable(pages(events, query, opened=opened))
