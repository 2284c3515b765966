"""What must be done about orders, and how it went."""

from typing import Annotated, Any, NoReturn

import typer

from webhookctl.cli import completing, looking, options, output
from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.orders import ActionKind, ActionState, Intervention

_COLUMNS = ("ID", "Kind", "Reference", "State", "Attempts", "Created", "Next", "Last")
_RETRIED = (ActionState.DEAD, ActionState.WAITING)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at deliveries, refunds, alerts; try again.")

TheId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="An action's id, or a beginning that no other has.", autocompletion=completing.action_ids
    ),
]


def register(parent: typer.Typer) -> None:
    """Add the group `actions`."""
    parent.add_typer(app, name="actions")


@app.command("list", epilog="Try: webhookctl actions list --state dead, webhookctl actions list --kind deliver --json.")
def list_(
    context: typer.Context,
    supplier: options.Supplier = None,
    kind: Annotated[ActionKind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    state: Annotated[ActionState | None, typer.Option("--state", help="Only in this state.")] = None,
    reference: options.Reference = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 50,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """List actions, newest first."""
    from webhookctl import wiring
    from webhookctl.core.ports.outbox import ActionQuery
    from webhookctl.flows import report

    first, last = options.window(since, until)
    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        found = store.outbox.find(ActionQuery(supplier, kind, state, reference, first, last, limit))
    handled = wiring.handled_kinds(settings)
    rows = [report.action_row(action, handled) for action in found]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="No such action.")


def _cells(row: dict[str, Any], *, utc: bool) -> tuple[str, ...]:
    times = (output.when(row["created_at"], utc=utc), output.when(row["next_at"], utc=utc))
    last = row["waits_for"] and f"waits for {row['waits_for']}"
    return (
        row["id"],
        row["kind"],
        row["reference"] or "-",
        row["state"],
        str(row["attempts"]),
        *times,
        last or row["error"] or row["detail"] or "-",
    )


@app.command("show", epilog="Try: webhookctl actions show 0198c2, webhookctl actions show 0198c2 --json.")
def show(context: typer.Context, action_id: TheId, as_json: options.AsJson = False, utc: options.Utc = False) -> None:
    """Show an action and each attempt at it."""
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        found = store.outbox.get(action_id)
        if found is None:
            raise _unknown(action_id)
        done = store.outbox.interventions(found[0].id)
    page = report.action_row(found[0], wiring.handled_kinds(settings))
    page["history"] = [report.attempt_row(attempt) for attempt in found[1]]
    page["interventions"] = [report.intervention_row(one) for one in done]
    output.show_json(page) if as_json else _print(page, utc=utc)


def _print(page: dict[str, Any], *, utc: bool) -> None:
    output.page(page, utc=utc)
    output.heading("Attempts")
    rows = (
        (str(one["number"]), output.when(one["ended_at"], utc=utc), one["state"], one["detail"])
        for one in page["history"]
    )
    output.table(("Number", "Ended", "State", "What happened"), rows, empty="None yet.")
    if page["interventions"]:
        output.heading("What people did")
        rows = (
            (output.when(one["at"], utc=utc), one["who"], one["what"], one["reason"]) for one in page["interventions"]
        )
        output.table(("Time", "Who", "What", "Why"), rows)


@app.command("retry", epilog="Try: webhookctl actions retry 0198c2, webhookctl actions list --state dead.")
def retry(context: typer.Context, action_id: TheId) -> None:
    """Make a dead or waiting action due now; its id, and so its webhook-id, stays the same."""
    from webhookctl import wiring

    with wiring.store(wiring.place(context.obj.config)) as store:
        found = store.outbox.get(action_id)
        if found is None:
            raise _unknown(action_id)
        by = Intervention(options.now_ms(), wiring.who(), "tried again", "")
        before = store.outbox.retry(found[0].id, now=by.at, by=by)
    if before not in _RETRIED:
        raise UsageError(f"Action {found[0].id} is {before}: only what is dead or waiting can be tried again.")
    output.say(f"Action {found[0].id} ({found[0].kind}) was {before} and is due now.")


@app.command(
    "resolve",
    epilog='Try: webhookctl actions resolve 0198c2 --delivered --reason "the customer has it", '
    'webhookctl actions resolve 0198c2 --retry --reason "nothing in the shop\'s log".',
)
def resolve(
    context: typer.Context,
    action_id: TheId,
    reason: Annotated[str, typer.Option("--reason", help="How you know; it is kept in the order's story.")],
    delivered: Annotated[bool, typer.Option("--delivered", help="It took effect: it is done.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="It had no effect: try it again.")] = False,
) -> None:
    """Say how an ambiguous action ended, which only a person can find out."""
    from webhookctl import wiring
    from webhookctl.flows import decide

    if delivered == retry:
        raise UsageError("Say either --delivered or --retry.")
    state, what = (ActionState.DONE, "said to be done") if delivered else (ActionState.WAITING, "to be tried again")
    by = Intervention(options.now_ms(), wiring.who(), what, reason)
    with wiring.store(wiring.place(context.obj.config)) as store:
        found = store.outbox.get(action_id) or _missing(action_id)
        after = decide.resolve(store.outbox, found[0], state, by)
    output.say(f"Action {found[0].id} ({found[0].kind}) was ambiguous and is {after}.")


def _missing(action_id: str) -> NoReturn:
    raise _unknown(action_id)


def _unknown(action_id: str) -> NotFoundError:
    return NotFoundError(f"There is no action {action_id!r}; `webhookctl actions list` shows those there are.")
