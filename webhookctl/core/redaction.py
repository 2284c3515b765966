"""What may be shown: codes masked, control characters made visible."""

import re
import unicodedata
from collections.abc import Collection
from typing import Any, Final, final

_BULLET: Final = "•"
_SHORTEST_PARTLY_SHOWN: Final = 12
_SHOWN_TAIL: Final = 2

# Field names whose values are worth money or open a door, in any supplier's JSON; compared without case, '-' and '_'.
_CONFIDENTIAL_NAMES: Final = re.compile(
    r"(e?pin|(pin|card|gift|promo|claim|redeem|redemption|activation|voucher|license)?code|serial|serialnumber|sn|"
    r"(api|secret|product|license|cd|signature)?key|voucher|(access|refresh)?token|(card|voucher)number|giftcard|cvv|"
    r"secret|passw(or)?d|(claim|redeem|redemption|activation)?(url|link)|lpa|qrcode|signature|hmacsignature|authhash|"
    r"authorization)s?"
)
_CONFIDENTIAL_HEADERS: Final = re.compile(
    rb"auth|cookie|token|secret|signature|api-?key|hmac|credential|passw|session|verify|(^|-)(sig|sign|key|hash|digest)$",
    re.IGNORECASE,
)


@final
class Code:
    """A gift-card code or PIN: as good as cash, so that printing it by accident shows nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the code itself; whoever calls this answers for where it goes."""
        return self._value

    def masked(self) -> str:
        return mask(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Code, self._value))

    def __repr__(self) -> str:
        return "Code(•••)"

    __str__ = __repr__


def mask(code: str) -> str:
    """Hide `code` but for its grouping and its last two characters; a short one wholly."""
    if len(code) < _SHORTEST_PARTLY_SHOWN:
        return _BULLET * 5
    head, tail = code[:-_SHOWN_TAIL], code[-_SHOWN_TAIL:]
    groups = head.split("-")
    if len(groups) == 1 or not tail.isalnum():
        return _BULLET * 5 + (tail if tail.isalnum() else "")
    return "-".join(_BULLET * min(len(group), 5) for group in groups[:-1]) + "-" + tail


def printable(text: str) -> str:
    """Escape what could act on a terminal: control, format and bidi characters, line separators, lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return char
    return char.encode("unicode_escape").decode("ascii")


def redact(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON value, and back
    """Return the JSON value with every confidential member masked, at any depth."""
    if isinstance(value, dict):
        return {key: redact(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [redact(member, name) for member in value]
    if value is None or isinstance(value, bool) or not _is_confidential(name):
        return value
    return mask(str(value))


def _is_confidential(name: str) -> bool:
    return _CONFIDENTIAL_NAMES.fullmatch(name.lower().replace("_", "").replace("-", "")) is not None


def redact_header(name: bytes, value: bytes, confidential: Collection[bytes] = ()) -> str:
    """Return the header's value fit to be shown: masked where it carries a token or signature.

    `confidential` are names (lower case) that are known to, whatever they look like.
    """
    text = value.decode("latin-1")
    hidden = name.lower() in confidential or _CONFIDENTIAL_HEADERS.search(name)
    return mask(text) if hidden else printable(text)
