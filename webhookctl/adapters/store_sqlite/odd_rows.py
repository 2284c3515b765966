"""Rows that hold what no webhookctl of this version writes: how they are known, what is said, who goes on without."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.errors import RowError
from webhookctl.core.redaction import printable

Kinds: TypeAlias = Mapping[str, type | UnionType]
"""The columns of a row, in order, and what each holds; of a `StrEnum` one of its words, of a `UUID` its 16 bytes."""
_Made = TypeVar("_Made")

MISREAD: Final = (ValueError, KeyError, TypeError)
"""What making our own words of such a row raises. Their text quotes the row: it is never shown."""
_UUID_BYTES: Final = 16


def types(kinds: Kinds) -> tuple[type | UnionType, ...]:
    """Return what SQLite must have given for each of the columns."""
    return tuple(_TYPES.get(kind, str) if _is_made(kind) else kind for kind in kinds.values())


def check(row: Sequence[object], as_: tuple[type | UnionType, ...]) -> None:
    """Raise `TypeError` where a row that begins with these columns has other types: a flipped byte may make them."""
    if not all(map(isinstance, row, as_)):
        raise TypeError


def odd(what: str, row: Sequence[object] = (), kinds: Kinds | None = None) -> RowError:
    """Return the error to raise for the row `what`; it names the first column that is odd, and never what it holds."""
    name, kinds = printable(what), kinds or {}
    columns = (column for value, (column, kind) in zip(row, kinds.items(), strict=False) if _is_odd(value, kind))
    column = next(columns, None)
    where = f", as its {column}" if column else ""
    return RowError(
        f"The row of {name} holds what no webhookctl of this version writes{where}: `webhookctl store check`.",
        f"{name} (its {column})" if column else name,
    )


def readable(connection: Connection, rows: Iterable[Any], make: Callable[[Any], _Made]) -> list[_Made]:
    """Make our own words of `rows`; who only looks goes on without those that are odd, and hears of them at the end."""
    made = list[_Made]()
    for row in rows:
        try:
            made.append(make(row))
        except RowError as error:
            connection.leave_out(error)
    return made


_TYPES: Final[Mapping[type | UnionType, type]] = {UUID: bytes}


def _is_made(kind: type | UnionType) -> bool:
    return isinstance(kind, type) and issubclass(kind, (StrEnum, UUID))


def _is_odd(value: object, kind: type | UnionType) -> bool:
    if kind is UUID:
        return not isinstance(value, bytes) or len(value) != _UUID_BYTES
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return value not in [*kind]
    return not isinstance(value, kind)
