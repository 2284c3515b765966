"""What exactly is signed: the little language of the key `signed`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from webhookctl.core import jsontext, spelling
from webhookctl.core.deliveries import HEADER_NAME
from webhookctl.core.errors import Reason, SchemeError, SignatureError
from webhookctl.core.jsontext import Pointer

_PLACEHOLDER: Final = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")


@dataclass(slots=True)
class Source:
    """What a delivery offers to a template."""

    body: bytes
    headers: Mapping[bytes, bytes]
    """Those that the scheme names, by lower-case name."""
    url: str
    method: str
    timestamp: bytes = b""
    secret: bytes = field(default=b"", repr=False)
    """The one that is being tried, where it is part of the text."""
    _document: jsontext.Document | None = field(default=None, init=False, repr=False)

    @property
    def document(self) -> jsontext.Document:
        """The body, to look for things in."""
        if self._document is None:
            self._document = jsontext.Document(self.body)
        return self._document


@dataclass(frozen=True, slots=True)
class HeaderName:
    """A header as the settings write it, and as it is looked up."""

    written: str
    key: bytes

    @classmethod
    def parse(cls, written: str) -> "HeaderName":
        """Raise `ValueError` where no header can have that name."""
        if not HEADER_NAME.fullmatch(written):
            raise ValueError(written)
        return cls(written, written.lower().encode())

    def __str__(self) -> str:
        return self.written


_Render: TypeAlias = Callable[[Source, Any], bytes]


def _header(source: Source, name: HeaderName) -> bytes:
    value = source.headers.get(name.key)
    if value is None:
        raise SignatureError(Reason.MISSING_HEADER, f"The delivery has no header {name}, which its signature covers.")
    return value


def _url(source: Source, _: object) -> bytes:
    if not source.url:
        raise SignatureError(
            Reason.MALFORMED,
            "The signature covers the URL that the supplier posts to, and it is not known here: set the public URL.",
        )
    return source.url.encode("utf-8", "surrogatepass")


def _json(source: Source, pointer: Pointer) -> bytes:
    try:
        return source.document.scalar(pointer) or b""
    except jsontext.UnreadableJsonError as error:
        raise _unsearchable(pointer, error) from None


def _body_without(source: Source, pointer: Pointer) -> bytes:
    try:
        return source.document.without(pointer)
    except jsontext.UnreadableJsonError as error:
        raise _unsearchable(pointer, error) from None


def _unsearchable(pointer: Pointer, error: Exception) -> SignatureError:
    return SignatureError(Reason.MALFORMED, f"The body can't be searched for {pointer}, which is signed: {error}.")


def _literal(_: Source, text: bytes) -> bytes:
    return text


# Each placeholder: what it puts there, and how its argument is read (None: it has none).
_PLACEHOLDERS: Final[Mapping[str, tuple[_Render, Callable[[str], Any] | None]]] = {
    "body": (lambda source, _: source.body, None),
    "timestamp": (lambda source, _: source.timestamp, None),
    "header": (_header, HeaderName.parse),
    "secret": (lambda source, _: source.secret, None),
    "param": (_literal, str),
    "url": (_url, None),
    "method": (lambda source, _: source.method.encode("utf-8", "surrogatepass"), None),
    "json": (_json, Pointer.parse),
    "body-without": (_body_without, Pointer.parse),
}
_EXAMPLES: Final = (
    "{body}, {timestamp}, {header:NAME}, {secret}, {param:NAME}, {url}, {method}, {json:/pointer} and "
    "{body-without:/pointer}"
)


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template; what it names can be asked for, to find contradictions."""

    written: str
    steps: tuple[tuple[_Render, Any], ...] = field(repr=False)
    names: frozenset[str] = field(repr=False)
    headers: tuple[HeaderName, ...] = field(repr=False)
    fields: tuple[Pointer, ...] = field(repr=False)
    """Of each `{json:…}`."""
    cuts: tuple[Pointer, ...] = field(repr=False)
    """Of each `{body-without:…}`."""

    def render(self, source: Source) -> bytes:
        """Return the signed bytes; raises `SignatureError`."""
        if len(self.steps) == 1:
            step, argument = self.steps[0]
            return step(source, argument)
        return b"".join([step(source, argument) for step, argument in self.steps])

    def has_header(self, name: HeaderName) -> bool:
        return any(header.key == name.key for header in self.headers)

    def covers(self, pointer: Pointer) -> bool:
        """True where whoever changes what stands at `pointer` changes what is signed."""
        kept = any(not pointer.is_within(cut) for cut in self.cuts)
        return "body" in self.names or kept or pointer in self.fields

    def __str__(self) -> str:
        return self.written


def params_of(written: str) -> list[str]:
    """Return the names that a template takes from `params`."""
    return [match[2] for match in _PLACEHOLDER.finditer(written) if match[1] == "param" and match[2]]


def compile_template(written: str, params: Mapping[str, str], key: str) -> Template:
    """Read a template once; raises `SchemeError` for `key`."""
    steps: list[tuple[_Render, Any]] = []
    arguments: list[tuple[str, Any]] = []
    end = 0
    for match in _PLACEHOLDER.finditer(written):
        steps.append((_literal, _text(written[end : match.start()], key)))
        name, argument = match[1], _argument(match, key)
        steps.append((_PLACEHOLDERS[name][0], _param(argument, params, key) if name == "param" else argument))
        arguments.append((name, argument))
        end = match.end()
    steps.append((_literal, _text(written[end:], key)))
    return Template(
        written,
        steps=tuple(step for step in steps if step[1] != b""),
        names=frozenset(name for name, _ in arguments),
        headers=tuple(argument for name, argument in arguments if name == "header"),
        fields=tuple(argument for name, argument in arguments if name == "json"),
        cuts=tuple(argument for name, argument in arguments if name == "body-without"),
    )


def _text(literal: str, key: str) -> bytes:
    if "{" in literal or "}" in literal:
        raise SchemeError(key, f"{key} has a brace without its partner; it knows {_EXAMPLES}")
    return literal.encode("utf-8", "surrogatepass")


def _argument(match: re.Match[str], key: str) -> Any:  # noqa: ANN401 - what the placeholder's own reader makes of it
    name, text = match[1], match[2]
    if name not in _PLACEHOLDERS:
        hint = spelling.nearest(name, _PLACEHOLDERS, "{{}}") or f"it knows {_EXAMPLES}"
        raise SchemeError(key, f"{key} has the unknown {match[0]}: {hint}")
    read = _PLACEHOLDERS[name][1]
    if (read is None) is not (text is None):
        raise SchemeError(key, f"{key} has {match[0]}, which is incomplete or too long; it knows {_EXAMPLES}")
    try:
        return read(text) if read else None
    except ValueError:
        what = "a header's name" if name == "header" else "a JSON Pointer, which begins with a slash"
        raise SchemeError(key, f"{key} has {match[0]}, but behind the colon belongs {what}") from None


def _param(name: str, params: Mapping[str, str], key: str) -> bytes:
    if name not in params:
        hint = spelling.nearest(name, params) or f"set params.{name}"
        raise SchemeError(key, f"{key} has {{param:{name}}}, and params has no such name: {hint}")
    return params[name].encode("utf-8", "surrogatepass")
