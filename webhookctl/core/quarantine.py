"""What was rejected, and how much of it is kept, so that a flood can't push out what somebody wants to heal."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from webhookctl.core.addresses import site
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import Reason

DAY_MS: Final = 86_400_000


class Rejection(NamedTuple):
    """A delivery that was not proven to be its supplier's, as it is put into the quarantine."""

    delivery: Delivery
    sender: str
    """The address that it came from, by the word of the proxies that we trust; empty: not known."""
    reason: Reason
    detail: str
    presented: bytes | None = None
    """What stood in the path where the supplier's secret belongs; None: the supplier has none there."""

    @property
    def source(self) -> tuple[str, str]:
        """Return whose quota it counts against: (supplier, site of the sender)."""
        return self.delivery.supplier, site(self.sender)

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Rejection({self.delivery!r}, {self.sender!r}, {self.reason!r})"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejection as the quarantine holds it."""

    id: int
    supplier: str
    sender: str
    received_at: int
    delivery_id: str
    """A UUIDv7 in its text form."""
    reason: Reason
    detail: str
    size: int
    """Bytes that it takes, encrypted."""
    delivery: Delivery | None = field(default=None, repr=False)
    """As it came; None in lists, and where it can't be opened."""
    presented: bytes | None = field(default=None, repr=False)
    unreadable: str | None = None
    """Why it can't be opened: a sentence that names the key."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and for how long."""

    rows: int = 10_000
    bytes: int = 64 << 20
    per_sender: int = 5_000
    """Rows of one supplier from one sender, which may have that share of the bytes too."""
    keep_ms: int = 7 * DAY_MS

    @property
    def bytes_per_sender(self) -> int:
        return self.bytes * min(self.per_sender, self.rows) // self.rows


def fair_share(sizes: Collection[int], most: int, most_each: int) -> int:
    """Return how much each may have at most, so that all together have no more than `most`.

    Who has less than that keeps everything; what is too much is taken from whoever has the most.
    """
    wanted = sorted(min(size, most_each) for size in sizes)
    left = most
    for place, size in enumerate(wanted):
        heads = len(wanted) - place
        if size * heads > left:
            return left // heads
        left -= size
    return most_each
