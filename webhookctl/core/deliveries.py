"""What came over the wire, and what of it is proven."""

import re
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token (RFC 9110)."""
SUPPLIER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""It stands in the URL."""


ON_SOMEBODYS_WORD: Final = "none; on the word of "
"""So begins what is noted as the matched secret of an imported event that no signature proves."""


class Via(StrEnum):
    """How we learned of an event."""

    WEBHOOK = "webhook"
    POLL = "poll"
    IMPORT = "import"
    REVERIFY = "reverify"
    """Rejected when it came, and proven later: the fault was ours."""


# Named tuples, as one of each is made for every delivery: a frozen dataclass takes four times as long to make.


class Delivery(NamedTuple):
    """A request as it was received; nothing in it is proven."""

    supplier: str
    body: bytes
    headers: Headers
    """Names in lower case, values as received (Latin-1 bytes), in the order received."""
    received_at: int
    """Milliseconds since 1970, UTC, by our clock."""
    delivery_id: bytes
    """A UUIDv7 of 16 bytes, made at receipt."""
    via: Via = Via.WEBHOOK
    method: str = "POST"
    url: str = ""
    """The public URL as the supplier knows it; empty where the settings name none."""

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of the header `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def __repr__(self) -> str:
        """Show what is no secret: headers and body may hold codes."""
        return f"Delivery({self.supplier!r}, {self.delivery_id.hex()}, {len(self.body)} bytes)"


class Verified(NamedTuple):
    """A delivery that its supplier's signature vouches for; only this may be read."""

    delivery: Delivery
    matched: str
    """The reference of the secret that matched (`env:ACME_SECRET`), never its value."""
    event_id: bytes | None = None
    """The supplier's event id, where it stands in a header that the signature covers."""
