"""Giving events to others, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output, selection, streams
from webhookctl.core.errors import SealedError
from webhookctl.core.ports.orders import Reveal
from webhookctl.flows.event_files import Form

if TYPE_CHECKING:
    from webhookctl.core.ports.events import EventQuery, Events
    from webhookctl.flows.export import Export

Revealing = Annotated[bool, typer.Option("--reveal", help="Write the requests too, codes and all; needs --reason.")]


def register(app: typer.Typer) -> None:
    """Add `export`."""
    app.command(
        epilog="Try: webhookctl events export --since 7d --format csv > week.csv, "
        "webhookctl events export --reveal --reason 'for the archive' --out events.jsonl."
    )(export)


def export(
    context: typer.Context,
    form: Annotated[Form, typer.Option("--format", help="Lines of JSON, or a table.")] = Form.JSONL,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file; - is standard output.")] = None,
    reveal: Revealing = False,
    reason: Annotated[str, typer.Option("--reason", help="Why --reveal; written down first.")] = "",
    supplier: selection.Supplier = None,
    type_: selection.Type = None,
    state: selection.State = None,
    reference: selection.Reference = None,
    order_id: selection.OrderId = None,
    via: selection.Learned = None,
    since: selection.Since = None,
    until: selection.Until = None,
) -> None:
    """Write events, oldest first, without their headers and bodies unless --reveal says so; `events import` reads it.

    The file is its owner's alone, and takes its name once all is in it: one that is there already is replaced then.
    """
    from webhookctl import wiring

    asked = selection.query(supplier, type_, state, reference, order_id, via, since, until)
    out = streams.named(out)
    if not reveal:
        options.refuse_alone(reason, for_="--reveal")
    elif out is None:
        output.refuse_terminal()
    look = Reveal(options.now_ms(), wiring.who(), reason) if reveal else None
    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        done = _written(store.events, selection.known(settings, store.events, asked), form, look, out)
    _tell(done, out)


def _written(events: "Events", asked: "EventQuery", form: Form, look: Reveal | None, out: Path | None) -> "Export":
    from webhookctl.flows.export import Export

    work = Export(events, asked, form, look)
    total = events.count(asked) if output.is_watched() else None
    with streams.landing(out) as stream, output.progress("Exporting", total) as advance:
        for part in work.parts():
            before = work.written
            stream.write(part)
            advance(work.written - before)
    return work


def _tell(done: "Export", out: Path | None) -> None:
    output.say(f"{done.written} events written{f' to {out}' if out else ''}.")
    if done.unreadable:
        raise SealedError(
            f"{done.unreadable} of them were written without their requests, sealed under a key that is not "
            "at hand: add that key to [store] keys, and export them again."
        )
