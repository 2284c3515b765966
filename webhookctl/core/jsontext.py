"""Where in the received bytes does a JSON member begin and end?

It runs on bytes that nothing vouches for yet, so it is a loop without recursion whose work is linear in the body and
bounded beyond that. What it passes over is only counted, not checked: text that is not JSON may be searched as well as
text that is, but in JSON it always finds what a parser would find.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

DEEPEST: Final = 256
"""Levels of nesting; no supplier's body has ten, and Python's own parser gives up before a thousand."""
MOST_MEMBERS: Final = 1_000
"""Of each object or list on the way to what is wanted; three microseconds each."""
MOST_BRACKETS: Final = 20_000
"""Opening ones, in all: two microseconds each, and enough for an order of ten thousand codes. Anybody may send a
megabyte of them, so without these two limits a wrong signature would cost a second."""

# Possessive throughout: no way back is kept, so no text makes these slow or large. What is repeated ends with `(?!)`,
# which never fits: Python before 3.11.5 goes on from where the last try failed, not from where it began
# (github.com/python/cpython/issues/106052), and each alternative begins anew.
_STRING: Final = rb'"(?:[^"\\]++|\\.|(?!))*+"'
_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++|(?!))?+(?:[eE][+-]?[0-9]++|(?!))?+"
_BLANK: Final = rb"[ \t\r\n]*+"
_UNBRACKETED: Final = rb'(?:[^"\[\]{}]++|' + _STRING + rb"|(?!))"
_BLANKS: Final = re.compile(_BLANK)
_KEY: Final = re.compile(_STRING + _BLANK + rb":" + _BLANK, re.DOTALL)
_SCALAR: Final = re.compile(_STRING + rb"|" + _NUMBER + rb"|true|false|null", re.DOTALL)
_COMMA: Final = re.compile(_BLANK + rb"(,?)" + _BLANK)
_TO_BRACKET: Final = re.compile(
    # A pair of brackets with none within is taken in one step, so that a list of items costs no step for each.
    rb"(?:" + _UNBRACKETED + rb"++|[\[{]" + _UNBRACKETED + rb"*+[\]}]|(?!))*+",
    re.DOTALL,
)
_OPENING: Final = (b"{", b"[")
_QUOTE: Final = b'"'
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_LONGEST_ESCAPE: Final = 6
r"""`\u0041`: how many bytes may stand for one."""


class UnreadableJsonError(ValueError):
    """The text can't be searched; the message says why, and holds nothing of the text."""


class RepeatedMemberError(UnreadableJsonError):
    """A member on the way stands twice in its object: which one is meant is anybody's guess."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A JSON Pointer (RFC 6901) to something within a document."""

    written: str
    tokens: tuple[str, ...]

    @classmethod
    def parse(cls, written: str) -> "Pointer":
        """Raise `ValueError` where `written` is no pointer, or points to the whole document."""
        if not written.startswith("/") or re.search(r"~(?![01])", written):
            raise ValueError(written)
        return cls(written, tuple(token.replace("~1", "/").replace("~0", "~") for token in written[1:].split("/")))

    def is_within(self, other: "Pointer") -> bool:
        """True where `other` points to the same, or to something around it."""
        return self.tokens[: len(other.tokens)] == other.tokens

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True, slots=True)
class Span:
    """Where a member's value stands, and what must be cut for the member to be gone."""

    start: int
    end: int
    cut_start: int
    cut_end: int


class _Entry(NamedTuple):
    """A member of an object (its key with the quotes), or an element of an array (key empty)."""

    key: bytes
    start: int
    """Of the value."""
    end: int
    cut_start: int
    cut_end: int


