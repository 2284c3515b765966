"""The way in: one statement and one commit per batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.sealing import seal_delivery
from webhookctl.core.deliveries import Verified
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

EventRow: TypeAlias = tuple[str, int, str, bytearray, str, bytearray]

_MOST_ROWS: Final = 256
"""Of one statement."""


@dataclass(frozen=True, slots=True)
class SqliteIntake:
    """Appends, and asks nothing."""

    connection: Connection
    cipher: Cipher

    def accept(self, deliveries: Sequence[Verified]) -> None:
        rows = [event_row(self.cipher, verified) for verified in deliveries]  # encrypted before the lock is taken
        if len(rows) > _MOST_ROWS:
            with self.connection.writing() as raw:
                insert_events(raw, rows)
        elif rows:
            self.connection.write(*_insert(rows))


def event_row(cipher: Cipher, verified: Verified) -> EventRow:
    """Make the row of a new event.

    Nothing in it but plain texts, numbers and bytearrays: of whatever else there is, bytes too, Python's sqlite3 first
    asks whether somebody has registered an adapter, and that takes longer than to encrypt it.
    """
    delivery = verified.delivery
    return (
        delivery.supplier,
        delivery.received_at,
        str.__str__(delivery.via),
        bytearray(delivery.delivery_id),
        verified.matched,
        bytearray(seal_delivery(cipher, verified)),
    )


def insert_events(raw: "sqlite3.Connection", rows: Sequence[EventRow]) -> None:
    """Append rows in the transaction that `raw` is in."""
    for at in range(0, len(rows), _MOST_ROWS):
        raw.execute(*_insert(rows[at : at + _MOST_ROWS]))


def _insert(rows: Sequence[EventRow]) -> tuple[str, tuple[object, ...]]:
    """Return the statement for `rows`, and its values."""
    return _statement(len(rows)), tuple(chain.from_iterable(rows))


@lru_cache(_MOST_ROWS)
def _statement(rows: int) -> str:
    into = "INSERT INTO events (supplier, received_at, via, delivery_id, matched, sealed) VALUES "
    return into + ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
