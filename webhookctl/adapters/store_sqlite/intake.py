"""The way in: one statement and one commit per batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.sealing import seal_delivery
from webhookctl.core.deliveries import Verified
from webhookctl.core.ports.cipher import Cipher

_Row: TypeAlias = tuple[str, int, str, bytes, str, bytes]

_MOST_ROWS: Final = 256
"""Of one statement."""


@dataclass(frozen=True, slots=True)
class SqliteIntake:
    """Appends, and asks nothing."""

    connection: Connection
    cipher: Cipher

    def accept(self, deliveries: Sequence[Verified]) -> None:
        rows = [self._row(verified) for verified in deliveries]  # encrypted before the lock is taken
        if len(rows) > _MOST_ROWS:
            with self.connection.writing() as raw:
                for at in range(0, len(rows), _MOST_ROWS):
                    raw.execute(*_insert(rows[at : at + _MOST_ROWS]))
        elif rows:
            self.connection.write(*_insert(rows))

    def _row(self, verified: Verified) -> _Row:
        delivery = verified.delivery
        return (
            delivery.supplier,
            delivery.received_at,
            delivery.via,
            delivery.delivery_id,
            verified.matched,
            seal_delivery(self.cipher, verified),
        )


def _insert(rows: Sequence[_Row]) -> tuple[str, tuple[object, ...]]:
    """Return the statement for `rows`, and its values."""
    return _statement(len(rows)), tuple(chain.from_iterable(rows))


@lru_cache(_MOST_ROWS)
def _statement(rows: int) -> str:
    into = "INSERT INTO events (supplier, received_at, via, delivery_id, matched, sealed) VALUES "
    return into + ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
