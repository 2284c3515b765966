"""The shop at a glance."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from webhookctl.cli import looking, options, output
from webhookctl.core.errors import ExitCode

if TYPE_CHECKING:
    from webhookctl.core.ports.reports import Summary

_DAY_MS = 86_400_000


def register(parent: typer.Typer) -> None:
    """Add the command `status`."""
    parent.command(epilog="Try: webhookctl status, webhookctl status --json, webhookctl status --check.")(status)


Check = Annotated[bool, typer.Option("--check", help="One line and an exit code of 0 to 3, as Nagios has them.")]


def status(
    context: typer.Context, check: Check = False, as_json: options.AsJson = False, utc: options.Utc = False
) -> None:
    """Show how many orders, events and actions there are, and what needs a person first.

    Exit code 6 where a person must decide: an order or action is held, an action ambiguous or dead.
    """
    if check:
        _check(context.obj.config)
    from webhookctl.flows import health

    summary, page = _looked_up(context)
    output.show_json(page) if as_json else _print(page, utc=utc)
    if health.needs_a_decision(summary):
        raise typer.Exit(ExitCode.PERSON)


def _check(named: Path | None) -> NoReturn:
    from webhookctl.wiring import health

    level, said = health.check(named)
    output.emit(said)
    raise typer.Exit(level)


def _looked_up(context: typer.Context) -> "tuple[Summary, dict[str, Any]]":
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        now = options.now_ms()
        summary = store.reports.summary(now=now)
        spans = [store.leases.endings(since=now - days * _DAY_MS) for days in (1, 7)]
        chores = store.chores.all().values()
        standings = [store.leases.standing(name) for name in wiring.asked_suppliers(settings)]
    page = report.summary_page(summary, wiring.handled_kinds(settings), str(wiring.store_path(settings)))
    page["polling"] = report.polling_page(spans[0], spans[1], standings)
    page["keeping"] = report.keeping_page(chores)
    return summary, page


def _print(page: dict[str, Any], *, utc: bool) -> None:
    for title, pairs in _sections(page, utc=utc):
        output.heading(title)
        output.fields((name, str(value)) for name, value in pairs)


def _sections(page: dict[str, Any], *, utc: bool) -> Iterator[tuple[str, Iterable[tuple[str, object]]]]:
    failing = {f"store {name} failing": one["detail"] for name, one in page["keeping"].items() if one["failing_since"]}
    yield "Needs a person", [*page["needs_a_person"].items(), *failing.items()] or [("nothing", "")]
    if unhandled := page["waiting_for_a_handler"]:
        yield "Waiting for a handler", [(kind, f"{count}, set [actions.{kind}]") for kind, count in unhandled.items()]
    yield "Orders", [*page["orders"].items(), ("overdue", page["overdue_orders"])]
    yield "Events", [*page["events"].items(), ("repeats", page["repeats_answered"]), *_rejected(page["rejected"])]
    yield "Actions", [(kind, _counts(states)) for kind, states in page["actions"].items()]
    if polling := page["polling"]:
        yield "Polling", [(name, _asked(one, utc=utc)) for name, one in polling.items()]
    newest = output.when(page["newest_event_at"], utc=utc)
    kept = [(f"last {name}", _kept(one, utc=utc)) for name, one in page["keeping"].items()]
    yield "Store", [("file", page["store"]), ("journal", page["journal_mode"]), ("newest event", newest), *kept]


def _kept(one: dict[str, Any], *, utc: bool) -> str:
    if one["failing_since"]:
        since = output.when(one["failing_since"], utc=utc)
        return f"{output.when(one['done_at'], utc=utc)}; fails since {since}"
    return f"{output.when(one['done_at'], utc=utc)}, {one['detail']}"


def _rejected(count: int) -> list[tuple[str, str]]:
    return [("rejected", f"{count}, see webhookctl rejected list")] if count else []


def _counts(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _asked(one: dict[str, Any], *, utc: bool) -> str:
    spans = [
        f"of {one[span]['ended']} orders ended within a {span} {one[span]['found_by_asking']} found by asking, "
        f"{one[span]['webhooks_missed']} webhooks missed, {one[span]['webhooks_late']} late"
        + (f" by {one[span]['mean_late_ms'] / 1000:.0f} s on average" if one[span]["webhooks_late"] else "")
        for span in ("day", "week")
    ]
    state = f"; can't be asked since {output.when(one['failing_since'], utc=utc)}" if one["failing_since"] else ""
    return "; ".join(spans) + state
