"""Encrypting anew what lies under older keys: a batch at a time, while others read and write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.schema import DEDUP_BOUND_TO
from webhookctl.adapters.store_sqlite.sealing import bound_to_delivery, bound_to_place, bound_to_rejection
from webhookctl.core.errors import SealedError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.upkeep import Rekeyed, RekeyMark

_Bound: TypeAlias = Callable[[Sequence[Any], str], bytes]
"""From a row's key, and the names that stand beside it, to what its value in a column is bound to."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A table with sealed columns, and how it is walked."""

    table: str
    key: tuple[str, ...]
    """The columns that its rows are found and ordered by."""
    beside: tuple[str, ...]
    sealed: tuple[str, ...]
    bound_to: _Bound

    @property
    def walk(self) -> str:
        """Select the next rows between two keys."""
        key, marks = ", ".join(self.key), ", ".join("?" * len(self.key))
        columns = ", ".join((*self.key, *self.beside, *self.sealed))
        between = f"({key}) > ({marks}) AND ({key}) <= ({marks})"
        return f"SELECT {columns} FROM {self.table} WHERE {between} ORDER BY {key} LIMIT ?"  # noqa: S608 - our own words

    @property
    def last(self) -> str:
        """Select the last key after a key."""
        key, marks = ", ".join(self.key), ", ".join("?" * len(self.key))
        backwards = ", ".join(f"{name} DESC" for name in self.key)
        return f"SELECT {key} FROM {self.table} WHERE ({key}) > ({marks}) ORDER BY {backwards} LIMIT 1"  # noqa: S608 - our own words

    @property
    def write(self) -> Callable[[str], str]:
        """Return the statement that exchanges a column's value, unless it was changed since it was read."""
        found = " AND ".join(f"{name} = ?" for name in self.key)
        return lambda column: f"UPDATE {self.table} SET {column} = ? WHERE {found} AND {column} = ?"  # noqa: S608 - our own


# The store's own key is last: a store that opens without its old key holds nothing under it any more.
_PLACES: Final = (
    _Place("events", ("id",), ("supplier", "delivery_id"), ("sealed",), lambda row, _: bound_to_delivery(*row[1:])),
    _Place("rejected", ("id",), ("supplier", "delivery_id"), ("sealed",), lambda row, _: bound_to_rejection(*row[1:])),
    _Place(
        "items",
        ("reference", "supplier", "position"),
        (),
        ("code", "pin"),
        lambda row, column: bound_to_place((row[1], row[0], row[2], column)),
    ),
    _Place("keys", ("name",), (), ("sealed",), lambda _row, _column: DEDUP_BOUND_TO),
)
PLACES: Final = frozenset((place.table, column) for place in _PLACES for column in place.sealed)
"""Every column of the store that holds sealed values."""
# Below every key: ids begin at 1, and no text sorts before the empty one.
_BEFORE_ALL: Final = {"events": (0,), "rejected": (0,), "items": ("", "", -1), "keys": ("",)}


# Counting rows one by one would read the whole file first: these are right but for what was pruned in between.
_ABOUT: Final = (
    "SELECT coalesce((SELECT max(id) FROM events) - (SELECT min(id) FROM events) + 1, 0)",
    "SELECT coalesce((SELECT max(id) FROM rejected) - (SELECT min(id) FROM rejected) + 1, 0)",
    "SELECT count(*) FROM orders",
    "SELECT 1",
)


def count_rows(connection: Connection) -> int:
    """Return about how many rows `rekey` looks at."""
    with connection.reading() as raw:
        return sum(int(raw.execute(statement).fetchone()[0]) for statement in _ABOUT)


def rekey(connection: Connection, cipher: Cipher, after: RekeyMark | None, limit: int) -> Rekeyed:
    """Encrypt under the first key what of the next `limit` rows is not; see the port."""
    number, key, last = after or _start_of(connection, 0)
    place = _PLACES[number]
    with connection.reading() as raw:
        rows = raw.execute(place.walk, (*key, *last, limit)).fetchall() if last else []
    written, unreadable = _exchanged(place, rows, cipher)
    changed = 0
    if written:
        with connection.writing() as raw:
            changed = sum(raw.execute(statement, values).rowcount for statement, values in written)
    mark: RekeyMark | None = None
    if len(rows) == limit:
        mark = number, tuple(rows[-1][: len(place.key)]), last
    elif number + 1 < len(_PLACES):
        mark = _start_of(connection, number + 1)
    return Rekeyed(mark, len(rows), changed, tuple(unreadable))


def _start_of(connection: Connection, number: int) -> RekeyMark:
    """Begin with a table; what is added to it from now on is under the first key anyway, and would never end."""
    place = _PLACES[number]
    with connection.reading() as raw:
        last = raw.execute(place.last, _BEFORE_ALL[place.table]).fetchone()
    return number, _BEFORE_ALL[place.table], tuple(last or ())


def _exchanged(
    place: _Place, rows: Sequence[Any], cipher: Cipher
) -> tuple[list[tuple[str, tuple[Any, ...]]], list[str]]:
    """Return the statements that bring `rows` under the first key, and why others can't be."""
    written, unreadable = list[tuple[str, tuple[Any, ...]]](), list[str]()
    for row in rows:
        names = row[: len(place.key) + len(place.beside)]
        for column, value in zip(place.sealed, row[len(names) :], strict=True):
            if value is None or cipher.is_current(value):
                continue
            bound_to = place.bound_to(names, column)
            try:
                sealed = cipher.seal(cipher.open(value, bound_to), bound_to)
            except SealedError as error:
                unreadable.append(str(error))
            else:
                written.append((place.write(column), (sealed, *row[: len(place.key)], value)))
    return written, unreadable
