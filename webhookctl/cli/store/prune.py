"""Taking out of the store what ended long ago."""

from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import consent, options, output
from webhookctl.core.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from webhookctl.flows.prune import Prune, Total


def register(group: typer.Typer) -> None:
    """Add `prune`."""
    group.command(
        epilog="Try: webhookctl store prune --older-than 400d --dry-run, webhookctl store prune --older-than 400d -y."
    )(prune)


def prune(
    context: typer.Context,
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="Such as 400d; a week at least.")],
    dry_run: consent.DryRun = False,
    yes: consent.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Take out what ended long ago; how each order ended stays, so that nothing of it is ever delivered again."""
    from webhookctl import wiring
    from webhookctl.wiring import pruning

    age, done = _age(older_than), None
    with pruning.store_in_need(wiring.settings(context.obj.config), only_planned=dry_run) as store:
        flow = pruning.prune_of(store, older_than=age)
        planned = flow.plan()
        # What is planned is what a dry run is asked for; beside JSON it is words for whoever is asked to go on.
        show = output.say if as_json else output.emit
        show(f"Ended more than {older_than} ago: {pruning.told(planned)}.")
        if not dry_run and consent.given(planned.rows, "Take all that out of the store?", yes=yes, few=0):
            done = _taken(flow, planned.rows)
            pruning.note(store, done)
    _tell(planned, done, as_json=as_json)


def _taken(flow: "Prune", rows: int) -> "Total":
    try:
        with output.progress("Pruning", rows) as advance:
            return flow.run(advance)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted: what was taken out by then is out, the rest is as it was. Run it again to go on."
        ) from None


def _age(written: str) -> int:
    from webhookctl.config import units

    try:
        return units.retention(written)
    except SettingsError as error:
        raise UsageError(f"--older-than {written!r} {str(error).replace(' in quotes', '')}.") from None


def _tell(planned: "Total", done: "Total | None", *, as_json: bool) -> None:
    from webhookctl.wiring import pruning

    if as_json:
        output.show_json({"planned": planned.as_json(), "taken": done and done.as_json()})
    elif done is None:
        output.say("Nothing was changed.")
    else:
        output.emit(f"Taken: {pruning.told(done)}.")
