"""Asking suppliers about orders whose webhooks have not come."""

from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, options, output
from webhookctl.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.flows.reconcile import Deviation
    from webhookctl.wiring.polling import Moved, Result, Wanted

_STALE = ("Reference", "Supplier", "Status", "Order ID", "Created")
_DEVIATIONS = ("Reference", "Supplier", "Order ID", "Difference", "Here", "There")
_MOST_SHOWN = 10_000
_MANY = 50
"""Orders below which nobody needs to see how far we are."""

TheOrder = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="REF",
        help="Ask about this order now.",
        show_default=False,
        autocompletion=completing.references,
    ),
]
After = Annotated[
    str | None, typer.Option("--after", help="How long a webhook may take, as 5m.", show_default="the settings' own")
]
Deadline = Annotated[str, typer.Option("--deadline", help="How long the run may take; 0 for any time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show which orders would be asked about.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say what was asked, though nothing moved.")]


def register(parent: typer.Typer) -> None:
    """Add the command `poll`."""
    parent.command(epilog="Try: webhookctl poll, webhookctl poll --order ORD-12345 -v.")(poll)


def poll(
    context: typer.Context,
    supplier: options.Supplier = None,
    order: TheOrder = None,
    after: After = None,
    deadline: Deadline = "4m",
    dry_run: DryRun = False,
    reconcile: Annotated[bool, typer.Option("--reconcile", help="Compare the supplier's list with ours.")] = False,
    since: Annotated[str, typer.Option("--since", help="With --reconcile: how far back.")] = "2d",
    apply: Annotated[bool, typer.Option("--apply", help="With --reconcile: take over what differs.")] = False,
    as_json: options.AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Ask suppliers about orders that are open for too long; silent when there is nothing to say."""
    from webhookctl import wiring

    settings, wanted = wiring.settings(context.obj.config), _wanted(supplier, order, after, deadline)
    if apply and not reconcile:
        raise UsageError("--apply belongs to --reconcile: a poll takes over what it learns anyway.")
    if reconcile:
        _reconcile(settings, wanted, since, apply=apply, as_json=as_json)
    elif dry_run:
        _dry_run(settings, wanted, as_json=as_json)
    else:
        _poll(settings, wanted, as_json=as_json, verbose=verbose)


def _wanted(supplier: str | None, order: str | None, after: str | None, deadline: str) -> "Wanted":
    from webhookctl.wiring.polling import Wanted

    after_ms = None if after is None else _duration("--after", after)
    deadline_s = _duration("--deadline", deadline) / 1000
    return Wanted(supplier, order, after_ms, deadline_s or None)


def _duration(option: str, written: str) -> int:
    from webhookctl.config import units
    from webhookctl.core.errors import SettingsError

    try:
        return units.duration(written)
    except SettingsError as error:
        raise UsageError(f"{option} {error}.") from None


def _poll(settings: "Settings", wanted: "Wanted", *, as_json: bool, verbose: bool) -> None:
    from webhookctl.wiring import polling

    watched = output.is_watched() and wanted.reference is None
    total = polling.stale(settings, wanted, 0)[1] if watched else 0
    with output.progress("Asking", total) if total >= _MANY else nullcontext(_quiet) as progress:
        result = polling.poll(settings, wanted, progress)
    output.show_json(_page(result)) if as_json else _print(result)
    _say(result, verbose=verbose or watched)
    if code := _exit_code(result):
        raise typer.Exit(code)


def _quiet(_: int) -> None:
    """Show no progress."""


def _exit_code(result: "Result") -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    if result.not_asked or result.unanswered:
        return ExitCode.UPSTREAM
    if result.persons or any(moved.held for moved in result.moved):
        return ExitCode.PERSON
    return ExitCode.DONE


def _print(result: "Result") -> None:
    """Show a line for each order that moved, newly needs a person, or stays for a new reason."""
    for moved in result.moved:
        output.emit(f"{moved.reference} at {moved.supplier}: {_move(moved)}")
    for person in result.persons:
        output.emit(f"{person.reference} at {person.supplier}: a person must look. {person.detail}")
    told = {(person.supplier, person.reference) for person in result.persons}
    for noted in result.noted:
        if (noted.supplier, noted.reference) not in told:
            output.emit(f"{noted.reference} at {noted.supplier}: stays as it is, as {noted.note}")


def _move(moved: "Moved") -> str:
    end = f"; held: {moved.held}" if moved.held else ""
    if moved.now == moved.said:
        return f"{moved.before} → {moved.now}, found by asking{end}"
    return f"the supplier says {moved.said}, it stays {moved.now}{end}"


def _say(result: "Result", *, verbose: bool) -> None:
    from webhookctl.core.outcomes import MissedWebhooks

    for stopped in result.not_asked:
        output.say(f"{stopped.supplier} can't be asked: {stopped.reason}")
    _say_unanswered(result)
    for one in result.others:
        if isinstance(one, MissedWebhooks):
            output.say(f"{one.supplier}: {one.detail}")
    if result.interrupted:
        output.say("Interrupted: what was answered is kept, and what was not is due again.")
    if verbose:
        output.say(f"Asked about {_orders(result.asked)}; moved: {len(result.moved)}.")


def _say_unanswered(result: "Result") -> None:
    """Say of each supplier once why it gave no answer, where that was not said already."""
    said = {(stopped.supplier, stopped.reason) for stopped in result.not_asked}
    for name, count in Counter(one.supplier for one in result.unanswered).items():
        reason = next(one.reason for one in result.unanswered if one.supplier == name)
        if (name, reason) not in said:
            output.say(f"{name}: no answer about {_orders(count)}, asked again later: {reason}")


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def _page(result: "Result") -> dict[str, Any]:
    return {
        "asked": result.asked,
        "moved": [_moved(one) for one in result.moved],
        "persons": [
            {"supplier": one.supplier, "reference": one.reference, "detail": one.detail} for one in result.persons
        ],
        "noted": [{"supplier": one.supplier, "reference": one.reference, "note": one.note} for one in result.noted],
        "unanswered": [
            {"supplier": one.supplier, "reference": one.reference, "reason": one.reason} for one in result.unanswered
        ],
        "not_asked": [{"supplier": one.supplier, "reason": one.reason} for one in result.not_asked],
        "interrupted": result.interrupted,
    }


def _moved(one: "Moved") -> dict[str, Any]:
    return {
        "supplier": one.supplier,
        "reference": one.reference,
        "before": one.before,
        "said": one.said,
        "status": one.now,
        "held": one.held,
    }


def _dry_run(settings: "Settings", wanted: "Wanted", *, as_json: bool) -> None:
    from webhookctl.flows import report
    from webhookctl.wiring import polling

    orders, count = polling.stale(settings, wanted, _MOST_SHOWN)
    rows = [report.order_row(order) for order in orders]
    if as_json:
        output.show_json({"count": count, "orders": rows})
        return
    cells = [
        (row["reference"], row["supplier"], row["status"], row["order_id"] or "-", output.when(row["created_at"]))
        for row in rows
    ]
    output.table(_STALE, cells, empty="Nothing would be asked about.")
    if count > len(rows):
        output.say(f"And {count - len(rows)} more.")


def _reconcile(settings: "Settings", wanted: "Wanted", since: str, *, apply: bool, as_json: bool) -> None:
    from webhookctl.wiring import polling

    first, _ = options.window(since, None)
    deviations, stored = polling.reconcile(settings, wanted, since=first or 0, apply=apply)
    rows = [_row(one) for one in deviations]
    if as_json:
        output.show_json({"deviations": rows, "stored": stored})
    elif rows:
        output.table(_DEVIATIONS, [tuple(value or "-" for value in row.values()) for row in rows])
    if apply and stored:
        output.say(f"{stored} of them were taken over.")


def _row(one: "Deviation") -> dict[str, str | None]:
    return {
        "reference": one.reference,
        "supplier": one.supplier,
        "order_id": one.order_id,
        "difference": one.difference.value,
        "here": one.ours,
        "there": one.theirs,
    }
