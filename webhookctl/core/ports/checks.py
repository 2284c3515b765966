"""Looking at the store itself: is it whole, and how big is it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Depth(StrEnum):
    """How closely the store is looked at."""

    QUICK = "quick"
    """The structure of the file and the invariants; indexes are not compared with their tables, nothing is opened."""
    USUAL = "usual"
    """All of the structure, the invariants, and a sample of what is encrypted."""
    DEEP = "deep"
    """The file as a whole, and all that is encrypted."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a check goes by."""

    depth: Depth
    now: int
    clear_is_wanted: bool
    """The settings say that values may lie in clear."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the store promises and that does not hold."""

    name: str
    count: int
    what: str
    """A sentence without its end: it goes on with the example."""
    example: str | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What one step of a check found."""

    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    """What is no fault, and worth knowing."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a table holds, with its indexes."""

    table: str
    rows: int
    bytes: int
    """Estimated from some of its rows."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the store is, and how fast it grows."""

    tables: tuple[TableSize, ...]
    file_bytes: int
    journal_bytes: int
    free_bytes: int
    """Within the file: reused before it grows."""
    disk_free_bytes: int
    """What may still be written before deliveries are refused."""
    days: float
    """Of growth that were looked at: a week, or as many as there are."""
    rows_per_day: dict[str, float]
    bytes_per_day: int

    @property
    def full_in_days(self) -> float | None:
        """When the disk is full at this rate; None where nothing grows."""
        return (self.disk_free_bytes + self.free_bytes) / self.bytes_per_day if self.bytes_per_day > 0 else None


class Checks(Protocol):
    """Questions about the store, which change nothing and may be asked while others use it."""

    def count_steps(self, depth: Depth) -> int:
        """Return how many steps a check of this depth has, about."""

    def check(self, scope: Scope) -> Iterator[Checked]:
        """Look at everything, one step after the other; each is a transaction of its own, and keeps no lock."""

    def sizes(self, *, now: int) -> Sizes:
        """Measure, without reading the tables."""
