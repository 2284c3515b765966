"""A `curl` command line, as a shell would read it."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from webhookctl.core.captures import raw_http
from webhookctl.core.captures.captured import Captured, Load
from webhookctl.core.errors import UsageError

_ANSI_C: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(.))", re.DOTALL
)
_NAMED_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
_LAST_SIGN: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)

_LONG: Final[Mapping[str, str]] = {
    "-X": "--request",
    "-H": "--header",
    "-d": "--data",
    "--data-ascii": "--data",
    "-A": "--user-agent",
    "-b": "--cookie",
    "-e": "--referer",
    "-u": "--user",
}
_OTHERS_SHORT: Final = frozenset(f"-{letter}" for letter in "omxwTFKcyYzrtPQDC")
_OTHERS_LONG: Final = frozenset(
    f"--{name}"
    for name in (
        *("output", "max-time", "connect-timeout", "proxy", "resolve", "cacert", "cert", "key", "write-out", "retry"),
        *("retry-delay", "limit-rate", "upload-file", "form", "config", "cookie-jar", "max-redirs", "interface"),
        *("ciphers", "noproxy", "unix-socket", "dump-header", "user-agent", "cookie", "referer", "user", "tls-max"),
    )
)
_READ: Final = frozenset(
    {*_LONG, *_LONG.values(), "--url", "--data-raw", "--data-binary", "--data-urlencode", "--json"}
)
_WITH_VALUE: Final = _READ | _OTHERS_SHORT | _OTHERS_LONG
"""What else takes a value is passed over with it; every other option stands alone."""


@dataclass(slots=True)
class _Reading:
    """What of the command was read so far."""

    load: Load
    method: str = ""
    url: str = ""
    header_lines: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, option: str, value: str) -> None:
        """Take one option with its value, as curl means it."""
        match option:
            case "--request":
                self.method = value
            case "--url":
                self.url = value
            case "--header":
                self.header_lines.append(_bytes(value))
            case "--data" | "--data-raw" | "--data-binary" | "--data-urlencode" | "--json":
                self.data.append(self._data(option, value))
                if option == "--json":
                    self.header_lines.append(b"content-type: application/json")
            case "--form" | "-F" | "--upload-file" | "-T":
                raise UsageError(f"{option} of this curl command can't be read: give the body with --body-file.")
            case _:
                pass

    def _data(self, option: str, value: str) -> bytes:
        """Return what is posted: of a file only --data-binary and --json keep the line ends."""
        if option == "--data-urlencode":
            name, equals, text = _bytes(value).rpartition(b"=") if "=" not in value else _bytes(value).partition(b"=")
            return (name + equals if name else b"") + quote(text, safe="").encode()
        if option == "--data-raw" or not value.startswith("@"):
            return _bytes(value)
        raw = self.load(value[1:])
        if option != "--data":
            return raw
        bare = raw.translate(None, b"\r\n\0")
        if bare != raw:
            self.notes.append("curl's -d leaves out the line ends of a file: use --data-binary to post it as it is.")
        return bare


def read(raw: bytes, load: Load) -> Captured:
    """Read a command line; raises `UsageError`."""
    reading = _Reading(load)
    for option, value in _options(_words(raw)):
        reading.take(option, value)
    body = b"&".join(reading.data) if reading.data else None
    return Captured(
        reading.method or ("POST" if reading.data else "GET"),
        reading.url if "://" in reading.url else f"http://{reading.url}",
        raw_http.headers([line for line in reading.header_lines if b":" in line]),
        body,
        tuple(reading.notes),
    )


def _words(raw: bytes) -> list[str]:
    text = raw.decode("utf-8", "surrogateescape").strip().removeprefix("$").lstrip()
    text = re.sub(r"\\\r?\n", " ", text)
    text = _ANSI_C.sub(lambda found: shlex.quote(_unescaped(found[1])), text)
    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError("This curl command has a quote without its partner.") from None
    return words[1:]


def _unescaped(text: str) -> str:
    """Resolve the escapes of the shell's $'…'."""

    def sign(found: re.Match[str]) -> str:
        octal, two, four, eight, name = found.groups()
        if name is not None:
            return _NAMED_ESCAPES.get(name, name)
        if octal or two:
            return bytes([(int(octal, 8) if octal else int(two, 16)) & 0xFF]).decode("utf-8", "surrogateescape")
        number = min(int(four or eight, 16), _LAST_SIGN)
        return "\N{REPLACEMENT CHARACTER}" if number in _SURROGATES else chr(number)

    return _ESCAPE.sub(sign, text)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Return each option with its value; an address without an option is `--url`."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            yield "--url", word
            continue
        name, value = _long(word) if word.startswith("--") else _short(word)
        if name in _WITH_VALUE:
            yield _LONG.get(name, name), next(rest, "") if value is None else value


def _long(word: str) -> tuple[str, str | None]:
    name, equals, value = word.partition("=")
    return name, value if equals else None


def _short(word: str) -> tuple[str, str | None]:
    """Return the first option of several letters in one (`-sSd`) that takes a value."""
    for place, letter in enumerate(word[1:], 2):
        if f"-{letter}" in _WITH_VALUE:
            return f"-{letter}", word[place:] or None
    return word, None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
