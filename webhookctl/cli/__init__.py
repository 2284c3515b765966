"""Where people come in: the app, its global options, the one place where an error becomes a sentence."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from webhookctl import __version__
from webhookctl.cli import (
    actions,
    demo,
    events,
    orders,
    output,
    poll,
    rejected,
    secrets_report,
    send,
    serve,
    setup,
    status,
    store,
    suppliers,
    work,
)
from webhookctl.core.errors import ExitCode, WebhookctlError

_FAULT_OF_OURS: Final = 70
"""EX_SOFTWARE of sysexits.h: none of the exit codes that an operator can do something about."""

app = typer.Typer(
    name="webhookctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Receive, keep and deliver the webhooks of digital-goods suppliers.",
)


@dataclass(frozen=True, slots=True)
class Globals:
    """What was said before the command's name."""

    config: Path | None = None


def _version(wanted: bool) -> None:
    if wanted:
        output.emit(f"webhookctl {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Try: webhookctl serve, and in a second terminal: webhookctl send order.created; then webhookctl init."
)
def _globals(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The settings file.", show_default=False)
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback prints and leaves
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Receive, keep and deliver the webhooks of digital-goods suppliers."""
    context.obj = Globals(config)


setup.register(app)
serve.register(app)
work.register(app)
send.register(app)
poll.register(app)
demo.register(app)
status.register(app)
events.register(app)
orders.register(app)
actions.register(app)
rejected.register(app)
store.register(app)
suppliers.register(app)
secrets_report.register(suppliers.app)


def main() -> None:
    """Run the command line; every error an operator can see ends here as a sentence and an exit code."""
    try:
        app()
    except WebhookctlError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("Interrupted.", ExitCode.INTERRUPTED)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"The system refused: {error.strerror or type(error).__name__}{where}.", ExitCode.STORE)
    except Exception as error:
        if os.environ.get("WEBHOOKCTL_TRACEBACK"):
            raise
        _fail(_fault(error), _FAULT_OF_OURS)


def _fault(error: BaseException) -> str:
    """Say where it happened and never what the exception says: its text could hold a code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return (
        f"This is a fault in webhookctl: {type(error).__name__}{where}. Nothing that was acknowledged is lost. "
        "Please report it; WEBHOOKCTL_TRACEBACK=1 shows the whole trace, which may hold codes."
    )


def _fail(sentence: str, code: int) -> NoReturn:
    output.say(sentence)
    sys.exit(code)
