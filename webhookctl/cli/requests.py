"""A request from files and options: its body, its headers, its time."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webhookctl.cli import output
from webhookctl.core.deliveries import HEADER_NAME
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.captures import Captured
    from webhookctl.core.deliveries import Delivery, Headers

_LONGEST: Final = 64 * 1024 * 1024
_UNIX: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SECONDS_DIGITS: Final = 11


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of the request on the command line."""

    body_file: str | None
    headers: Sequence[str]
    request: str | None
    url: str | None
    method: str | None

    def delivery(self, *, now: int, url: str = "") -> "Delivery":
        """Return what was received; `url` is what the settings know of the address."""
        from webhookctl.core.deliveries import Delivery

        if self.request == self.body_file == "-":
            raise UsageError("--request and --body-file can't both be read from stdin: put one into a file.")
        captured = self._captured()
        headers = self._headers(captured)
        body = captured.body if captured else None
        body = body if self.body_file is None else read(self.body_file)
        if body is None:
            raise UsageError("There is no body: name its file with --body-file, or - for stdin.")
        for note in captured.notes if captured and self.body_file is None else ():
            output.say(note)
        address = self.url or url or (captured.url if captured else "")
        method = self.method or (captured.method if captured else "POST")
        return Delivery("", body, headers, now, b"", url=address, method=method)

    def _captured(self) -> "Captured | None":
        if self.request is None:
            return None
        from webhookctl.core import captures

        folder = Path() if self.request == "-" else Path(self.request).parent
        return captures.read(read(self.request), lambda name: read(str(folder / name)))

    def _headers(self, captured: "Captured | None") -> "Headers":
        """Return those given, and of those captured whichever were not given."""
        given = tuple(header(line) for line in self.headers)
        names = {name for name, _ in given}
        return (*given, *(pair for pair in captured.headers if pair[0] not in names)) if captured else given


def header(line: str) -> tuple[bytes, bytes]:
    """Read a header with its name, in lower case; raises `UsageError`."""
    name, colon, value = line.partition(":")
    if not colon or not HEADER_NAME.fullmatch(name.strip()):
        raise UsageError("-H takes a header with its name, as in -H 'X-Signature: …'; one of those given has none.")
    return name.strip().lower().encode(), to_bytes(value.strip())


def to_bytes(text: str) -> bytes:
    """Return the bytes of an argument as they were given, whatever they mean."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def read(path: str) -> bytes:
    """Return the bytes of a file, or of stdin for `-`; raises `UsageError`."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(_LONGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "that is no path").lower()
        raise UsageError(f"{path} can't be read: {why}.") from None
    if len(raw) > _LONGEST:
        raise UsageError(f"{path} is longer than {_LONGEST >> 20} MiB: no supplier sends that.")
    return raw


def moment(text: str | None) -> int | None:
    """Read --at: RFC 3339, or seconds or milliseconds since 1970. Raises `UsageError`."""
    if text is None:
        return None
    if _UNIX.fullmatch(text):
        return int(text) * (1000 if len(text) <= _SECONDS_DIGITS else 1)
    try:
        # A time without an offset is the operator's own. fromisoformat alone takes any row of digits for a date.
        return round(datetime.fromisoformat(text if _DATE.match(text) else "").timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        shown = text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - a line's worth
        raise UsageError(
            f"--at {shown!r} can't be read; give 2026-05-01T14:00:00Z, or seconds or milliseconds since 1970."
        ) from None
