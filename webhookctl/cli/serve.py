"""Receiver and worker, until told to stop."""

import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import output

if TYPE_CHECKING:
    from webhookctl.config import Settings


def register(parent: typer.Typer) -> None:
    """Add the command `serve`."""
    parent.command(epilog="Try: webhookctl serve, webhookctl --config shop.toml serve --no-worker.")(serve)


def serve(
    context: typer.Context,
    listen: Annotated[str | None, typer.Option("--listen", help="HOST:PORT to listen on.", show_default=False)] = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Also do the work that events cause.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each delivery.")] = False,
) -> None:
    """Receive webhooks, keep them, and do what they cause. Without settings: a demo on loopback."""
    from webhookctl import wiring
    from webhookctl.wiring import serving

    again = partial(wiring.serving_settings, context.obj.config, listen)
    settings = again()
    summary = serving.serve(settings, again, worker=worker, verbose=verbose, started=lambda url: _greet(settings, url))
    output.say(summary)


def _greet(settings: "Settings", url: str) -> None:
    from webhookctl.wiring import serving

    for line in serving.greeting(settings, url, _program()):
        output.say(line)


def _program() -> str:
    """Return what to type to get this very program."""
    called = Path(sys.argv[0])
    if called.name != "webhookctl":
        return f"{Path(sys.executable).name} -m webhookctl"
    found = shutil.which("webhookctl")
    return "webhookctl" if found and Path(found).resolve() == called.resolve() else shlex.quote(str(called))
