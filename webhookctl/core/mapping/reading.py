"""From a delivery's bytes to what it says of each order, whatever the bytes are."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from webhookctl.core.deliveries import Headers, Via
from webhookctl.core.events import Event, EventState, EventType, Item, StoredEvent, Unmapped
from webhookctl.core.mapping.places import Place, Places, Template, listed
from webhookctl.core.mapping.table import ANY, LONGEST_NAME, BodyForm, FromStatus, Mapping, fold
from webhookctl.core.mapping.values import Absent, UnreadableError, Value, at, each, parse_form, parse_json, scalar
from webhookctl.core.orders import STATUS_OF
from webhookctl.core.redaction import Code

MOST_ORDERS: Final = 1_000
"""Of one delivery; they are written in one transaction."""

_TYPE_OF: Final = {status: type_ for type_, status in STATUS_OF.items()}
_WITHOUT_CODES: Final = frozenset({EventType.FAILED, EventType.REFUNDED})
"""What stands in the code's place then is the supplier's excuse, and nothing to hand over."""
_MILLISECONDS_FROM: Final = 100_000_000_000
"""A unix time above this is in milliseconds: in seconds it would be the year 5138."""
_BALANCE: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", re.ASCII)
_SOME_BYTES: Final = "application/octet-stream"
_NOTED: Final = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery says."""

    key: bytes
    """What two deliveries of the same event have in common."""
    said: tuple[Event | Unmapped, ...]
    """Of each order that it speaks of; never empty."""


class _Source(NamedTuple):  # one is made for each item, and a frozen dataclass takes four times as long to make
    """A body, or the part of it that speaks of one order, to take values from."""

    headers: Headers
    body: Value

    def text(self, places: Places) -> str | None:
        """Return the scalar at the first place that has one, as text; None where none has."""
        for place in places:
            value = self._header(place.header) if place.header else at(self.body, place.tokens)
            if value is Absent.ABSENT or value is None:
                continue
            text = scalar(value, place)
            if text.strip():
                return text
        return None

    def _header(self, name: bytes) -> Value:
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1").strip()
        return Absent.ABSENT

    def name(self, places: Places, what: str) -> str | None:
        text = self.text(places)
        if text is not None and len(text) > LONGEST_NAME:
            raise UnreadableError(f"the {what} is {len(text)} characters long; the longest we take is {LONGEST_NAME}")
        return text


def read(stored: StoredEvent, mapping: Mapping) -> Reading:
    """Map a stored delivery to our words; whatever its bytes are, this returns."""
    try:
        whole = _source(stored.headers, stored.body, mapping)
    except UnreadableError as error:
        said: tuple[Event | Unmapped, ...] = (Unmapped(stored.supplier, EventState.DEAD, str(error)),)
        return Reading(_key(stored, None, mapping), said)
    said = tuple(_said(whole, mapping, stored.supplier, stored.via))
    return Reading(_key(stored, whole, mapping), said)


def read_answer(supplier: str, body: bytes, mapping: Mapping) -> tuple[Event | Unmapped, ...]:
    """Map what a supplier's API answered, order by order; whatever the bytes are, this returns.

    The mapping may leave out what the question said: reference and order id are None then.
    """
    try:
        return tuple(_said(_source((), body, mapping), mapping, supplier, Via.POLL, asked=True))
    except UnreadableError as error:
        return (Unmapped(supplier, EventState.DEAD, str(error)),)


def read_items(supplier: str, body: bytes, mapping: Mapping) -> tuple[Item, ...] | Unmapped:
    """Map an answer that holds the items of an order and nothing else; whatever the bytes are, this returns."""
    try:
        whole = _source((), body, mapping)
        reader = _Reader(whole, whole, mapping, supplier, Via.POLL, asked=True)
        return tuple(reader.items(EventType.FULFILLED))
    except UnreadableError as error:
        return Unmapped(supplier, EventState.DEAD, str(error))


def codes_in(stored: StoredEvent, mapping: Mapping) -> set[str]:
    """Return every text in the body that stands where codes and pins do, to be masked; never raises."""
    found = set[str]()
    try:
        whole = _source(stored.headers, stored.body, mapping)
        parts = [element for place in mapping.each for element in each(whole.body, place.tokens)]
        for part in parts if mapping.each else [whole.body]:
            for element in (one for place in mapping.items for one in each(part, place.tokens)):
                item = _Source((), element)
                found |= {text for places in (mapping.code, mapping.pin) if (text := item.text(places))}
    except UnreadableError:
        pass  # what was found before is masked; the rest stands nowhere that we know
    return found


def form_of(body: bytes) -> Value:
    """Return a form's fields as an object, to be shown; None where it is none."""
    try:
        return _showable(parse_form(body))
    except UnreadableError:
        return None


