"""Where in this supplier's JSON is the order id, the status, the code?"""

import hashlib
import json
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, TypeVar

from webhookctl.core.errors import SettingsError
from webhookctl.core.events import Event, EventState, EventType, Item, StoredEvent
from webhookctl.core.orders import OrderStatus
from webhookctl.core.redaction import Code

LONGEST_NAME: Final = 256
"""Characters of a reference or an order id; no supplier's is near it, and it becomes part of an index."""

_STATUS_OF: Final[Table[EventType, OrderStatus]] = {
    EventType.CREATED: OrderStatus.PENDING,
    EventType.PARTIAL: OrderStatus.PARTIAL,
    EventType.FULFILLED: OrderStatus.FULFILLED,
    EventType.FAILED: OrderStatus.FAILED,
    EventType.REFUNDED: OrderStatus.REFUNDED,
}
_TYPE_OF: Final[Table[OrderStatus, EventType]] = {status: type_ for type_, status in _STATUS_OF.items()}
_MILLISECONDS_FROM: Final = 100_000_000_000
"""A unix time above this is in milliseconds: in seconds it would be the year 5138."""
_ALL: Final = "*"
_HEADER: Final = "header:"


_Word = TypeVar("_Word", EventType, OrderStatus)


class _Absent(Enum):
    ABSENT = "absent"
    DUPLICATED = "duplicated"
    """The object names this member twice: which one is meant is anybody's guess."""


class _Number(str):
    """A JSON number in its own digits: 2^64 stays 2^64."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A delivery that says nothing to an order: `dead` where it should have, `ignored` where it need not."""

    state: EventState
    reason: str


class _UnreadableError(Exception):
    """The delivery should say something to an order and can't be read."""


_PLACE_WORDS: Final = "must be a JSON Pointer such as /data/reference, header:NAME, or a list of these"


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a value may stand: a JSON Pointer into the body (RFC 6901), or a header."""

    written: str
    tokens: tuple[str, ...] = ()
    header: bytes | None = None

    @classmethod
    def parse(cls, written: object, key: str) -> "Place":
        """Read `/data/reference`, `/items/*` or `header:X-Event`; raises `SettingsError` naming `key`."""
        if not isinstance(written, str):
            raise SettingsError(f"map.{key} {_PLACE_WORDS}")
        if written.startswith(_HEADER) and len(written) > len(_HEADER) and written.isascii():
            return cls(written, header=written.removeprefix(_HEADER).strip().lower().encode())
        if written and not written.startswith("/"):
            raise SettingsError(f"map.{key} {_PLACE_WORDS}; {written!r} does not begin with a slash")
        tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in written.split("/")[1:])
        return cls(written, tokens)

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True, slots=True)
class Mapping:
    """A supplier's JSON in places; each a tuple of alternatives of which the first present one counts."""

    reference: tuple[Place, ...]
    event_type: tuple[Place, ...] = ()
    """Empty: the type follows from the status."""
    event_id: tuple[Place, ...] = ()
    order_id: tuple[Place, ...] = ()
    status: tuple[Place, ...] = ()
    occurred_at: tuple[Place, ...] = ()
    items: tuple[Place, ...] = ()
    """With `*` for each element; `sku`, `code` and `pin` are relative to one of them."""
    sku: tuple[Place, ...] = ()
    code: tuple[Place, ...] = ()
    pin: tuple[Place, ...] = ()
    types: Table[str, EventType] | None = None
    statuses: Table[str, OrderStatus] | None = None

    @classmethod
    def parse(cls, table: Table[str, object]) -> "Mapping":
        """Read the `map` table of a preset or of the settings; raises `SettingsError` naming the key."""
        known = [field.name for field in fields(cls)]
        for key in table:
            if key not in known:
                near = get_close_matches(key, known, 1)
                raise SettingsError(f"map.{key} is not known" + (f"; did you mean map.{near[0]}?" if near else ""))
        places = {key: _places(value, key) for key, value in table.items() if key not in {"types", "statuses"}}
        if not places.get("reference"):
            raise SettingsError("map.reference is missing: without it no order can be found")
        if not places.get("event_type") and not places.get("status"):
            raise SettingsError("map.event_type or map.status is needed: one of them says what happened")
        if any(place.header for place in places.get("event_id", ())):
            raise SettingsError(
                "map.event_id must be in the body; for a header set event_id_header, which must be signed"
            )
        return cls(
            **places,
            types=_words(table.get("types", {}), "types", EventType),
            statuses=_words(table.get("statuses", {}), "statuses", OrderStatus),
        )


