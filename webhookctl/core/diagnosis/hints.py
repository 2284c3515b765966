"""What can be seen in a delivery that nothing explains, without any proof."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from webhookctl.core.diagnosis.case import Case
from webhookctl.core.diagnosis.findings import Mistake

_API_KEY: Final = re.compile(rb"(?:[sprk]{2}_(?:live|test)_|xox[bp]-|ghp_|github_pat_|SG\.|AKIA|Bearer )")
_PLACEHOLDER: Final = re.compile(
    rb"(?i)(?:.*_)?(?:change_?me|your[-_ ]?.*|xxx+|secret|placeholder|todo|\.{3}|<.*>|\$\{?\w+\}?)"
)
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}".encode()
_DICT: Final = re.compile(rb"\{'[^']*': ")


def _body_empty(case: Case) -> str | None:
    return None if case.delivery.body else ""


def _body_cut(case: Case) -> str | None:
    length = case.header(b"content-length") or b""
    body = case.delivery.body
    if length.isdigit() and len(length) < 10 and int(length) > len(body):  # noqa: PLR2004 - a gigabyte
        return f"Content-Length says {int(length)} bytes, and {len(body)} are here"
    head, end = body.lstrip()[:1], body.rstrip()[-1:]
    return "it begins as JSON and does not end so" if {b"{": b"}", b"[": b"]"}.get(head, end) != end else None


def _body_printed(case: Case) -> str | None:
    return "" if b"[object Object]" in case.delivery.body[:100] else None


def _body_dict(case: Case) -> str | None:
    return "" if _DICT.match(case.delivery.body) else None


def _body_replaced(case: Case) -> str | None:
    try:
        case.delivery.body.decode()  # in other bytes it stands by chance
    except ValueError:
        return None
    return "" if _REPLACED in case.delivery.body else None


def _secret(pattern: re.Pattern[bytes]) -> Callable[[Case], str | None]:
    return lambda case: "" if any(pattern.match(one.value) for one in case.secrets) else None


def _whole_secret(pattern: re.Pattern[bytes]) -> Callable[[Case], str | None]:
    return lambda case: "" if any(pattern.fullmatch(one.value) for one in case.secrets) else None


_HINTS: Final[Sequence[tuple[str, Callable[[Case], str | None]]]] = (
    ("body.empty", _body_empty),
    ("body.object_printed", _body_printed),
    ("body.dict_printed", _body_dict),
    ("body.cut", _body_cut),
    ("body.replaced", _body_replaced),
    ("secret.placeholder", _whole_secret(_PLACEHOLDER)),
    ("secret.api_key", _secret(_API_KEY)),
)
NAMES: Final = tuple(name for name, _ in _HINTS)
"""Of every mistake that can only be guessed."""


def hints(case: Case) -> Iterator[Mistake]:
    """Return what looks wrong."""
    for name, look in _HINTS:
        detail = look(case)
        if detail is not None:
            yield Mistake(name, detail)
