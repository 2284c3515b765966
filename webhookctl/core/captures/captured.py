"""One captured request, and which reader it takes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from webhookctl.core.deliveries import Headers
from webhookctl.core.errors import UsageError

Load: TypeAlias = Callable[[str], bytes]
"""Return the bytes of a file that a capture names (`--data-binary @body.json`); raises `UsageError`."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A request as it was captured."""

    method: str
    url: str
    """Empty where the capture does not tell it."""
    headers: Headers
    """Names in lower case."""
    body: bytes | None
    """None where the capture has none, as what `curl -v` prints."""
    notes: tuple[str, ...] = ()
    """What had to be assumed: sentences."""

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header, empty where there is none."""
        return next((value for key, value in self.headers if key == name), b"")

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Captured({self.method!r}, {len(self.headers)} headers)"


def read(raw: bytes, load: Load) -> Captured:
    """Read a captured request in whatever form it is; raises `UsageError`."""
    for fits, reader in _readers().items():
        if fits.search(raw):
            return reader(raw, load)
    raise UsageError(
        "This file holds no request that can be read: give raw HTTP (`events show --raw`), the output of `curl -v`, a "
        "`curl` command line, or a HAR entry (the browser's `Copy all as HAR`)."
    )


def _readers() -> Mapping[re.Pattern[bytes], Callable[[bytes, Load], Captured]]:
    from webhookctl.core.captures import command_line, har, raw_http, transcript  # noqa: PLC0415 - they use `Captured`

    return {
        _COMMAND: command_line.read,
        _RAW: raw_http.read,
        _TRANSCRIPT: transcript.read,
        _HAR: har.read,
    }


_COMMAND: Final = re.compile(rb"\A\s*(?:\$\s+)?curl(?:\.exe)?\s")
_RAW: Final = re.compile(rb"\A\s*[A-Z]{1,20} \S+ HTTP/[0-9.]+\r?$", re.MULTILINE)
_TRANSCRIPT: Final = re.compile(rb"^> [A-Z]{1,20} \S+ HTTP/[0-9.]+\r?$", re.MULTILINE)
_HAR: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*[{\[]")
