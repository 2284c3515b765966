"""Keeping the store whole."""

from collections.abc import Mapping
from dataclasses import dataclass
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
