"""A supplier's timestamps, read and written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from webhookctl.core.moments import exact


class TimestampFormat(StrEnum):
    """How a moment is written."""

    UNIX = "unix"
    UNIX_MS = "unix_ms"
    RFC3339 = "rfc3339"


@dataclass(frozen=True, slots=True)
class Form:
    """One format: from text to milliseconds since 1970 and back."""

    read: Callable[[bytes], int]
    """Raises ValueError; on whatever bytes, nothing else."""
    write: Callable[[int], str]
    words: str


_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MOST_SECOND_DIGITS: Final = 12
_MOST_MILLISECOND_DIGITS: Final = 15


def _digits(text: bytes, most: int) -> int:
    # Of bytes, isdigit() is true for ASCII digits alone: no sign, blank, exponent or other alphabet's digits.
    if not text.isdigit() or len(text) > most:
        raise ValueError
    return int(text)


def _read_rfc3339(text: bytes) -> int:
    written = text.decode("ascii")
    if not _RFC3339.fullmatch(written):
        raise ValueError
    try:
        return round(datetime.fromisoformat(written.upper()).timestamp() * 1000)
    except OverflowError:
        raise ValueError from None


def seconds(span_ms: int) -> str:
    """Return how many seconds that is either way, to the millisecond and never as a power of ten."""
    return f"{abs(span_ms) / 1000:.15g}"


FORMS: Final[Mapping[TimestampFormat, Form]] = {
    TimestampFormat.UNIX: Form(
        lambda text: _digits(text, _MOST_SECOND_DIGITS) * 1000,
        lambda moment: str(moment // 1000),
        "seconds since 1970, in digits",
    ),
    TimestampFormat.UNIX_MS: Form(
        lambda text: _digits(text, _MOST_MILLISECOND_DIGITS), str, "milliseconds since 1970, in digits"
    ),
    TimestampFormat.RFC3339: Form(_read_rfc3339, exact, "a time such as 2026-05-01T14:23:11Z"),
}
