"""What a diagnosis is given."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhookctl.core import jsontext
from webhookctl.core.deliveries import Delivery
from webhookctl.core.signatures import Scheme, Secret

LONGEST_VALUE: Final = 16 * 1024
"""Of a header, in bytes; what is longer holds no signature."""
MOST_ITEMS: Final = 64
"""Of a header's list that are looked at."""
_SEPARATED: Final = re.compile(rb"[,; ]+")
_DIGITS: Final = re.compile(rb"[0-9]{10}(?:[0-9]{3})?")
_DATE: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{8,18}(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Case:
    """A delivery that does not verify, and what is known beside it."""

    delivery: Delivery
    scheme: Scheme
    secrets: Sequence[Secret]
    """As they are written, before decoding: mistakes are made there."""
    others: Sequence[Secret] = ()
    """Those of other suppliers."""
    presets: Mapping[str, Scheme] = field(default_factory=dict)
    """Every scheme that we know, by its preset's name."""
    _pointed: dict[str, bytes | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of the header `name` (lower case)."""
        return self.delivery.header(name)

    def pointed(self, pointer: jsontext.Pointer | None) -> bytes | None:
        """Return the text at `pointer` of the body; None where there is none."""
        if pointer is None:
            return None
        if pointer.written not in self._pointed:
            try:
                self._pointed[pointer.written] = jsontext.scalar(self.delivery.body, pointer)
            except jsontext.UnreadableJsonError:
                self._pointed[pointer.written] = None
        return self._pointed[pointer.written]

    @property
    def is_in_body(self) -> bool:
        """True where the signature is looked for in the body, as no header has it."""
        headers = self.scheme.signature_header
        return self.scheme.signature_pointer is not None and not any(self.header(name.key) for name in headers)

    @property
    def timestamp(self) -> bytes | None:
        """Return the timestamp's text where the scheme looks for it."""
        scheme = self.scheme
        if scheme.timestamp_header is not None:
            return self.header(scheme.timestamp_header.key)
        if scheme.timestamp_key is not None:
            values = (self.header(name.key) for name in scheme.signature_header)
            return next((item for value in values if value for item in self._items(value, scheme.timestamp_key)), None)
        return self.pointed(scheme.timestamp_pointer)

    def _items(self, value: bytes, key: bytes) -> Iterator[bytes]:
        for item in value[:LONGEST_VALUE].split(self.scheme.list_separator or b",", MOST_ITEMS):
            name, _, text = item.strip().partition(self.scheme.pair_separator or b"=")
            if name == key:
                yield text

    def timestamps(self) -> Iterator[tuple[str, bytes]]:
        """Return where else something stands that looks like a timestamp, and its text."""
        for name, value in self.delivery.headers[:MOST_ITEMS]:
            for item in _SEPARATED.split(value[:LONGEST_VALUE], MOST_ITEMS) if len(value) <= LONGEST_VALUE else ():
                text = item.rpartition(b"=")[2]
                if _DIGITS.fullmatch(text) or _DATE.fullmatch(text):
                    yield f"the header {name.decode('latin-1')}", text

    def ids(self) -> Iterator[tuple[str, bytes]]:
        """Return the headers that look like an event's id, the usual ones first."""
        usual = (b"webhook-id", b"svix-id")
        found = [(name, value) for name, value in self.delivery.headers if name.endswith(b"id")]
        found.sort(key=lambda pair: pair[0] not in usual)
        yield from ((f"the header {name.decode('latin-1')}", value) for name, value in found[:4])