def _showable(value: Value) -> Value:
    match value:
        case dict():
            return {name: _showable(member) for name, member in value.items()}
        case list():
            return [_showable(member) for member in value]
        case Absent():
            return "(stands twice)"
        case _:
            return value


def _source(headers: Headers, body: bytes, mapping: Mapping) -> _Source:
    return _Source(headers, parse_form(body) if mapping.body is BodyForm.FORM else parse_json(body))


def _key(stored: StoredEvent, whole: _Source | None, mapping: Mapping) -> bytes:
    """Return the event's id where the signature covers one, or else the body's digest.

    An id in a header that is not signed could be put on a captured request and would make the real event of that id
    look like a duplicate.
    """
    if stored.event_id:
        return b"id:" + stored.event_id
    event_id = None
    if whole is not None and mapping.event_id:
        try:
            event_id = next(filter(None, (_event_id(whole, one, mapping) for one in mapping.event_id)), None)
        except UnreadableError:
            event_id = None
    return b"id:" + event_id.encode() if event_id else b"body:" + hashlib.sha256(stored.body).digest()


def _event_id(whole: _Source, one: Place | Template, mapping: Mapping) -> str | None:
    """Return the id; with several orders it is made of all of theirs. None where a part of it is missing."""
    if isinstance(one, Place):
        return whole.text((one,))
    ids = [_filled(one, whole, part, mapping) for part in _parts(whole, mapping)]
    return None if None in ids else "\n".join(filter(None, ids))


def _filled(template: Template, whole: _Source, part: _Source, mapping: Mapping) -> str | None:
    filled = [template.literals[0]]
    for name, behind in zip(template.parts, template.literals[1:], strict=True):
        if isinstance(name, Place):
            text = whole.text((name,))
        else:
            text = (whole if name == "event_type" else part).text(getattr(mapping, name))
        if text is None:
            return None
        filled += [text, behind]
    return "".join(filled)


def _parts(whole: _Source, mapping: Mapping) -> list[_Source]:
    if not mapping.each:
        return [whole]
    elements = [element for place in mapping.each for element in each(whole.body, place.tokens)]
    if len(elements) > MOST_ORDERS:
        raise UnreadableError(f"it speaks of {len(elements)} orders; the most we take is {MOST_ORDERS}")
    return [_Source(whole.headers, element) for element in elements]


def _said(
    whole: _Source, mapping: Mapping, supplier: str, via: Via, *, asked: bool = False
) -> Iterator[Event | Unmapped]:
    if _is_ping(whole, mapping):
        yield Unmapped(supplier, EventState.IGNORED, "a trial delivery, or news: it speaks of no order")
        return
    try:
        type_ = _type_word(whole, mapping)
        parts = _parts(whole, mapping)
    except UnreadableError as error:
        yield Unmapped(supplier, EventState.DEAD, str(error))
        return
    if type_ is None:
        reason = f"the event type {_shown(whole.text(mapping.event_type) or '')} says nothing about an order"
        yield Unmapped(supplier, EventState.IGNORED, reason, *_mentioned(whole, mapping))
    elif not parts:
        state = EventState.IGNORED if _is_empty_list(whole, mapping) else EventState.DEAD
        yield Unmapped(supplier, state, f"no order: looked at {listed(mapping.each)}")
    else:
        for part in parts:
            yield _said_of_one(_Reader(whole, part, mapping, supplier, via, asked=asked), type_)


def _is_ping(whole: _Source, mapping: Mapping) -> bool:
    for place, word in mapping.pings:
        value = whole.text((place,)) if place.header else at(whole.body, place.tokens)
        if value is Absent.ABSENT or value is None:
            continue
        if word == ANY or (isinstance(value, str) and fold(value) == fold(word)):
            return True
    return False


def _is_empty_list(whole: _Source, mapping: Mapping) -> bool:
    """True where a list of orders is there: an empty one says that nothing happened."""
    return any(isinstance(at(whole.body, place.tokens[:-1]), list) for place in mapping.each)


def _mentioned(source: _Source, mapping: Mapping) -> tuple[str | None, str | None]:
    """Return which order is spoken of, as far as that can be read: the operator finds the event at it."""
    return _or_none(source, mapping.reference), _or_none(source, mapping.order_id)


def _or_none(source: _Source, places: Places) -> str | None:
    try:
        return source.name(places, "name")
    except UnreadableError:
        return None


def _type_word(whole: _Source, mapping: Mapping) -> EventType | FromStatus | None:
    """Return what the event's name means; None where it means nothing to an order."""
    if not mapping.event_type:
        return FromStatus.STATUS
    word = whole.text(mapping.event_type)
    if word is None:
        raise UnreadableError(f"no event type: looked at {listed(mapping.event_type)}")
    return mapping.types.get(fold(word))


