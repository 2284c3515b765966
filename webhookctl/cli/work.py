"""The worker alone, without a receiver."""

from functools import partial
from typing import Annotated

import typer

from webhookctl.cli import output


def register(parent: typer.Typer) -> None:
    """Add the command `work`."""
    parent.command(epilog="Try: webhookctl work, webhookctl work --once.")(work)


def work(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then leave.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each step.")] = False,
) -> None:
    """Apply stored events and carry out what they cause, beside a `serve --no-worker`."""
    from webhookctl import wiring
    from webhookctl.wiring import serving

    again = partial(wiring.settings, context.obj.config)
    output.say(serving.work(again(), again, once=once, verbose=verbose))