def _places(value: object, key: str) -> tuple[Place, ...]:
    alternatives = value if isinstance(value, list) else [value]
    return tuple(Place.parse(alternative, key) for alternative in alternatives)


def _words(value: object, key: str, kind: type[_Word]) -> dict[str, _Word]:
    if not isinstance(value, dict):
        raise SettingsError(f"map.{key} must be a table of the supplier's words and ours")
    ours = {member.value: member for member in kind}
    for theirs, word in value.items():
        if not isinstance(word, str) or word not in ours:
            raise SettingsError(f"map.{key}.{theirs} must be one of {', '.join(ours)}; it is {word!r}")
    return {_fold(theirs): ours[word] for theirs, word in value.items()}


def read(stored: StoredEvent, mapping: Mapping) -> Event | Unmapped:
    """Map a stored delivery to our words; whatever its bytes are, this returns."""
    try:
        return _read(_Source(stored, parse_json(stored.body)), mapping)
    except _UnreadableError as error:
        return Unmapped(EventState.DEAD, str(error))


def event_key(stored: StoredEvent, mapping: Mapping) -> bytes:
    """Return what two deliveries of the same event have in common.

    That is an event id which the signature covers, or else the body's digest: an id in a header that is not signed
    could be put on a captured request and would make the real event of that id look like a duplicate.
    """
    if stored.event_id:
        return b"id:" + stored.event_id
    try:
        event_id = _Source(stored, parse_json(stored.body)).text(mapping.event_id) if mapping.event_id else None
    except _UnreadableError:
        event_id = None
    return b"id:" + event_id.encode() if event_id else b"body:" + hashlib.sha256(stored.body).digest()


@dataclass(frozen=True, slots=True)
class _Source:
    """A delivery with its body parsed, to take values from."""

    stored: StoredEvent
    body: Any

    def text(self, places: tuple[Place, ...]) -> str | None:
        """Return the scalar at the first place that has one, as text; None where none has."""
        for place in places:
            value = self._header(place.header) if place.header else _at(self.body, place.tokens)
            if value is not _Absent.ABSENT and value is not None:
                return _scalar(value, place)
        return None

    def _header(self, name: bytes) -> object:
        for key, value in self.stored.headers:
            if key == name:
                return value.decode("latin-1").strip()
        return _Absent.ABSENT

    def name(self, places: tuple[Place, ...], what: str) -> str | None:
        text = self.text(places)
        if text is not None and len(text) > LONGEST_NAME:
            raise _UnreadableError(f"the {what} is {len(text)} characters long; the longest we take is {LONGEST_NAME}")
        return text or None


def _read(source: _Source, mapping: Mapping) -> Event | Unmapped:
    type_ = _event_type(source, mapping)
    if isinstance(type_, Unmapped):
        return type_
    reference = source.name(mapping.reference, "reference")
    if type_ is EventType.BALANCE_LOW:
        reference = None
    elif reference is None:
        raise _UnreadableError(f"no reference: looked at {_listed(mapping.reference)}")
    return Event(
        supplier=source.stored.supplier,
        type=type_,
        reference=reference,
        order_id=source.name(mapping.order_id, "order id"),
        occurred_at=_moment(source, mapping.occurred_at),
        items=tuple(_items(source, mapping)),
        via=source.stored.via,
    )


