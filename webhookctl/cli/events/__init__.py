"""What came: the event log."""

import typer

from webhookctl.cli.events import exporting, importing, showing, tailing

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at what came.")


def register(parent: typer.Typer) -> None:
    """Add the group `events`."""
    for part in (showing, tailing, exporting, importing):
        part.register(app)
    parent.add_typer(app, name="events")
