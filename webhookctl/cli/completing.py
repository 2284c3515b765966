"""What the shell offers at a press of Tab."""

from collections.abc import Mapping, Sequence


def words(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the finished words after the program's name, where a shell asks how to go on; else nothing."""
    if "_WEBHOOKCTL_COMPLETE" not in environ:
        return ()
    line = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:] if line.endswith((" ", "\n")) else line.split()[1:-1]
