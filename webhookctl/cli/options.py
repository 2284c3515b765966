"""Options that several commands share, and what their words mean."""

import re
import time
from datetime import datetime
from typing import Annotated, Final

import typer

from webhookctl.cli import completing
from webhookctl.core.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many, newest first.")]
Supplier = Annotated[
    str | None,
    typer.Option(
        "--supplier", "-s", help="Only this supplier.", show_default=False, autocompletion=completing.suppliers
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference", help="Only this order reference.", show_default=False, autocompletion=completing.references
    ),
]
Since = Annotated[
    str | None, typer.Option("--since", help="Not older than 2h, 7d or 2026-05-01T00:00Z.", show_default=False)
]
Until = Annotated[str | None, typer.Option("--until", help="Not younger than that.", show_default=False)]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)


def refuse_alone(reason: str, *, for_: str) -> None:
    """Raise `UsageError` where a reason was given and not what it is the reason for: that may have been forgotten."""
    if reason.strip():
        raise UsageError(f"--reason is for {for_}: say that too, or leave the reason out.")


def now_ms() -> int:
    """Return our clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def window(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Read `--since` and `--until`; raises `UsageError` when one can't be read or they exclude everything."""
    now = now_ms()
    first, last = _moment("--since", since, now), _moment("--until", until, now)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--since {since} lies after --until {until}: nothing can be between them.")
    return first, last


def _moment(option: str, text: str | None, now: int) -> int | None:
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]] * 1000
    try:
        # A time without an offset is the operator's own.
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        forms = "an age (90s, 15m, 2h, 7d, 4w) or a time (2026-05-01, 2026-05-01T14:00, 2026-05-01T14:00Z)"
        raise UsageError(f"{option} {text!r} can't be read; give {forms}.") from None
