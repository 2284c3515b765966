"""From proven deliveries to stored ones, a repeat of what was stored lately costing no row."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Final, TypeAlias

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Duplicate, Stored
from webhookctl.core.ports.intake import Intake

REMEMBERED: Final = 100_000
"""Enough to answer a supplier's storm of retries from memory; `apply` finds whatever else came twice."""

_Key: TypeAlias = tuple[str, bytes]


@dataclass(slots=True)
class Receive:
    """Makes batches of deliveries durable; `accept` belongs to one thread, `take_repeats` to any."""

    intake: Intake
    remembered: int = REMEMBERED
    _keys: OrderedDict[_Key, None] = field(default_factory=OrderedDict, repr=False)
    _repeats: Counter[str] = field(default_factory=Counter, repr=False)
    _counting: Lock = field(default_factory=Lock, repr=False)

    def accept(self, batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        """Make `batch` durable, all or none; what is known already, or stands in it twice, is stored once."""
        keys = [_key(verified) for verified in batch]
        new = dict[_Key, Verified]()
        firsts = list[bool]()
        for key, verified in zip(keys, batch, strict=True):
            first = key not in self._keys and key not in new
            firsts.append(first)
            if first:
                new[key] = verified
        if new:
            self.intake.accept(tuple(new.values()))
        self._remember(new)
        self._count([key[0] for key, first in zip(keys, firsts, strict=True) if not first])
        return [Stored(key[0]) if first else Duplicate(key[0]) for key, first in zip(keys, firsts, strict=True)]

    def take_repeats(self) -> dict[str, int]:
        """Return how many deliveries per supplier were answered without a row since this was asked last."""
        with self._counting:
            repeats, self._repeats = self._repeats, Counter()
        return dict(repeats)

    def _remember(self, keys: dict[_Key, Verified]) -> None:
        """Enter what is committed, and only that: a key entered earlier would acknowledge what a failure took back."""
        self._keys.update(dict.fromkeys(keys))
        while len(self._keys) > self.remembered:
            self._keys.popitem(last=False)

    def _count(self, suppliers: list[str]) -> None:
        if suppliers:
            with self._counting:
                self._repeats.update(suppliers)


def _key(verified: Verified) -> _Key:
    """Two deliveries of one key are the same event. An id is digested too: nothing bounds its length but the server."""
    if verified.event_id is not None:
        digest = blake2b(verified.event_id, digest_size=16, person=b"id")
    else:
        digest = blake2b(verified.delivery.body, digest_size=16, person=b"body")
    return verified.delivery.supplier, digest.digest()
