"""Keeping the store whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

RekeyMark: TypeAlias = tuple[int, tuple[str | int, ...], tuple[str | int, ...]]
"""How far encrypting anew has come, in the store's own words: a table, the row that was last, the row to end with."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What one step of encrypting anew did."""

    mark: RekeyMark | None
    """Where the next step begins; None: all is done."""
    seen: int
    """Rows."""
    changed: int
    """Values."""
    unreadable: tuple[str, ...]
    """Why a value could not be opened, for each that stays as it is."""


PruneMark: TypeAlias = tuple[int, int]
"""How far pruning has come, in the store's own words: what is walked through, and from when on."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step of pruning took, or would take."""

    mark: PruneMark | None
    """Where the next step begins; None: all is done."""
    orders: int = 0
    events: int = 0
    actions: int = 0
    rejected: int = 0
    bytes: int = 0
    """About how much room that takes."""

    @property
    def rows(self) -> int:
        return self.orders + self.events + self.actions + self.rejected


class Upkeep(Protocol):
    """What a store needs now and then."""

    def count_repeats(self, repeats: Mapping[str, int], *, now: int) -> None:
        """Add to the number of deliveries per supplier that were answered without a row."""

    def count_sealed(self) -> int:
        """Return about how many rows there are that may hold something encrypted."""

    def rekey(self, after: RekeyMark | None, *, limit: int) -> Rekeyed:
        """Encrypt under the first key what of the next `limit` rows lies under others, in one transaction.

        Others may read and write meanwhile; what they changed since it was read is left to the next run. The store's
        own key is last.
        """

    def prune(self, after: PruneMark | None, *, before: int, now: int, limit: int, plan: bool = False) -> Pruned:
        """Take about the next `limit` of what came to its end before `before`, in one transaction; `plan`: only count.

        Of an order are left its row, with how it ended, who looked at its codes, and what people decided; of an event
        its key. Never taken: an order that is pending, partial, held or undelivered, or has an action that is not done
        or cancelled; an event that waits, is dead, or speaks of an order that stays.
        """

    def reclaim(self, *, pages: int) -> int:
        """Give about so many free pages back to the disk; returns how many bytes that was, 0 when none are left."""

    def backup(self, target: Path, advance: Callable[[int], None]) -> int:
        """Write a consistent copy of the store into the empty file `target`, check it, and return its size.

        Others read and write meanwhile. `advance` is told the bytes of each step; what it raises breaks off.
        """
