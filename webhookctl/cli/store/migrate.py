"""Bringing the store to the present schema."""

from typing import Annotated

import typer

from webhookctl.cli import options, output


def register(group: typer.Typer) -> None:
    """Add `migrate`."""
    group.command(epilog="Try: webhookctl store migrate --dry-run, webhookctl store migrate --json.")(migrate)


def migrate(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Bring the store to the schema of this webhookctl, wholly or not at all; what opens an older one does so too."""
    from webhookctl import wiring
    from webhookctl.wiring import upkeeping

    found = upkeeping.migration(wiring.settings(context.obj.config), dry_run=dry_run)
    done = [] if dry_run else list(found.pending)
    if as_json:
        output.show_json({"version": found.version, "pending": list(found.pending), "done": done})
        return
    output.emit(f"The store was at {found.version}.")
    for name in found.pending:
        output.emit(f"{name}: {'would be brought' if dry_run else 'brought'}.")
    if not found.pending:
        output.emit("That is the present schema: there is nothing to do.")
