"""Which headers of a request go with it when it is sent again?"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from webhookctl.core.deliveries import HEADER_NAME, Headers

# RFC 9110, 7.6.1, and what its older kin named: about the connection that it came by.
_OF_THE_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# Made anew for the new way: for whom, how long, and what the answer may be.
_OF_THE_WAY: Final = frozenset({b"host", b"content-length", b"expect", b"accept-encoding"})
_CONTENT_TYPE: Final = (b"content-type", b"application/json")
_NOT_IN_A_HEADER: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def is_for_its_way(name: bytes) -> bool:
    """Return whether a header (lower case) says something of the way alone, so that each way has its own."""
    return name in _OF_THE_HOP or name in _OF_THE_WAY


def headers_to_send(received: Headers, *, without: Collection[bytes], added: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what goes with the body again: `received`, but for what was about its way, and `without`; then `added`.

    What is added takes the place of what was received under that name. A value that is no UTF-8 stays behind: it would
    change on the way.
    """
    new = tuple(added)
    named = {name.strip().lower() for key, value in received if key == b"connection" for name in value.split(b",")}
    left_out = _OF_THE_HOP | _OF_THE_WAY | named | set(without) | {name.lower() for name, _ in new}
    kept = tuple((name, value) for name, value in received if name not in left_out and can_be_sent(name, value))
    is_typed = any(name.lower() == _CONTENT_TYPE[0] for name, _ in (*kept, *new))
    return (*kept, *new) if is_typed else (*kept, _CONTENT_TYPE, *new)


def can_be_sent(name: bytes, value: bytes) -> bool:
    """Return whether a header would arrive as it is."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return HEADER_NAME.fullmatch(name.decode("latin-1")) is not None and not _NOT_IN_A_HEADER.search(value)
