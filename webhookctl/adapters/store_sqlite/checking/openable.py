"""Does what is encrypted open, with the keys at hand, in its own place?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.cipher_clear import MARK
from webhookctl.adapters.store_sqlite.sealed_places import SealedTable
from webhookctl.core.errors import KEY_MISSING, SealedError
from webhookctl.core.ports.checks import Fault
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

SAMPLE: Final = 200
"""Rows of a table, from each end of it."""
BATCH: Final = 500
_MISSING: Final = "add the key that it names to [store] keys; without it these values are gone"
_CHANGED: Final = "the file was changed by something else: bring back a backup with `webhookctl store restore FILE`"
_CLEAR: Final = (
    "set [store] keys, with `unencrypted` beside them, run `webhookctl store rekey`, and take `unencrypted` out again"
)


@dataclass(slots=True)
class Opening:
    """Opens values and remembers why some would not."""

    cipher: Cipher
    rows: int = 0
    unreadable: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Rows by table and reason."""

    def open(self, place: SealedTable, rows: Sequence[Any]) -> None:
        """Open each sealed value of `rows`."""
        for row in rows:
            self.rows += 1
            names = row[: len(place.key) + len(place.beside)]
            for column, value in zip(place.sealed, row[len(names) :], strict=True):
                if value is not None:
                    self._open(place, names, column, value)

    def _open(self, place: SealedTable, names: Sequence[Any], column: str, value: bytes) -> None:
        if value.startswith(MARK):  # asked for all of them, by `in_clear`
            return
        try:
            self.cipher.open(value, place.bound_to(names, column))
        except (SealedError, UnicodeEncodeError) as error:
            where = " ".join(str(name) for name in names[: len(place.key)])
            self.unreadable.setdefault((place.table, str(error)), []).append(where)

    def faults(self) -> Iterator[Fault]:
        """Say what would not open."""
        for (table, reason), rows in self.unreadable.items():
            remedy = _MISSING if reason.endswith(KEY_MISSING) else _CHANGED
            what = f"values of {table} can't be opened: {reason.rstrip('.')}"
            yield Fault("opens", len(rows), what, f"{table} {rows[0]}", remedy)


def sample(raw: "sqlite3.Connection", place: SealedTable, opening: Opening) -> None:
    """Open the oldest and the newest rows of a table."""
    ends = [row for statement in (place.oldest, place.newest) for row in raw.execute(statement, (SAMPLE,))]
    opening.open(place, list({row[: len(place.key)]: row for row in ends}.values()))


def in_clear(raw: "sqlite3.Connection", place: SealedTable) -> Iterator[Fault]:
    """Say which values of a table lie in clear, or in no form that anybody wrote."""
    key = " || ' ' || ".join(place.key)
    for column in place.sealed:
        count, example = raw.execute(
            f"SELECT count(*), min({key}) FROM {place.table} WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - our own
            (len(MARK), MARK),
        ).fetchone()
        if count:
            what = f"values of {place.table}.{column} lie in clear, and the settings do not say that this is wanted"
            yield Fault("in_clear", count, what, f"{place.table} {example}", _CLEAR)