def _event_type(source: _Source, mapping: Mapping) -> EventType | Unmapped:
    status = _status(source, mapping)
    if not mapping.event_type:
        if status is None:
            raise _UnreadableError(f"no status: looked at {_listed(mapping.status)}")
        return _TYPE_OF[status]
    word = source.text(mapping.event_type)
    if word is None:
        raise _UnreadableError(f"no event type: looked at {_listed(mapping.event_type)}")
    type_ = (mapping.types or {}).get(_fold(word))
    if type_ is None:
        return Unmapped(EventState.IGNORED, f"the event type {_shown(word)} says nothing about an order")
    if status is not None and type_ in _STATUS_OF and _STATUS_OF[type_] is not status:
        raise _UnreadableError(f"the event says {type_}, the status {status}: they contradict each other")
    return type_


def _status(source: _Source, mapping: Mapping) -> OrderStatus | None:
    word = source.text(mapping.status)
    if word is None:
        return None
    status = (mapping.statuses or {}).get(_fold(word))
    if status is None:
        raise _UnreadableError(f"the status {_shown(word)} at {_listed(mapping.status)} is not known; see map.statuses")
    return status


def _items(source: _Source, mapping: Mapping) -> Iterator[Item]:
    for place in mapping.items:
        for element in _each(source.body, place.tokens):
            item = _Source(source.stored, element)
            yield Item(item.text(mapping.sku), _code(item.text(mapping.code)), _code(item.text(mapping.pin)))


def _code(text: str | None) -> Code | None:
    """An empty or blank code is none: delivering it would sell nothing."""
    return Code(text) if text and text.strip() else None


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse strictly, numbers in their own digits; raises `_UnreadableError` with a sentence."""
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        what = "begins with a byte order mark" if body.startswith(b"\xef\xbb\xbf") else "is not JSON"
        raise _UnreadableError(f"the body {what} (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise _UnreadableError("the body is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                members[key] = _Absent.DUPLICATED
            seen.add(key)
    return members


def _refuse_constant(name: str) -> object:
    raise _UnreadableError(f"the body is not JSON: {name} is not a JSON number")


def _at(value: Any, tokens: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token, _Absent.ABSENT)
        elif isinstance(value, list) and token.isascii() and token.isdigit() and len(token) < 10:  # noqa: PLR2004 - no longer index exists
            value = value[int(token)] if int(token) < len(value) else _Absent.ABSENT
        else:
            return _Absent.DUPLICATED if value is _Absent.DUPLICATED else _Absent.ABSENT
    return value


def _each(value: Any, tokens: tuple[str, ...]) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    if _ALL not in tokens:
        found = _at(value, tokens)
        if found is not _Absent.ABSENT and found is not None:
            yield found
        return
    split = tokens.index(_ALL)
    elements = _at(value, tokens[:split])
    if elements is _Absent.DUPLICATED:
        raise _UnreadableError(f"/{'/'.join(tokens[:split])} stands twice in its object")
    for element in elements if isinstance(elements, list) else ():
        yield from _each(element, tokens[split + 1 :])


def _scalar(value: object, place: Place) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            if not _is_encodable(value):
                raise _UnreadableError(f"the text at {place} holds half of a surrogate pair")
            return str(value)
        case _Absent.DUPLICATED:
            raise _UnreadableError(f"{place} stands twice in its object: which one is meant is not known")
        case _:
            raise _UnreadableError(f"{place} holds {'an object' if isinstance(value, dict) else 'a list'}, not a text")


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _moment(source: _Source, places: tuple[Place, ...]) -> int | None:
    """Read RFC 3339 or unix time to milliseconds; None where it can't be read: it only serves the story."""
    text = source.text(places)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len("1700000000000"):
        return int(text) if int(text) >= _MILLISECONDS_FROM else int(text) * 1000
    try:
        moment = datetime.fromisoformat(text)
        return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _fold(word: object) -> str:
    return str(word).strip().casefold()


def _shown(word: str) -> str:
    longest = 60
    return repr(word if len(word) <= longest else word[:longest] + "…")


def _listed(places: tuple[Place, ...]) -> str:
    return " or ".join(map(str, places))
