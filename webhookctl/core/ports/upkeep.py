"""Keeping the store whole."""

from collections.abc import Mapping
from typing import Protocol


class Upkeep(Protocol):
    """What a store needs now and then."""

    def count_repeats(self, repeats: Mapping[str, int], *, now: int) -> None:
        """Add to the number of deliveries per supplier that were answered without a row."""
