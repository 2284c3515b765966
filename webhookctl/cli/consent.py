"""May many things be changed at once? Asked on a terminal, refused without one unless it was said before."""

import sys
from typing import Annotated, Final

import typer

from webhookctl.cli import output
from webhookctl.core.errors import UsageError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")]

_FEW: Final = 10


def given(count: int, question: str, *, yes: bool, few: int = _FEW) -> bool:
    """Return whether to go on; raises `UsageError` where nobody could be asked. Up to `few` nobody is."""
    if yes or count <= few:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"That is {count}, and there is no terminal to ask on: add --yes if it is meant.")
    output.say(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