class _Reader(NamedTuple):  # as `_Source`
    """Reads what is said of one order."""

    whole: _Source
    part: _Source
    mapping: Mapping
    supplier: str
    via: Via
    asked: bool
    """It answers a question about an order: which one need not be repeated."""

    def event(self, named: EventType | FromStatus) -> Event | Unmapped:
        type_ = self._type(named)
        if isinstance(type_, Unmapped):
            return type_
        if type_ is EventType.BALANCE_LOW:
            moment = self._moment()
            return Event(self.supplier, type_, None, None, moment, via=self.via, balance=self._balance())
        reference = self.part.name(self.mapping.reference, "reference")
        order_id = self.part.name(self.mapping.order_id, "order id")
        if reference is None and order_id is None and not self.asked:
            raise UnreadableError(self._no_order())
        items = tuple(self.items(type_))
        return Event(
            supplier=self.supplier,
            type=type_,
            reference=reference,
            order_id=order_id,
            occurred_at=self._moment(),
            items=items,
            via=self.via,
            balance=self._balance(),
            note=self._note(type_, items),
        )

    def _no_order(self) -> str:
        looked = [("reference", self.mapping.reference), ("order id", self.mapping.order_id)]
        return "; ".join(f"no {what}: looked at {listed(places)}" for what, places in looked if places)

    def _type(self, named: EventType | FromStatus) -> EventType | Unmapped:
        word = self.part.text(self.mapping.status)
        status = None if word is None else self.mapping.statuses.get(fold(word))
        if word is not None and status is None:
            reason = (
                f"the status {_shown(word)} at {listed(self.mapping.status)} is not known, so the order stays as it "
                "is; see map.statuses"
            )
            return Unmapped(self.supplier, EventState.DONE, reason, *_mentioned(self.part, self.mapping))
        if isinstance(named, FromStatus):
            if status is None:
                raise UnreadableError(f"no status: looked at {listed(self.mapping.status)}")
            return _TYPE_OF[status]
        if status is not None and named in STATUS_OF and STATUS_OF[named] is not status:
            raise UnreadableError(f"the event says {named}, the status {status}: they contradict each other")
        return named

    def items(self, type_: EventType) -> Iterator[Item]:
        mapping = self.mapping
        for place in mapping.items:
            for element in each(self.part.body, place.tokens):
                item = _Source((), element)
                code, pin = (
                    (None, None) if type_ in _WITHOUT_CODES else (item.text(mapping.code), item.text(mapping.pin))
                )
                yield Item(item.text(mapping.sku), _code(code), _code(pin), _media_type(item.text(mapping.media_type)))

    def _note(self, type_: EventType, items: tuple[Item, ...]) -> str | None:
        """Say which codes were looked for in vain, where an order is said to be fulfilled."""
        mapping = self.mapping
        if type_ is not EventType.FULFILLED or not mapping.items:
            return None
        if not items:
            return f"no item: looked at {listed(mapping.items)}"
        places = listed((*mapping.code, *mapping.pin))
        lacking = [str(number) for number, item in enumerate(items, 1) if not (item.code or item.pin)]
        if not lacking or not places:
            return None
        numbers = ", ".join(lacking[:_NOTED]) + (f" and {len(lacking) - _NOTED} more" if len(lacking) > _NOTED else "")
        return f"no code in item {numbers} of {listed(mapping.items)}: looked at {places}"

    def _balance(self) -> str | None:
        """Return the balance in its own digits; None where it can't be read: the order matters more."""
        try:
            text = self.whole.text(self.mapping.balance)
        except UnreadableError:
            return None
        return text if text and _BALANCE.fullmatch(text) else None

    def _moment(self) -> int | None:
        """Read RFC 3339 or unix time to milliseconds; None where it can't be read: it only serves the story."""
        text = self.part.text(self.mapping.occurred_at)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) <= len("1700000000000"):
            return int(text) if int(text) >= _MILLISECONDS_FROM else int(text) * 1000
        try:
            moment = datetime.fromisoformat(text)
            return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
        except (ValueError, OverflowError):
            return None


def _said_of_one(reader: _Reader, named: EventType | FromStatus) -> Event | Unmapped:
    try:
        return reader.event(named)
    except UnreadableError as error:
        return Unmapped(reader.supplier, EventState.DEAD, str(error), *_mentioned(reader.part, reader.mapping))


def _code(text: str | None) -> Code | None:
    return None if text is None else Code(text)


def _media_type(text: str | None) -> str | None:
    """None for plain text; what is no media type at all is bytes, which no terminal should see."""
    folded = fold(text or "text").partition(";")[0].strip()
    if "text" in folded:
        return None
    return folded if _MEDIA_TYPE.fullmatch(folded) else _SOME_BYTES


def _shown(word: str) -> str:
    longest = 60
    return repr(word if len(word) <= longest else word[:longest] + "…")
