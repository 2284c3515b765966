"""How the programs of this world write the same JSON."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

_MARK: Final = "\ue000"
"""Of private use: wraps the text of a number, so that it goes through parser and printer as it is."""
_MARKED: Final = re.compile(f'"{_MARK}([^"]*){_MARK}"')
_MARKED_ASCII: Final = re.compile(r'"\\ue000([^"\\]*)\\ue000"')
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_EXACT_IN_JAVASCRIPT: Final = 2**53
_LONGEST_NUMBER: Final = 400
_LARGE: Final = 256 * 1024
"""Signs. Of a longer text only one parse is kept: each takes up to sixty times its size."""
_MOST_JAVASCRIPT_DIGITS: Final = 21


def _javascript_number(text: str) -> str:
    """Write a number as JSON.stringify does."""
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        return "null"
    if number.is_integer() and abs(number) < 10.0**_MOST_JAVASCRIPT_DIGITS:
        return str(int(number)) if abs(number) <= _EXACT_IN_JAVASCRIPT else _shortest_digits(number)
    written = repr(number)
    mantissa, e, exponent = written.partition("e")
    if not e:
        return written
    power = int(exponent)
    # Python turns to powers below 1e-4, JavaScript below 1e-6.
    return f"{number:.{len(mantissa) - 1 - power}f}".rstrip("0") if -7 < power < 0 else f"{mantissa}e{power:+d}"  # noqa: PLR2004 - see above


def _shortest_digits(number: float) -> str:
    """Write a large whole number with as few digits as tell it from its neighbours, then noughts."""
    mantissa, _, exponent = f"{number!r}".removesuffix(".0").partition("e")
    digits = mantissa.replace(".", "")
    return digits + "0" * (int(exponent) - len(digits.lstrip("-")) + 1) if exponent else digits


def _python_number(text: str) -> str:
    return repr(float(text)) if text.strip("-0123456789") else text


_NUMBERS: Final[Mapping[str, Callable[[str], str]]] = {
    "": lambda text: text,
    "JavaScript's numbers": _javascript_number,
    "Python's numbers": _python_number,
}


def _for_html(text: str) -> str:
    """Escape as Go and Rails do."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _as_gson(text: str) -> str:
    return _for_html(text).replace("'", "\\u0027").replace("=", "\\u003d")


def _as_dotnet(text: str) -> str:
    text = text.replace('\\"', "\\u0022")
    for sign in "<>&+'`":
        text = text.replace(sign, f"\\u{ord(sign):04X}")
    return _NOT_ASCII.sub(lambda found: _utf16(found[0]), text)


def _utf16(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04X}" for at in range(0, len(units), 2))


# How letters and signs are escaped: whether all but ASCII is, and what is done to the text then. None of the signs that
# are replaced can stand outside a string. A plus of a power would, and .NET writes none.
_ESCAPES: Final[Mapping[str, tuple[bool, Callable[[str], str]]]] = {
    "": (False, lambda text: text),
    "\\u escapes": (True, lambda text: text),
    "escaped as in PHP": (True, lambda text: text.replace("/", "\\/")),
    "\\/ for each slash": (False, lambda text: text.replace("/", "\\/")),
    "HTML escapes as in Go": (False, _for_html),
    "escaped as in Java's Gson": (False, _as_gson),
    "escaped as in .NET": (False, _as_dotnet),
}
_LAYOUTS: Final[Mapping[str, tuple[str | int | None, tuple[str, str] | None, str]]] = {
    "compact": (None, (",", ":"), ""),
    "spaced as in Python": (None, (", ", ": "), ""),
    "indented by 2": (2, None, ""),
    "indented by 4": (4, None, ""),
    "indented by 2 with a newline at its end": (2, None, "\n"),
    "indented by tabs": ("\t", None, ""),
}
"""Indent, separators, what stands behind it all."""
_ORDERS: Final[Mapping[str, bool]] = {"": False, "keys sorted": True}


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing."""

    layout: str
    order: str = ""
    escapes: str = ""
    numbers: str = ""

    @property
    def words(self) -> str:
        return ", ".join(filter(None, (self.layout, self.order, self.escapes, self.numbers)))

    @property
    def oddity(self) -> int:
        """Say how far down the list of the likely it belongs."""
        places = (
            list(_LAYOUTS).index(self.layout),
            3 * list(_ORDERS).index(self.order),
            2 * list(_ESCAPES).index(self.escapes),
            3 * list(_NUMBERS).index(self.numbers),
        )
        return sum(places)


_JAVASCRIPT, _PYTHON = list(_NUMBERS)[1:]


def _is_written(form: Form) -> bool:
    """Nobody mixes JavaScript's numbers with PHP's escapes."""
    if form.numbers == _JAVASCRIPT:
        return form.escapes == ""
    return form.numbers != _PYTHON or form.escapes in {"", "\\u escapes"}


FORMS: Final = sorted(
    (
        form
        for form in (Form(*choice) for choice in product(_LAYOUTS, _ORDERS, _ESCAPES, _NUMBERS))
        if _is_written(form)
    ),
    key=lambda form: form.oddity,
)
"""The likely ones first."""


@dataclass(slots=True)
class Document:
    """A body's JSON, parsed once for each way of writing its numbers."""

    text: str
    _parsed: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, body: bytes) -> "Document | None":
        """Return None where `body` is no JSON object or list."""
        try:
            text = body.decode("utf-8-sig")
        except ValueError:
            return None
        if text.lstrip()[:1] not in {"{", "["} or _MARK in text or "\\ue000" in text.lower():
            return None
        document = cls(text)
        try:
            document._value("")
        except (ValueError, RecursionError):
            return None
        return document

    def written(self, form: Form) -> bytes:
        """Write it in `form`."""
        indent, separators, end = _LAYOUTS[form.layout]
        ascii_only, escape = _ESCAPES[form.escapes]
        text = json.dumps(
            self._value(form.numbers),
            indent=indent,
            separators=separators,
            sort_keys=_ORDERS[form.order],
            ensure_ascii=ascii_only,
        )
        text = (_MARKED_ASCII if ascii_only else _MARKED).sub(r"\1", text)
        return (escape(text) + end).encode("utf-8", "surrogatepass")

    def _value(self, numbers: str) -> Any:  # noqa: ANN401 - any JSON value
        if numbers not in self._parsed:
            if len(self.text) > _LARGE:
                self._parsed.clear()
            write = _NUMBERS[numbers]

            def marked(text: str) -> str:
                if len(text) > _LONGEST_NUMBER:
                    raise ValueError
                return f"{_MARK}{write(text)}{_MARK}"

            self._parsed[numbers] = json.loads(self.text, parse_int=marked, parse_float=marked, parse_constant=marked)
        return self._parsed[numbers]
