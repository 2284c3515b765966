"""Where the store holds sealed values, and what each is bound to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from webhookctl.adapters.store_sqlite.schema import DEDUP_BOUND_TO
from webhookctl.adapters.store_sqlite.sealing import bound_to_delivery, bound_to_place, bound_to_rejection

_Bound: TypeAlias = Callable[[Sequence[Any], str], bytes]
"""From a row's key, and the names that stand beside it, to what its value in a column is bound to."""


@dataclass(frozen=True, slots=True)
class SealedTable:
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
    def oldest(self) -> str:
        """Select the first rows."""
        return self._from_an_end("")

    @property
    def newest(self) -> str:
        """Select the last rows."""
        return self._from_an_end(" DESC")

    def _from_an_end(self, direction: str) -> str:
        columns = ", ".join((*self.key, *self.beside, *self.sealed))
        key = ", ".join(f"{name}{direction}" for name in self.key)
        return f"SELECT {columns} FROM {self.table} ORDER BY {key} LIMIT ?"  # noqa: S608 - our own words

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


_DELIVERY: Final = ("supplier", "delivery_id")
# The store's own key is last: a store that opens without its old key holds nothing under it any more.
SEALED: Final = (
    SealedTable("events", ("id",), _DELIVERY, ("sealed",), lambda row, _: bound_to_delivery(*row[1:])),
    SealedTable("rejected", ("id",), _DELIVERY, ("sealed",), lambda row, _: bound_to_rejection(*row[1:])),
    SealedTable(
        "items",
        ("reference", "supplier", "position"),
        (),
        ("code", "pin"),
        lambda row, column: bound_to_place((row[1], row[0], row[2], column)),
    ),
    SealedTable("keys", ("name",), (), ("sealed",), lambda _row, _column: DEDUP_BOUND_TO),
)
PLACES: Final = frozenset((place.table, column) for place in SEALED for column in place.sealed)
"""Every column of the store that holds sealed values."""
# Below every key: ids begin at 1, and no text sorts before the empty one.
BEFORE_ALL: Final = {"events": (0,), "rejected": (0,), "items": ("", "", -1), "keys": ("",)}
