"""Every response of the receiver, made once."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: as the two messages that ASGI wants, and as what stands on the wire behind status and date."""

    status: int
    start: dict[str, Any]
    body: dict[str, Any]
    wire: bytes
    ends: bool
    """The connection with it."""


def _answer(status: int, text: bytes, *headers: tuple[bytes, bytes], content_type: bytes = b"text/plain") -> Answer:
    fixed = [(b"content-type", content_type)] if text else []
    length = [] if status == _NO_CONTENT else [(b"content-length", str(len(text)).encode())]
    every = [*fixed, *length, *headers]
    return Answer(
        status,
        {"type": "http.response.start", "status": status, "headers": every},
        {"type": "http.response.body", "body": text},
        b"".join(b"%b: %b\r\n" % header for header in every) + b"\r\n" + text,
        ends=_CLOSE in headers,
    )


def acknowledging(status: int = 200, text: str = "", content_type: str = "text/plain") -> Answer:
    """Make the answer by which a supplier knows that its delivery was kept."""
    return _answer(status, text.encode(), content_type=content_type.encode())


def repeating(text: str) -> Answer:
    """Make the answer to a supplier that asks by GET whether the address is ours."""
    return _answer(200, text.encode(), (b"x-content-type-options", b"nosniff"), _CLOSE)


_NO_CONTENT: Final = 204
"""HTTP allows no length with it."""
# Whoever guesses at signatures learns nothing: one body for all causes. Where a body may still be on its way, the
# connection ends: reading on is what a flood wants.
_CLOSE: Final = (b"connection", b"close")
_RETRY_AFTER: Final = (b"retry-after", b"5")
STORED: Final = _answer(200, b"")
PROBED: Final = _answer(200, b"", _CLOSE)
REJECTED: Final = _answer(400, b"rejected\n")
NOT_FOUND: Final = _answer(404, b"not found\n", _CLOSE)
NOT_ALLOWED: Final = _answer(405, b"method not allowed\n", (b"allow", b"POST"), _CLOSE)
TOO_LARGE: Final = _answer(413, b"too large\n", _CLOSE)
ENCODED: Final = _answer(415, b"send it uncompressed\n", (b"accept-encoding", b"identity"), _CLOSE)
UNAVAILABLE: Final = _answer(503, b"try again\n", _RETRY_AFTER)
STOPPING: Final = _answer(503, b"try again\n", _RETRY_AFTER, _CLOSE)

# What becomes of requests that are none as we read them: each ends its connection.
REFUSALS: Final = {
    HTTPStatus.BAD_REQUEST: _answer(400, REJECTED.body["body"], _CLOSE),
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT: _answer(408, b"too slow\n", _CLOSE),
    HTTPStatus.EXPECTATION_FAILED: _answer(417, b"can't be met\n", _CLOSE),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: _answer(431, b"too large\n", _CLOSE),
    HTTPStatus.SERVICE_UNAVAILABLE: STOPPING,
}
