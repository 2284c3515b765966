"""What people and programs read: results on stdout, words on stderr; with `pacing` the only user of Rich."""

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, repeat
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any, Final

from webhookctl.cli import tables
from webhookctl.core.errors import UsageError
from webhookctl.core.redaction import guarded, printable

if TYPE_CHECKING:
    from rich.console import Console


_NARROWEST: Final = 20


def say(text: str = "") -> None:
    """Write a line of words to stderr."""
    _write(sys.stderr, printable(text))


def emit(text: str = "") -> None:
    """Write a line of the result to stdout."""
    _write(sys.stdout, printable(text))


def emit_raw_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write one JSON value on one line, at once: for streams."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=True))
    sys.stdout.flush()


def refuse_terminal() -> None:
    """Raise `UsageError` where bytes that nobody has looked at would come to a terminal, and could act on it."""
    if sys.stdout.isatty():
        raise UsageError("This may hold codes, and bytes that act on a terminal: write it to a file, with > FILE.")


def emit_bytes(content: bytes) -> None:
    """Write the result to stdout as it is."""
    sys.stdout.buffer.write(content)


def show_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write one JSON value, indented; ASCII only, so that nothing in it can act on a terminal."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=True, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "Nothing to show.") -> None:
    """Show rows: a table on a terminal, or a block for each where it is too narrow; tab-separated lines in a pipe."""
    lines = [[printable(cell) for cell in row] for row in rows]
    if not lines:
        say(empty) if empty else None
    elif sys.stdout.isatty():
        _table_or_blocks(columns, lines)
    else:
        for line in [[column.lower().replace(" ", "_") for column in columns], *lines]:
            _write(sys.stdout, "\t".join(map(guarded, line)))


def row(cells: Sequence[str], widths: Sequence[int] = ()) -> None:
    """Show one row of a table as it comes, and at once: in columns on a terminal, tab-separated in a pipe.

    Where the terminal is too narrow it goes on below, indented, and no word is broken.
    """
    shown = [printable(cell) for cell in cells]
    if sys.stdout.isatty():
        columns = zip(shown, chain(widths, repeat(0)), strict=False)
        line = "  ".join(cell.ljust(width) for cell, width in columns).rstrip()
        for part in _folded(get_terminal_size().columns).wrap(line):
            _write(sys.stdout, part)
    else:
        _write(sys.stdout, "\t".join(map(guarded, shown)))
    sys.stdout.flush()


def _folded(width: int) -> TextWrapper:
    width = max(width, _NARROWEST)
    return TextWrapper(width, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Show names and values, one pair a line."""
    shown = [(name, printable(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        begun = f"{name:<{width}}  "
        lines = tables.field(begun, value, get_terminal_size().columns) if is_terminal() else [begun + value]
        for line in lines:
            _write(sys.stdout, line)


def page(found: Mapping[str, Any], *, utc: bool = False, without: Collection[str] = ()) -> None:
    """Show the single values of a page, times as `when` does; what is not known is left out, and what is a list."""
    shown = {name: value for name, value in found.items() if value is not None and name not in without}
    fields(
        (name.replace("_", " "), when(value, utc=utc) if name.endswith("_at") else str(value))
        for name, value in shown.items()
        if not isinstance(value, list)
    )


def message(headers: Iterable[Sequence[str]], body: object) -> None:
    """Show what was sent; a body of None is one that can't be read as JSON."""
    heading("Headers")
    for name, value in headers:
        emit(f"{name}: {value}")
    heading("Body")
    if body is None:
        emit("not JSON; its exact bytes are kept in the store")
        return
    for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines():
        emit(line)


def paragraph(text: str, then: str = "") -> None:
    """Write a sentence and what follows from it: indented lines cut at blanks on a terminal, one line in a pipe."""
    whole = printable(f"{text} {then}".rstrip())
    if not sys.stdout.isatty():
        _write(sys.stdout, whole)
        return
    width = get_terminal_size().columns
    lines = TextWrapper(max(width, _NARROWEST), subsequent_indent="    ", break_on_hyphens=False)
    for lines.initial_indent, part in (("", text), ("    ", then)):
        for line in lines.wrap(printable(part)):
            _write(sys.stdout, line)


def heading(text: str) -> None:
    """Begin a part of a page."""
    if sys.stdout.isatty():
        _console().print(f"\n{printable(text)}", style="bold")
    else:
        _write(sys.stdout, f"\n{printable(text)}")


def when(moment: str | None, *, utc: bool = False) -> str:
    """Show an RFC 3339 time in local time with its offset, or in UTC; a dash where there is none on any calendar."""
    if not moment:
        return "-"
    shown = datetime.fromisoformat(moment)
    with suppress(OverflowError, ValueError):  # the first day of year 1, west of Greenwich: the time of who has none
        shown = shown.astimezone(UTC) if utc else shown.astimezone()
    return shown.isoformat(sep=" ", timespec="seconds")


@contextmanager
def progress(what: str, count: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far long work has come: a bar on a terminal, nothing in a pipe. Yields what to call with each step.

    `count` is None where nobody knows how much there is.
    """
    sys.stdout.flush()  # what was shown so far, such as a plan, does not wait for the end in a pipe
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, markup=False, highlight=False, emoji=False), transient=True) as bar:
        task = bar.add_task(what, total=count)
        yield lambda step: bar.advance(task, step)


@contextmanager
def paced_progress(what: str, count: int) -> Iterator[Callable[[int], None]]:
    """Show how far, how fast and how long still: a bar on a terminal, nothing in a pipe. Yields as `progress` does."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    from webhookctl.cli import pacing

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    # A result in a pipe must not be caught for the bar's sake.
    with Progress(*pacing.columns(), console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(what, total=count)
        yield lambda step: bar.advance(task, step)


def is_terminal() -> bool:
    """Return whether the result comes to a terminal."""
    return sys.stdout.isatty()


def is_watched() -> bool:
    """Return whether a person sees what is said."""
    return sys.stderr.isatty()


def _console() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


def _table_or_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = get_terminal_size().columns
    shown = tables.table(columns, rows, width)
    if shown is None:
        for number, line in enumerate(rows):
            if number:
                _write(sys.stdout, "")
            for part in tables.block(columns, line, width):
                _write(sys.stdout, part)
        return
    head, body = shown
    _write(sys.stdout, "")
    for part in head:
        _console().print(part, style="bold")
    for part in body:
        _write(sys.stdout, part)


def _write(stream: Any, line: str) -> None:  # noqa: ANN401 - TextIO, or what a test put in its place
    """Write a line; what the terminal's encoding lacks (LANG=C) is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
