"""What was rejected: the quarantine, and the way out of it once a secret is mended."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, consent, looking, options, output
from webhookctl.core.errors import ExitCode, Reason

if TYPE_CHECKING:
    from webhookctl.core.ports.quarantine import RejectedQuery
    from webhookctl.flows.quarantine import Plan, Reverify

_COLUMNS = ("ID", "Received", "Supplier", "Sender", "Reason", "What")
_EVERYTHING = 1_000_000

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at what was rejected; take what verifies now."
)

WhyRejected = Annotated[Reason | None, typer.Option("--reason", help="Only what was rejected for this.")]


def register(parent: typer.Typer) -> None:
    """Add the group `rejected`."""
    parent.add_typer(app, name="rejected")


@app.command(
    "list", epilog="Try: webhookctl rejected list --since 2h, webhookctl rejected list --supplier acme --json."
)
def list_(
    context: typer.Context,
    supplier: options.Supplier = None,
    reason: WhyRejected = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 50,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """List what was rejected and is kept, newest first."""
    from webhookctl import wiring
    from webhookctl.flows import report

    query = _query(supplier, reason, since, until, limit)
    with looking.store(context, wiring.place(context.obj.config)) as store:
        rows = [report.rejected_row(one) for one in store.quarantine.find(query)]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="Nothing of that is in the quarantine.")


def _query(
    supplier: str | None, reason: Reason | None, since: str | None, until: str | None, limit: int
) -> "RejectedQuery":
    from webhookctl.core.ports.quarantine import RejectedQuery

    return RejectedQuery(supplier, reason, *options.window(since, until), limit)


def _cells(row: dict[str, Any], *, utc: bool) -> tuple[str, ...]:
    when = output.when(row["received_at"], utc=utc)
    return (str(row["id"]), when, row["supplier"], row["sender"] or "unknown", row["reason"], row["detail"])


@app.command("show", epilog="Try: webhookctl rejected show 17, webhookctl rejected show 17 --json.")
def show(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="ID", help="Its number in the list.", autocompletion=completing.rejected_ids)
    ],
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Show what was rejected, headers and body too, masked; nothing in it is proven."""
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        found = wiring.kept_rejection(store, number)
    hidden = wiring.proof(settings, found.supplier)
    page = report.rejected_page(found, wiring.mapping(settings, found.supplier), hidden)
    output.show_json(page) if as_json else _print(page, utc=utc)


def _print(page: dict[str, Any], *, utc: bool) -> None:
    output.page(page, utc=utc, without={"headers", "body"})
    if "headers" in page:
        output.message(page["headers"], page["body"])


@app.command(
    "reverify",
    epilog="Try: webhookctl rejected reverify --since 2h --dry-run, "
    "webhookctl rejected reverify --since 2h --supplier acme --yes.",
)
def reverify(
    context: typer.Context,
    supplier: options.Supplier = None,
    reason: WhyRejected = None,
    since: options.Since = None,
    until: options.Until = None,
    dry_run: consent.DryRun = False,
    yes: consent.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Take what now verifies into the events, judged by the time of its arrival; a plan first."""
    from webhookctl import wiring
    from webhookctl.wiring import quarantining

    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        again = quarantining.reverify(settings, store, _query(supplier, reason, since, until, _EVERYTHING))
        plan = again.plan()
        if not as_json:
            _print_plan(plan)
        healed = 0 if dry_run else _heal(again, plan.verifying, yes=yes)
    _end(plan, healed, dry_run=dry_run, as_json=as_json)


def _print_plan(plan: "Plan") -> None:
    rows = plan.rows()
    columns = ("Supplier", "Rejected for", "Rejected", "Verify now")
    cells = ((row["supplier"], row["reason"], str(row["rejected"]), str(row["verify_now"])) for row in rows)
    output.table(columns, cells, empty="Nothing of that is in the quarantine.")
    for row in plan.still_rows():
        output.say(f"{row['count']} of {row['supplier']} stay: {row['why']}.")


def _heal(again: "Reverify", count: int, *, yes: bool) -> int:
    if not count or not consent.given(count, f"Take these {count} into the events?", yes=yes):
        return 0
    with output.progress("Taking into the events", count) as advance:
        return again.heal(advance)


def _end(plan: "Plan", healed: int, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        page = {"groups": plan.rows(), "stay": plan.still_rows(), "verify_now": plan.verifying, "taken": healed}
        output.show_json(page | {"dry_run": dry_run})
    elif not dry_run and plan.verifying:
        output.say(f"{healed} taken into the events; the worker handles them as if they had just arrived.")
    if plan.rejected and not plan.verifying:
        raise typer.Exit(ExitCode.NO)
