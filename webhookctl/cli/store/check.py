"""Is the store whole?"""

from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output
from webhookctl.core.errors import StoreError, UsageError
from webhookctl.core.ports.checks import Depth

if TYPE_CHECKING:
    from collections.abc import Callable

    from webhookctl.core.ports.checks import Checked, Fault


def register(group: typer.Typer) -> None:
    """Add `check`."""
    group.command(epilog="Try: webhookctl store check, webhookctl store check --deep --json.")(check)


def check(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Without comparing indexes, opening nothing.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="The file as a whole, and all that is encrypted.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Look whether the store is whole, beside whoever uses it and changing nothing; exit code 5 where it is not.

    It looks at a table at a time, so that no transaction is long. --deep looks at the file as a whole in one: for as
    long the journal can't be emptied, and grows if `serve` is busy.
    """
    from webhookctl import wiring
    from webhookctl.wiring import upkeeping

    settings = wiring.place(context.obj.config)
    scope = upkeeping.scope(settings, _depth(quick=quick, deep=deep))
    with (
        upkeeping.looked_at(settings, whatever=True) as store,
        output.progress("Checking", store.checks.count_steps(scope.depth)) as advance,
    ):
        found = [_seen(one, advance) for one in store.checks.check(scope)]
    _tell(found, as_json=as_json)


def _seen(one: "Checked", advance: "Callable[[int], None]") -> "Checked":
    advance(1)
    return one


def _depth(*, quick: bool, deep: bool) -> Depth:
    if quick and deep:
        raise UsageError("Say either --quick or --deep.")
    return Depth.QUICK if quick else Depth.DEEP if deep else Depth.USUAL


def _tell(found: "list[Checked]", *, as_json: bool) -> None:
    faults = [fault for one in found for fault in one.faults]
    notes = [note for one in found for note in one.notes]
    if as_json:
        output.show_json({"whole": not faults, "faults": [_row(fault) for fault in faults], "notes": notes})
    else:
        for fault in faults:
            output.emit(_sentence(fault))
        for note in notes:
            output.say(note)
    if faults:
        kinds = "1 kind" if len(faults) == 1 else f"{len(faults)} kinds"
        raise StoreError(f"The store is not whole: {kinds} of fault. Nothing was changed.")
    if not as_json:
        output.emit("The store is whole.")


def _row(fault: "Fault") -> dict[str, object]:
    return {
        "name": fault.name,
        "count": fault.count,
        "what": fault.what,
        "example": fault.example,
        "remedy": fault.remedy,
    }


def _sentence(fault: "Fault") -> str:
    example = f" ({fault.example})" if fault.example else ""
    return f"{fault.name}: {fault.count} {fault.what}{example}. What to do: {fault.remedy}."
