"""Watching what comes, as it comes."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from webhookctl.cli import options, output, selection
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.events import StoredEvent
    from webhookctl.core.ports.events import EventQuery, Events
    from webhookctl.core.ports.feed import Feed
    from webhookctl.flows.tail import Tail

_COLUMNS: Final = ("Received", "ID", "Supplier", "State", "Type", "Reference", "Reason")
_WIDTHS: Final = (25, 6, 8, 9, 15, 9, 0)
_LOOK_EVERY_S: Final = 0.2


def register(app: typer.Typer) -> None:
    """Add `tail`."""
    app.command(
        epilog="Try: webhookctl events tail --supplier acme, webhookctl events tail --after 4711 --json | jq .state."
    )(tail)


def tail(
    context: typer.Context,
    supplier: selection.Supplier = None,
    type_: selection.Type = None,
    state: selection.State = None,
    reference: selection.Reference = None,
    order_id: selection.OrderId = None,
    via: selection.Learned = None,
    since: selection.Since = None,
    until: Annotated[str | None, typer.Option("--until", help="End then; 0s ends once all is told.")] = None,
    after: Annotated[int | None, typer.Option("--after", min=0, help="Go on behind the event of this number.")] = None,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Show events as they come, until Ctrl-C: each when it arrives, and again when it was handled, by its state.

    What is handled at the first look is shown once. A type, reference or order id is only known of what was handled.
    It begins with the next event, or behind --after, or at --since; the first line of --json says "ready" and where.
    Nothing is missed in between: a number, once seen, has all lower ones before it.
    """
    from webhookctl import wiring
    from webhookctl.flows.tail import Tail

    settings = wiring.settings(context.obj.config)
    asked = selection.query(supplier, type_, state, reference, order_id, via, since, until)
    with wiring.store(settings) as store:
        selection.known(settings, store.events, asked)
        watched = Tail(store.feed, asked, _begin(store.events, store.feed, asked, after))
        _ready(watched.after, as_json=as_json)
        for event in _endless(watched, asked.until):
            _tell(event, as_json=as_json, utc=utc)


def _begin(events: "Events", feed: "Feed", asked: "EventQuery", after: int | None) -> int:
    """Return the number behind which to begin; raises `UsageError` for one that the store has not reached yet."""
    from webhookctl.core.ports.events import EventQuery

    newest = feed.newest()
    if after is not None and after > newest:
        raise UsageError(f"--after {after}: the newest event of this store is {newest}; was an older one restored?")
    if after is not None or asked.since is None:
        return newest if after is None else after
    oldest = events.walk(EventQuery(since=asked.since, limit=1))
    return oldest[0].id - 1 if oldest else newest


def _ready(after: int, *, as_json: bool) -> None:
    if as_json:
        output.emit_raw_json({"ready": True, "after": after})
    else:
        output.row(_COLUMNS if output.is_terminal() else tuple(name.lower() for name in _COLUMNS), _WIDTHS)
        output.say(f"Waiting for what comes after event {after}; Ctrl-C ends.")


def _endless(watched: "Tail", until: int | None) -> "Iterator[StoredEvent]":
    while True:
        is_last = until is not None and options.now_ms() >= until
        yield from watched.look()
        if is_last:
            return
        time.sleep(_LOOK_EVERY_S)


def _tell(event: "StoredEvent", *, as_json: bool, utc: bool) -> None:
    from webhookctl.flows import report

    row = report.event_row(event)
    if as_json:
        output.emit_raw_json(row | report.spoken_rows(event))
        return
    said = event.orders[0] if event.orders else event
    more = f" and {len(event.orders) - 1} more" if len(event.orders) > 1 else ""
    # At the end of a line a dash only makes a narrow terminal need another.
    nothing = "" if output.is_terminal() else "-"
    why = row["reason"] or (f"of event {event.duplicate_of}" if event.duplicate_of else nothing)
    names = (row["state"], said.type or "-", f"{said.reference or '-'}{more}", why)
    output.row((output.when(row["received_at"], utc=utc), str(event.id), event.supplier, *names), _WIDTHS)
