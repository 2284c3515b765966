"""The shop at a glance."""

from collections.abc import Iterable, Iterator
from typing import Any

import typer

from webhookctl.cli import options, output


def register(parent: typer.Typer) -> None:
    """Add the command `status`."""
    parent.command(epilog="Try: webhookctl status, webhookctl status --json.")(status)


def status(context: typer.Context, as_json: options.AsJson = False, utc: options.Utc = False) -> None:
    """Show how many orders, events and actions there are, and what needs a person first."""
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        summary = store.reports.summary(now=options.now_ms())
    page = report.summary_page(summary, wiring.handled_kinds(settings), str(wiring.store_path(settings)))
    output.show_json(page) if as_json else _print(page, utc=utc)


def _print(page: dict[str, Any], *, utc: bool) -> None:
    for title, pairs in _sections(page, utc=utc):
        output.heading(title)
        output.fields((name, str(value)) for name, value in pairs)


def _sections(page: dict[str, Any], *, utc: bool) -> Iterator[tuple[str, Iterable[tuple[str, object]]]]:
    yield "Needs a person", page["needs_a_person"].items() or [("nothing", "")]
    if unhandled := page["waiting_for_a_handler"]:
        yield "Waiting for a handler", [(kind, f"{count}, set [actions.{kind}]") for kind, count in unhandled.items()]
    yield "Orders", [*page["orders"].items(), ("overdue", page["overdue_orders"])]
    yield "Events", [*page["events"].items(), ("repeats", page["repeats_answered"]), *_rejected(page["rejected"])]
    yield "Actions", [(kind, _counts(states)) for kind, states in page["actions"].items()]
    newest = output.when(page["newest_event_at"], utc=utc)
    yield "Store", [("file", page["store"]), ("journal", page["journal_mode"]), ("newest event", newest)]


def _rejected(count: int) -> list[tuple[str, str]]:
    return [("rejected", f"{count}, see webhookctl rejected list")] if count else []


def _counts(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())
