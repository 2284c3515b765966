"""Writing events for others; where codes are revealed, whoever looks is written down first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhookctl.core.errors import UsageError
from webhookctl.core.events import StoredEvent
from webhookctl.core.ports.events import EventQuery, Events
from webhookctl.core.ports.orders import Reveal
from webhookctl.flows import event_files
from webhookctl.flows.event_files import Form
from webhookctl.flows.selection import pages

_AHEAD: Final = 1_000
"""So many looks share a commit, which takes longer than to write what is looked at."""


@dataclass(slots=True)
class Export:
    """Goes through what `query` means, oldest first, a page at a time."""

    events: Events
    query: EventQuery
    form: Form
    look: Reveal | None = None
    """Who wants the requests as they came, codes and all; None: nobody, and they are left out."""
    written: int = 0
    unreadable: int = 0
    """Of those written, how many have no request, as its key is missing."""

    _recorded: set[int] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        if self.look is not None and not self.look.reason.strip():
            raise UsageError("--reveal needs --reason: say why codes must be seen; it is kept with each event.")

    def parts(self) -> Iterator[bytes]:
        """Yield the file, part by part; `written` grows with each. A look is on disk before what is looked at."""
        reveal = self.look is not None
        yield event_files.heading(self.form, reveal=reveal)
        for page in pages(self.events, self.query, opened=reveal):
            if self.look is not None:
                self._record(page, self.look)
            yield event_files.written(self.form, page, reveal=reveal)
            self.written += len(page)
            self.unreadable += sum(event.unreadable is not None for event in page)

    def _record(self, page: Sequence[StoredEvent], look: Reveal) -> None:
        """Write down who is about to see `page`, and what comes next with it."""
        new = [event.id for event in page if event.id not in self._recorded]
        if new:
            ahead = self.events.walk(replace(self.query, limit=_AHEAD), after=page[-1].place)
            self._recorded = {*(event.id for event in page), *(event.id for event in ahead)}
            self.events.record_reveals([*new, *(event.id for event in ahead)], look)
