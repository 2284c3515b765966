"""What was ordered, how far it has come, and what a person has to say about it."""

import typer

from webhookctl.cli.orders import deciding, registering, showing

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at orders; make them known; decide.")


def register(parent: typer.Typer) -> None:
    """Add the group `orders`."""
    for part in (showing, deciding, registering):
        part.register(app)
    parent.add_typer(app, name="orders")
