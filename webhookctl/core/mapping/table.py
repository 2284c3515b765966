"""The `map` table of a preset or of the settings, checked."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, TypeVar

from webhookctl.core import spelling
from webhookctl.core.errors import SettingsError
from webhookctl.core.events import EventType
from webhookctl.core.mapping.places import Place, Places, Template, parse_places
from webhookctl.core.orders import OrderStatus

LONGEST_NAME: Final = 256
"""Characters of a reference or an order id; no supplier's is near it, and it becomes part of an index."""
ANY: Final = "*"
"""In `pings`: whatever stands there."""

_Word = TypeVar("_Word", bound=StrEnum)


class BodyForm(StrEnum):
    """What a supplier's bodies are written in."""

    JSON = "json"
    FORM = "form"
    """application/x-www-form-urlencoded; `data[trxid]` is found at /data/trxid."""


class FromStatus(StrEnum):
    """What `types` says of an event whose name only announces that the status tells."""

    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A supplier's bodies in places; each a tuple of alternatives of which the first that holds something counts."""

    body: BodyForm = BodyForm.JSON
    each: Places = ()
    """Where the orders stand, if a delivery may speak of several: the places of an order are relative to one of them.
    `event_type`, `event_id`, `balance` and `pings` are of the whole delivery all the same."""
    reference: Places = ()
    """Empty: the order is known by its `order_id`."""
    event_type: Places = ()
    """Empty: the type follows from the status."""
    event_id: tuple[Place | Template, ...] = ()
    order_id: Places = ()
    status: Places = ()
    occurred_at: Places = ()
    items: Places = ()
    """With `*` for each element; `sku`, `code`, `pin` and `media_type` are relative to one of them."""
    sku: Places = ()
    code: Places = ()
    pin: Places = ()
    media_type: Places = ()
    """What a code is, where it may be no text: `image/png` makes it the base64 of an image."""
    balance: Places = ()
    """What is left with the supplier."""
    types: Table[str, EventType | FromStatus] = field(default_factory=dict)
    statuses: Table[str, OrderStatus] = field(default_factory=dict)
    pings: tuple[tuple[Place, str], ...] = ()
    """What a trial delivery holds, and where; `*` for anything."""

    @classmethod
    def parse(cls, table: Table[str, object]) -> "Mapping":
        """Read a `map` table; raises `SettingsError` naming the key."""
        mapping = cls._of(table)
        if not mapping.reference and not mapping.order_id:
            raise SettingsError("map.reference is missing, and map.order_id too: without them no order can be found")
        if not mapping.event_type and not mapping.status:
            raise SettingsError("map.event_type or map.status is needed: one of them says what happened")
        return mapping

    @classmethod
    def parse_answer(cls, table: Table[str, object]) -> "Mapping":
        """Read the `map` table of an API's answer, which may leave out what the question said."""
        mapping = cls._of(table)
        if any(place.header for places in mapping.places.values() for place in places):
            raise SettingsError("map can't name a header here: an answer is read from its body alone")
        return mapping

    @classmethod
    def _of(cls, table: Table[str, object]) -> "Mapping":
        for key in table:
            _check_known(key)
        values: dict[str, Any] = {
            key: parse_places(value, key, lists=key in {"each", "items"})
            for key, value in table.items()
            if key not in _OTHERS
        }
        return cls(
            **values,
            body=_form(table.get("body", BodyForm.JSON)),
            event_id=_event_id(table["event_id"], values) if "event_id" in table else (),
            types=_words(table.get("types", {}), "types", [*EventType, *FromStatus]),
            statuses=_words(table.get("statuses", {}), "statuses", list(OrderStatus)),
            pings=_pings(table.get("pings", {})),
        )

    @property
    def places(self) -> dict[str, Places]:
        """The alternatives for each field that has some, but for the event id."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _OTHERS}


_OTHERS: Final = frozenset({"body", "event_id", "types", "statuses", "pings"})
"""Keys that hold something else than places."""
KEYS: Final = tuple(one.name for one in fields(Mapping))
IN_TEMPLATES: Final = ("reference", "order_id", "status", "event_type", "occurred_at")
"""The fields that an event id can be made of."""


def _check_known(key: str) -> None:
    if key not in KEYS:
        raise SettingsError(f"map.{key} is not known" + spelling.behind(key, KEYS, "map.{}"))


def _form(value: object) -> BodyForm:
    if not isinstance(value, str) or value not in list(BodyForm):
        raise SettingsError(f"map.body must be {' or '.join(BodyForm)}")
    return BodyForm(value)


def _event_id(value: object, places: Table[str, Places]) -> tuple[Place | Template, ...]:
    alternatives = value if isinstance(value, list) else [value]
    return tuple(_one_event_id(written, places) for written in alternatives)


def _one_event_id(written: object, places: Table[str, Places]) -> Place | Template:
    """An id that no signature covers could be put on a captured request, and make the real event a duplicate."""
    if isinstance(written, str) and not written.startswith("/") and ("{" in written or "}" in written):
        template = Template.parse(written, IN_TEMPLATES)
        for name in template.parts:
            if isinstance(name, str) and not places.get(name):
                raise SettingsError(f"map.event_id names {{{name}}}, and map.{name} does not say where that stands")
            if isinstance(name, str) and any(place.header for place in places[name]):
                raise SettingsError(f"map.event_id names {{{name}}}, which stands in a header that may not be signed")
        return template
    place = Place.parse(written, "event_id")
    if place.header:
        raise SettingsError("map.event_id must be in the body; for a header set event_id_header, which must be signed")
    return place


def _words(value: object, key: str, ours: list[_Word]) -> dict[str, _Word]:
    if not isinstance(value, dict):
        raise SettingsError(f"map.{key} must be a table of the supplier's words and ours")
    by_word = {member.value: member for member in ours}
    for theirs, word in value.items():
        if not isinstance(word, str) or word not in by_word:
            raise SettingsError(f"map.{key}.{theirs} must be one of {', '.join(by_word)}; it is {word!r}")
    return {fold(theirs): by_word[word] for theirs, word in value.items()}


def _pings(value: object) -> tuple[tuple[Place, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise SettingsError('map.pings must be a table of places and what stands there, such as { "/type" = "ping" }')
    return tuple((Place.parse(written, "pings"), word) for written, word in value.items())


def fold(word: object) -> str:
    """Return a supplier's word as it is compared: without case, and without blanks around it."""
    return str(word).strip().casefold()
