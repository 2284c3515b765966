"""Keeping the store whole."""

import typer

from webhookctl.cli.store import backup, prune, rekey

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after the store.")


def register(parent: typer.Typer) -> None:
    """Add the group `store`."""
    for part in (backup, prune, rekey):
        part.register(app)
    parent.add_typer(app, name="store")
