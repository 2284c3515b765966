"""From proven deliveries to stored ones, a repeat of what was stored lately costing no row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import Final

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Duplicate, Stored
from webhookctl.core.ports.intake import Intake

REMEMBERED: Final = 100_000
"""Enough to answer a supplier's storm of retries from memory; `apply` finds whatever else came twice."""


@dataclass(slots=True)
class Receive:
    """Makes batches of deliveries durable; `accept` belongs to one thread, `take_repeats` to any."""

    intake: Intake
    remembered: int = REMEMBERED
    _keys: set[bytes] = field(default_factory=set, repr=False)
    _older: set[bytes] = field(default_factory=set, repr=False)
    _repeats: Counter[str] = field(default_factory=Counter, repr=False)
    _counting: Lock = field(default_factory=Lock, repr=False)

    def accept(self, batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        """Make `batch` durable, all or none; what is known already, or stands in it twice, is stored once."""
        new = dict[bytes, Verified]()
        outcomes = list[Stored | Duplicate]()
        for verified in batch:
            key, supplier = _key(verified), verified.delivery.supplier
            if key in new or key in self._keys or key in self._older:
                outcomes.append(Duplicate(supplier))
            else:
                new[key] = verified
                outcomes.append(Stored(supplier))
        if new:
            self.intake.accept(tuple(new.values()))
            self._remember(new)
        if len(new) < len(batch):
            self._count(outcomes)
        return outcomes

    def take_repeats(self) -> dict[str, int]:
        """Return how many deliveries per supplier were answered without a row since this was asked last."""
        with self._counting:
            repeats, self._repeats = self._repeats, Counter()
        return dict(repeats)

    def _remember(self, keys: dict[bytes, Verified]) -> None:
        """Enter what is committed, and only that: a key entered earlier would acknowledge what a failure took back.

        Whenever as many are new as shall be remembered, those of the round before are forgotten: to know the oldest
        one of all would cost three times the memory.
        """
        self._keys.update(keys)
        if len(self._keys) >= self.remembered:
            self._older, self._keys = self._keys, set()

    def _count(self, outcomes: list[Stored | Duplicate]) -> None:
        with self._counting:
            self._repeats.update(outcome.supplier for outcome in outcomes if isinstance(outcome, Duplicate))


def _key(verified: Verified) -> bytes:
    """Two deliveries of one key are the same event. An id is digested too: nothing bounds its length but the server."""
    delivery, event_id = verified.delivery, verified.event_id
    digest = _begun(delivery.supplier, event_id is None).copy()
    digest.update(delivery.body if event_id is None else event_id)
    return digest.digest()


@lru_cache(1024)
def _begun(supplier: str, of_body: bool) -> blake2b:  # noqa: FBT001 - private, and one of two
    return blake2b(digest_size=16, person=b"body" if of_body else b"id", key=supplier.encode())
