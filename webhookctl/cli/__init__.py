"""Where people come in: the app, its global options, the one place where an error becomes a sentence."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from webhookctl import __version__
from webhookctl.cli import completing, names, output, values
from webhookctl.core.errors import ExitCode, StoppedError, StoreBrokenError, WebhookctlError

_FAULT_OF_OURS: Final = 70
"""EX_SOFTWARE of sysexits.h: none of the exit codes that an operator can do something about."""
_NOBODY_READS: Final = 141
"""What a shell says of a program that SIGPIPE has ended, as in `webhookctl events list | head`."""


class _Commands(typer.core.TyperGroup):
    """The commands; who stops one hears that it was stopped, and who reads no further is no answer `no`."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer hides its class, and the base answers anything
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # What is still to be written at the end goes nowhere; or else Python would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_NOBODY_READS) from None
        except KeyboardInterrupt as stopped:
            raise StoppedError(str(stopped) or "Interrupted.") from None
        except typer.Abort:
            raise StoppedError("Interrupted: nothing was changed.") from None


app = typer.Typer(
    name="webhookctl",
    cls=_Commands,
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


_READ_WITH: Final = {"init": "setup", "config": "setup"}
"""The modules of commands that are not called as their module is."""


def _register(asked: Sequence[str]) -> None:
    """Read the module of the command that is asked for, which does not wait for the others; or else all of them."""
    named = [name for name in asked[:1] if name in names.SENTENCES]
    for module in dict.fromkeys(_READ_WITH.get(name, name) for name in named or names.SENTENCES):
        import_module(f"{__name__}.{module}").register(app)


def _register_names() -> None:
    """Read no module, where a shell asks which commands there are: all of them together take as long as it may wait."""
    for name, sentence in names.SENTENCES.items():
        app.command(name, help=sentence)(lambda: None)


def _asked(arguments: Sequence[str]) -> Sequence[str]:
    """Leave out what stands before the command's name."""
    if arguments[:1] and arguments[0] in {"--config", "-c"}:
        return arguments[2:]
    return arguments[1:] if arguments[:1] and arguments[0].startswith("--config=") else arguments


def _get_ready(environ: Mapping[str, str]) -> None:
    """Know as much of the commands as is asked for."""
    values.make_plain_ones()
    if not completing.is_asked(environ):
        _register(_asked(sys.argv[1:]))
        return
    completing.hurry()
    if finished := _asked(completing.words(environ)):
        _register(finished)
    else:
        _register_names()


_get_ready(os.environ)


def main() -> None:
    """Run the command line; every error an operator can see ends here as a sentence and an exit code."""
    _open_what_is_closed()
    try:
        app()
    except StoreBrokenError as error:
        # Python closes the store at its own end, and SQLite syncs once more in closing, as if the disk had not failed.
        output.say(str(error))
        os._exit(error.exit_code)
    except WebhookctlError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("Interrupted.", ExitCode.INTERRUPTED)
    except OSError as error:
        _fail(_refusal(error), ExitCode.STORE)
    except Exception as error:
        if os.environ.get("WEBHOOKCTL_TRACEBACK"):
            raise
        _fail(_fault(error), _FAULT_OF_OURS)


def _open_what_is_closed() -> None:
    """Give what the caller has closed (`>&-`) a place; else the next file opened would be taken for it."""
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            # The lowest number that is free: this one, as those below it are taken by now.
            opened = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(opened, mode, closefd=opened != descriptor))


def _refusal(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return f"The system refused: {error.strerror or type(error).__name__}{where}."


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
