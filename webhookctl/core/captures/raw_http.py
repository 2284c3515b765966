"""A request as it goes over the wire."""

import re
from typing import Final

from webhookctl.core.captures.captured import Captured, Load
from webhookctl.core.deliveries import Headers
from webhookctl.core.errors import UsageError

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")
_FIRST_LINE: Final = re.compile(rb"([A-Z]{1,20}) (\S+) HTTP/[0-9.]+")
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r?\n")


def read(raw: bytes, _: Load | None = None) -> Captured:
    """Read the bytes of a request; raises `UsageError`."""
    raw = raw.lstrip()
    end = _HEAD_END.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw.rstrip(), b"")
    first, *lines = _LINE_END.split(head)
    captured = of_head(first, lines)
    body, notes = _body(captured, body)
    return Captured(captured.method, captured.url, captured.headers, body, notes)


def is_first_line(line: bytes) -> bool:
    """Return whether a request begins so."""
    return _FIRST_LINE.fullmatch(line) is not None


def of_head(first: bytes, lines: list[bytes]) -> Captured:
    """Read the lines of a request's head; raises `UsageError`."""
    asked = _FIRST_LINE.fullmatch(first.strip())
    if asked is None:
        raise UsageError("The captured request has no first line such as POST /webhooks HTTP/1.1.")
    captured = Captured(asked[1].decode(), "", headers(lines), None)
    return Captured(captured.method, _url(asked[2], captured.header(b"host")), captured.headers, None)


def headers(lines: list[bytes]) -> Headers:
    """Read lines of headers; raises `UsageError` for one that is none."""
    found: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if line[:1] in {b" ", b"\t"} and found:
            found[-1] = (found[-1][0], found[-1][1] + b" " + line.strip())
        elif not colon or not name.strip():
            raise UsageError("The captured request has a line among its headers that is no header: it has no colon.")
        else:
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def _url(target: bytes, host: bytes) -> str:
    """Return the address; that it was https is assumed, as nothing here says so."""
    path = target.decode("latin-1")
    return path if "://" in path or not host else f"https://{host.decode('latin-1')}{path}"


def _body(head: Captured, rest: bytes) -> tuple[bytes, tuple[str, ...]]:
    if b"chunked" in head.header(b"transfer-encoding").lower():
        whole = _unchunked(rest)
        return (rest, ("The body says that it is chunked, and is not.",)) if whole is None else (whole, ())
    length = head.header(b"content-length")
    if not _LENGTH.fullmatch(length) or int(length) == len(rest):
        return rest, ()
    said = int(length)
    if said > len(rest):
        return rest, (f"Content-Length says {said} bytes, and only {len(rest)} are here: the body is not whole.",)
    return rest[:said], (f"Content-Length says {said} bytes: the {len(rest) - said} behind them are left out.",)


def _unchunked(raw: bytes) -> bytes | None:
    parts: list[bytes] = []
    at = 0
    while chunk := _CHUNK.match(raw, at):
        size = int(chunk[1], 16)
        if not size:
            return b"".join(parts)
        parts.append(raw[chunk.end() : chunk.end() + size])
        at = chunk.end() + size
        at += len(b"\r\n") if raw[at : at + 2] == b"\r\n" else 1
    return None