class Document:
    """A body that several things are looked for in: each object and list on the way is gone through once.

    Else whoever sends a body that is tedious to go through would have it gone through for each field that is signed.
    """

    __slots__ = ("_members", "_ways", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._ways: dict[int, Iterator[_Entry]] = {}
        """By where the bracket stands, what is still to be gone through."""
        self._members: dict[int, list[_Entry]] = {}
        """By the same, what was."""

    def find(self, pointer: Pointer) -> Span | None:
        """Return where the value at `pointer` is, None where there is none; raises `UnreadableJsonError`."""
        if not self._ways and self.body.count(b"{") + self.body.count(b"[") > MOST_BRACKETS:
            raise UnreadableJsonError(f"it has more than {MOST_BRACKETS} opening brackets")
        at = _past(_BLANKS, self.body, 0)
        entry: _Entry | None = None
        for token in pointer.tokens:
            entry = self._entry(at, token)
            if entry is None:
                return None
            at = entry.start
        return Span(*entry[1:]) if entry else None

    def scalar(self, pointer: Pointer) -> bytes | None:
        """Return the text of the string, number or boolean at `pointer`; None where there is none, or null.

        A number is in the digits received; a string is without its quotes and escapes. Raises `UnreadableJsonError`.
        """
        span = self.find(pointer)
        if span is None:
            return None
        text = self.body[span.start : span.end]
        if text[:1] in _OPENING:
            raise UnreadableJsonError(f"{pointer} holds {'an object' if text[:1] == b'{' else 'a list'}, not a text")
        if text[:1] != _QUOTE:
            return None if text == b"null" else text
        if b"\\" not in text:
            return text[1:-1]
        try:
            return str(json.loads(text)).encode()
        except ValueError:
            raise UnreadableJsonError(f"the text at {pointer} has an escape that means nothing") from None

    def without(self, pointer: Pointer) -> bytes:
        """Return the body with the member at `pointer` cut out, all else as it was; all of it where there is none.

        A last member goes from the comma before it on, any other up to the next key, an only one with all between the
        braces; whitespace within the cut goes with it. Raises `UnreadableJsonError`.
        """
        span = self.find(pointer)
        return self.body if span is None else self.body[: span.cut_start] + self.body[span.cut_end :]

    def _entry(self, at: int, token: str) -> _Entry | None:
        """Return the entry `token` of the object or array at `at`."""
        opening = self.body[at : at + 1]
        if opening == b"[":
            return self._element(at, token)
        if opening != b"{":
            _value_end(self.body, at)  # what is no JSON at all must not pass for JSON without the member
            return None
        wanted = b'"' + token.encode("utf-8", "surrogatepass") + b'"'
        found: _Entry | None = None
        for entry in self._gone_through(at, MOST_MEMBERS + 1):
            if entry.key == wanted or (b"\\" in entry.key and _is_key(entry.key, wanted, token)):
                if found:
                    raise RepeatedMemberError(f"the member {token!r} stands twice in its object")
                found = entry
        return found

    def _element(self, at: int, token: str) -> _Entry | None:
        if not _INDEX.fullmatch(token):
            return None
        index = int(token)
        elements = self._gone_through(at, index + 1)
        return elements[index] if index < len(elements) else None

    def _gone_through(self, opening: int, count: int) -> list[_Entry]:
        """Return the entries of the object or array at `opening`, `count` of them at least if it has so many."""
        way = self._ways.setdefault(opening, _entries(self.body, opening))
        members = self._members.setdefault(opening, [])
        try:
            members.extend(islice(way, max(0, count - len(members))))
        except UnreadableJsonError:
            del self._ways[opening], self._members[opening]  # an iterator that broke off would look like one at its end
            raise
        return members


def find(body: bytes, pointer: Pointer) -> Span | None:
    """Look for one thing in `body`: see `Document.find`."""
    return Document(body).find(pointer)


def scalar(body: bytes, pointer: Pointer) -> bytes | None:
    """Look for one text in `body`: see `Document.scalar`."""
    return Document(body).scalar(pointer)


def without(body: bytes, pointer: Pointer) -> bytes:
    """Cut one member out of `body`: see `Document.without`."""
    return Document(body).without(pointer)


def with_text(body: bytes, pointer: Pointer, text: str) -> bytes:
    """Return `body` with the string `text` at `pointer`, as the last member where there was none.

    Raises `UnreadableJsonError`, also where the object that it should stand in is missing.
    """
    value = json.dumps(text).encode()
    span = find(body, pointer)
    if span is not None:
        return body[: span.start] + value + body[span.end :]
    around = _container(body, pointer)
    if around is None or body[around.start : around.start + 1] != b"{":
        raise UnreadableJsonError(f"there is no object that {pointer} could stand in")
    member = json.dumps(pointer.tokens[-1]).encode() + b":" + value
    ends = [entry.end for entry in _entries(body, around.start)]
    if not ends:
        return body[: around.start + 1] + member + body[around.end - 1 :]
    return body[: ends[-1]] + b"," + member + body[ends[-1] :]


def _container(body: bytes, pointer: Pointer) -> Span | None:
    """Return the span of what the member at `pointer` stands in."""
    if len(pointer.tokens) > 1:
        return find(body, Pointer("", pointer.tokens[:-1]))
    start = _past(_BLANKS, body, 0)
    end = _value_end(body, start)
    return Span(start, end, start, end)


def _is_key(key: bytes, wanted: bytes, token: str) -> bool:
    """Compare with escapes resolved: a parser would, so a member must not hide behind one."""
    if len(key) > len(wanted) * _LONGEST_ESCAPE:
        return False
    try:
        return bool(json.loads(key) == token)
    except ValueError:
        return False


def _entries(body: bytes, opening: int) -> Iterator[_Entry]:
    """Go through the object or array whose bracket stands at `opening`."""
    named = body[opening : opening + 1] == b"{"
    closing = b"}" if named else b"]"
    before = opening
    at = _past(_BLANKS, body, opening + 1)
    if body[at : at + 1] == closing:
        return
    for _ in range(MOST_MEMBERS):
        start = _past(_KEY, body, at) if named else at
        if named and start == at:
            raise UnreadableJsonError(f"no member begins at byte {at}")
        key = body[at : body.rindex(b'"', at, start) + 1] if named else b""
        end = _value_end(body, start)
        comma = _COMMA.match(body, end)
        behind, following = (comma.start(1), comma.end()) if comma else (end, end)
        sign = body[behind : behind + 1]
        if sign == closing:
            yield _Entry(key, start, end, *((opening + 1, behind) if before == opening else (before, end)))
            return
        if sign != b",":
            raise UnreadableJsonError(f"a comma or bracket is missing at byte {behind}")
        yield _Entry(key, start, end, at, following)
        before, at = behind, following
    raise UnreadableJsonError(f"an object or list has more than {MOST_MEMBERS} members")


def _value_end(body: bytes, at: int) -> int:
    """Return where the value that begins at `at` ends; within brackets only brackets and strings are looked at."""
    if body[at : at + 1] not in _OPENING:
        end = _past(_SCALAR, body, at)
        if end == at:
            raise UnreadableJsonError(f"no JSON value begins at byte {at}")
        return end
    depth = 0
    while at < len(body):
        sign = body[at : at + 1]
        if sign == _QUOTE:
            break
        depth += 1 if sign in _OPENING else -1
        if depth > DEEPEST:
            raise UnreadableJsonError(f"it is nested deeper than {DEEPEST} levels")
        at += 1
        if depth == 0:
            return at
        at = _past(_TO_BRACKET, body, at)
    raise UnreadableJsonError("it ends within a string, an object or a list")


def _past(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    """Return where `pattern` ends when it begins at `at`; `at` itself where it does not fit."""
    match = pattern.match(body, at)
    return match.end() if match else at
