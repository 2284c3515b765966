"""Encrypting anew what lies under older keys: a batch at a time, while others read and write."""

from collections.abc import Sequence
from typing import Any, Final

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.sealed_places import BEFORE_ALL, SEALED, SealedTable
from webhookctl.core.errors import SealedError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.upkeep import Rekeyed, RekeyMark

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
    place = SEALED[number]
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
    elif number + 1 < len(SEALED):
        mark = _start_of(connection, number + 1)
    return Rekeyed(mark, len(rows), changed, tuple(unreadable))


def _start_of(connection: Connection, number: int) -> RekeyMark:
    """Begin with a table; what is added to it from now on is under the first key anyway, and would never end."""
    place = SEALED[number]
    with connection.reading() as raw:
        last = raw.execute(place.last, BEFORE_ALL[place.table]).fetchone()
    return number, BEFORE_ALL[place.table], tuple(last or ())


def _exchanged(
    place: SealedTable, rows: Sequence[Any], cipher: Cipher
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
