"""Writing events for others; where codes are revealed, whoever looks is written down first."""

from collections.abc import Iterator
from dataclasses import dataclass

from webhookctl.core.errors import UsageError
from webhookctl.core.ports.events import EventQuery, Events
from webhookctl.core.ports.orders import Reveal
from webhookctl.flows import event_files
from webhookctl.flows.event_files import Form
from webhookctl.flows.selection import pages


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

    def __post_init__(self) -> None:
        if self.look is not None and not self.look.reason.strip():
            raise UsageError("--reveal needs --reason: say why codes must be seen; it is kept with each event.")

    def parts(self) -> Iterator[bytes]:
        """Yield the file, part by part; `written` grows with each. A look is on disk before what is looked at."""
        reveal = self.look is not None
        yield event_files.heading(self.form, reveal=reveal)
        for page in pages(self.events, self.query, opened=reveal):
            if self.look is not None:
                self.events.record_reveals([event.id for event in page], self.look)
            yield event_files.written(self.form, page, reveal=reveal)
            self.written += len(page)
            self.unreadable += sum(event.unreadable is not None for event in page)
