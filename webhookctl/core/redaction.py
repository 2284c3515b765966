"""What may be shown: codes masked, control characters made visible."""

import json
import re
import unicodedata
from collections.abc import Collection
from typing import Any, Final, final

_BULLET: Final = "•"
_SHORTEST_PARTLY_SHOWN: Final = 12
_SHOWN_TAIL: Final = 2

# Field names whose values are worth money or open a door, in any supplier's JSON; compared without case, '-' and '_'.
# A country's, a currency's, an error's or a product's code is none of them, and `sku` neither.
_CONFIDENTIAL_NAMES: Final = re.compile(
    r"((e?pin|card|gift|giftcard|promo|coupon|claim|redeem|redemption|activation|voucher|license|licence|digital|unlock|"
    r"topup|recharge|access|auth|security|verification|serial|key|game|steam|bar|qr|secret|"
    r"reward)?code|(redeem|redemption)value|"
    r"(api|secret|private|product|license|licence|cd|game|steam|serial|activation|redeem|redemption|signature|digital)?"
    r"key|(e|card|voucher|gift|giftcard|redeem|redemption|serial)?pin|(e|pin|card)?serial|sn|"
    r"(card|voucher|giftcard|serial|pin)(number|num|no)|e?voucher|giftcard|coupon|(access|refresh|auth|id|bearer)?token|"
    r"cv[vc]2?|(client|card|shared|webhook)?secret|(card)?passw(or)?d|passphrase|"
    r"[a-z]*(url|link)|lpa|matchingid|signature|hmacsignature|authhash|authorization)s?"
)
# A member of JSON or of a form, in a text that may break off anywhere: its name, then its value.
_NAMED: Final = re.compile(r'"(?P<json>[A-Za-z][\w-]{0,39})"\s{0,9}:\s{0,9}|(?<![\w-])(?P<form>[A-Za-z][\w-]{0,39})=')
_VALUE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{][^\]}]*[\]}]?|[^\s",;&}\]]+', re.DOTALL)
# What nearly every shop's codes look like, wherever a supplier puts one: three groups or more, of one length.
_GROUPED: Final = re.compile(
    "|".join(rf"(?<![\w-])[A-Z0-9]{{{size}}}(?:-[A-Z0-9]{{{size}}}){{2,}}(?![\w-])" for size in range(4, 9))
)
_NOTHING: Final = frozenset({"null", "true", "false"})
# In full width too, which some programs take for the same, and `|`, with which an old one began a command.
_FORMULA_STARTS: Final = frozenset("=+@|＝＋－＠")  # noqa: RUF001 - meant so
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


def guarded(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula: nobody's reference may run a program."""
    start = cell.lstrip()[:1]
    return f"'{cell}" if start in _FORMULA_STARTS or (start == "-" and not _is_number_or_dash(cell)) else cell


def _is_number_or_dash(cell: str) -> bool:
    return cell == "-" or cell[1:].replace(".", "", 1).isdigit()


def _visible(char: str) -> str:
    if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return char
    return char.encode("unicode_escape").decode("ascii")


def redact(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON value, and back
    """Return the JSON value with every confidential member masked, at any depth, in JSON within texts too."""
    return _redact(value, hidden=_is_confidential(name))


def _redact(value: Any, *, hidden: bool) -> Any:  # noqa: ANN401 - any JSON value, and back
    """What stands anywhere within a confidential member is hidden with it, whatever it is called there."""
    if isinstance(value, dict):
        return {key: _redact(member, hidden=hidden or _is_confidential(key)) for key, member in value.items()}
    if isinstance(value, list):
        return [_redact(member, hidden=hidden) for member in value]
    if value is None or isinstance(value, bool):
        return value
    if hidden:
        return mask(str(value))
    return _redacted_text(value) if isinstance(value, str) else value


def _redacted_text(text: str) -> str:
    """Return a text that may be JSON itself: some suppliers wrap their data so."""
    if not text.lstrip().startswith(("{", "[")):
        return redact_text(text)
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return redact_text(text)
    return json.dumps(_redact(inner, hidden=False), ensure_ascii=False)


def redact_text(text: str) -> str:
    """Return `text` with what looks like a code masked: `"pin": "1234"` of JSON, `token=…` of a form, a grouped one."""
    parts, at = list[str](), 0
    for named in _NAMED.finditer(text):
        value = _VALUE.match(text, named.end())
        if value is None or value[0] in _NOTHING or not _is_confidential(named["json"] or named["form"]):
            continue
        if named.start() >= at:
            masked = f'"{_BULLET * 5}"' if named["json"] else _BULLET * 5
            parts += [text[at : named.end()], masked]
            at = value.end()
    return _GROUPED.sub(lambda found: mask(found[0]), "".join(parts) + text[at:])


def _is_confidential(name: str) -> bool:
    return _CONFIDENTIAL_NAMES.fullmatch(name.lower().replace("_", "").replace("-", "")) is not None


def redact_header(name: bytes, value: bytes, confidential: Collection[bytes] = ()) -> str:
    """Return the header's value fit to be shown: masked where it carries a token or signature.

    `confidential` are names (lower case) that are known to, whatever they look like.
    """
    text = value.decode("latin-1")
    hidden = name.lower() in confidential or _CONFIDENTIAL_HEADERS.search(name)
    return mask(text) if hidden else printable(text)
