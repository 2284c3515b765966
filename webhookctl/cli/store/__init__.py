"""Keeping the store whole."""

import typer

from webhookctl.cli.store import backup, check, migrate, prune, rekey, restore, stats

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after the store.")


def register(parent: typer.Typer) -> None:
    """Add the group `store`."""
    for part in (check, backup, restore, prune, migrate, rekey, stats):
        part.register(app)
    parent.add_typer(app, name="store")
