"""No secret is taken from the command line: other users see it in the list of processes, and the shell keeps it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from webhookctl.cli import output
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.signatures import Secret

_SECRET: Final = re.compile(r"(?:whsec|whsk|sk_live|sk_test|rk_live|rk_test)_[A-Za-z0-9+/=_-]{8,}")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_ANY_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSTEAD: Final = "put it into a file of mode 0600 and use --secret-file, or into the environment and use --secret-env"


class Command(typer.core.TyperCommand):
    """A command whose arguments are looked at before anything is made of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own context
        """Refuse what looks like a secret; the sentence does not repeat it."""
        if any(_SECRET.search(argument) for argument in args):
            raise UsageError(
                "An argument looks like a secret. Others can read it in the list of processes, and your shell has kept "
                f"it: rotate it, then {_INSTEAD}."
            )
        return super().parse_args(ctx, args)


def read(variables: Sequence[str], files: Sequence[str]) -> "list[Secret]":
    """Read the secrets that --secret-env and --secret-file name; without either, ask on the terminal."""
    import os

    from webhookctl.secrets import SecretRef, SecretSource

    found = []
    for name in variables:
        _check_variable(name, os.environ)
        found.append(SecretRef(SecretSource.ENV, name).read_to_try(os.environ, Path())[0])
    for path in files:
        secret, was_cut = SecretRef(SecretSource.FILE, _checked_path(path)).read_to_try(os.environ, Path())
        found.append(secret)
        if was_cut:
            output.say(f"One newline at the end of {path} was taken off.")
    return found or [_asked()]


def _check_variable(name: str, environ: Any) -> None:  # noqa: ANN401 - os.environ
    """Refuse a variable that is not there; a name that may be the secret itself is not repeated."""
    if not _ANY_VARIABLE.fullmatch(name):
        raise UsageError(
            "--secret-env takes the name of an environment variable, and that is none. If it was the secret itself: "
            f"rotate it, then {_INSTEAD}."
        )
    if name not in environ:
        what = f"There is no environment variable {name}" if _VARIABLE.fullmatch(name) else "There is no such variable"
        raise UsageError(f"{what}: export it first, and name it with --secret-env.")


def _checked_path(path: str) -> str:
    if not path or "\0" in path:
        raise UsageError("--secret-file takes the path of a file.")
    return path


def _asked() -> "Secret":
    import getpass
    import sys

    from webhookctl.core.signatures import Secret

    if not sys.stdin.isatty():
        raise UsageError("No secret was given: name it with --secret-env NAME or --secret-file PATH.")
    typed = getpass.getpass("Secret (not shown): ", stream=sys.stderr)
    if not typed:
        raise UsageError("The secret is empty.")
    return Secret(typed.encode("utf-8", "surrogateescape"), "what was typed")
