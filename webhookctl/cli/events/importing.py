"""Taking events of a file back into the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import consent, options, output, streams
from webhookctl.core.deliveries import ON_SOMEBODYS_WORD
from webhookctl.core.errors import ExitCode, StoreError, UsageError
from webhookctl.flows import event_files
from webhookctl.flows.import_events import Fate, Report

if TYPE_CHECKING:
    from webhookctl.flows.import_events import Import

_WORDS = {
    Fate.PROVEN: "proven by their signatures",
    Fate.VOUCHED: "taken on your word",
    Fate.HERE: "here already",
    Fate.REFUSED: "refused",
}
_HELD = (
    "The worker sees where they move orders. What these would ask of your shop is held, as it may have been done where "
    "the file comes from: `webhookctl orders release` says what becomes of it, `webhookctl orders list --held` of whom."
)
Unsigned = Annotated[
    bool, typer.Option("--unsigned", help="Take what no signature proves, too, on your word; needs --reason.")
]


def register(app: typer.Typer) -> None:
    """Add `import`."""
    app.command(
        "import",
        epilog="Try: webhookctl events import events.jsonl --dry-run, webhookctl events import events.jsonl --yes.",
    )(import_)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of `events export --reveal`; - is standard input.")],
    unsigned: Unsigned = False,
    reason: Annotated[str, typer.Option("--reason", help="Why --unsigned; kept with each event.")] = "",
    dry_run: consent.DryRun = False,
    yes: consent.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Take events in by their exact bytes, each proven anew by the secrets of now, at the time when it came.

    A file can be forged: what it says of a secret that matched counts for nothing. What no signature proves (its secret
    is gone, it was learned by asking, its supplier signs nothing) is refused, unless --unsigned takes it on your word.
    What is here already is passed over, and an event that came twice is handled once. May be run again at any time.
    Orders that become known so are held, as what they ask for may have been done before: `orders release` lets them go.
    """
    from webhookctl import wiring
    from webhookctl.wiring import importing

    if not unsigned:
        options.refuse_alone(reason, for_="--unsigned")
    settings = wiring.settings(context.obj.config)
    voucher = _voucher(wiring.who(), reason) if unsigned else None
    with wiring.store(settings) as store:
        work = importing.events(settings, store, voucher)
        plan = _planned(work, file) if dry_run or not (yes or str(file) == "-") else None
        changes = not dry_run and _agreed(plan, file, yes=yes)
        report = _taken(work, file) if changes else plan or Report()
    _tell(report, changes=changes, as_json=as_json)
    if report.refused:
        raise typer.Exit(ExitCode.NO)


def _voucher(who: str, reason: str) -> str:
    if not reason.strip():
        raise UsageError("--unsigned needs --reason: say why this file is to be believed; it is kept with each event.")
    return f"{ON_SOMEBODYS_WORD}{who}: {reason}"


def _planned(work: "Import", file: Path) -> Report:
    report = Report()
    with streams.opened(file) as (stream, size), output.progress("Proving", size) as advance:
        work.run(event_files.read(stream), advance, report, dry_run=True)
    return report


def _taken(work: "Import", file: Path) -> Report:
    report = Report()
    try:
        with streams.opened(file) as (stream, size), output.progress("Importing", size) as advance:
            work.run(event_files.read(stream), advance, report, dry_run=False)
    except (StoreError, KeyboardInterrupt):
        output.say(f"{report.taken} events are in, durably; run this again for the rest.")
        raise
    return report


def _agreed(plan: Report | None, file: Path, *, yes: bool) -> bool:
    if plan is None and not yes:
        raise UsageError("Standard input can be read only once, and nobody asked: add --yes, or give a file.")
    return plan is None or consent.given(plan.taken, f"Take the {plan.taken} events of {file} in?", yes=yes)


def _tell(report: Report, *, changes: bool, as_json: bool) -> None:
    counts = {fate.value: report.counts[fate] for fate in Fate}
    if as_json:
        refused = [{"line": number, "why": why} for number, why in report.refused]
        output.show_json({"imported": changes, "counts": counts, "refused": refused})
        return
    output.table(("Line", "Why refused"), ((str(number), why) for number, why in report.refused), empty="")
    if report.counts[Fate.REFUSED] > len(report.refused):
        output.say(f"The first {len(report.refused)} of {report.counts[Fate.REFUSED]} refused lines are named.")
    told = ", ".join(f"{report.counts[fate]} {word}" for fate, word in _WORDS.items() if report.counts[fate])
    output.say(f"{'' if changes else 'Nothing was changed; it would be: '}{told or 'nothing in it'}.")
    if changes and report.taken:
        output.say(_HELD)
