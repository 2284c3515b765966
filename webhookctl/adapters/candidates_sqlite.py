"""What a word that was begun could become, by a store in an SQLite file: looked up at once, or not at all.

Beside the store's own adapter, as its modules alone take longer to read than somebody who presses Tab will wait.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:  # only Linux has it
        import sqlite3

MOST: Final = 50
_PATIENCE_S: Final = 0.05
"""How long a lock is waited for, and how long all that is asked may take."""
_STEPS: Final = 1_000
"""Of SQLite's machine, between two looks at the clock."""
_BEYOND_TEXT: Final = "\U0010ffff"
_LONGEST_NUMBER: Final = 18

# The newest that begin so, of as many as can be looked at in a millisecond; then what an index of the texts finds, from
# its end: where references are counted up, these are the newest too.
_NEWEST: Final = """
    SELECT {column} FROM (
        SELECT {column} FROM orders INDEXED BY orders_by_time ORDER BY created_at DESC LIMIT 500
    ) WHERE {column} >= ?1 AND {column} < ?2 LIMIT ?3"""
_BEGUN: Final = """
    SELECT {column} FROM orders INDEXED BY {index} WHERE {column} >= ?1 AND {column} < ?2
    ORDER BY {column} DESC LIMIT ?3"""
_REFERENCES: Final = tuple(
    part.format(column="reference", index="sqlite_autoindex_orders_1") for part in (_NEWEST, _BEGUN)
)
_ORDER_IDS: Final = tuple(part.format(column="order_id", index="orders_by_order_id") for part in (_NEWEST, _BEGUN))
_ACTIONS: Final = (
    """
    SELECT id FROM actions INDEXED BY sqlite_autoindex_actions_1 WHERE id >= ?1 AND id < ?2
    ORDER BY id DESC LIMIT ?3""",
)
_NUMBERS: Final = "SELECT id FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
# Hops from one name to the next: there are few of them, and many orders of each.
_SUPPLIERS: Final = (
    """
    WITH RECURSIVE known (name) AS (
        SELECT (SELECT min(supplier) FROM orders INDEXED BY orders_by_supplier WHERE supplier >= ?1)
        UNION ALL
        SELECT (SELECT min(supplier) FROM orders INDEXED BY orders_by_supplier WHERE supplier > name)
        FROM known WHERE name IS NOT NULL
    ) SELECT name FROM known WHERE name < ?2 LIMIT ?3""",
)


@dataclass(frozen=True, slots=True)
class SqliteCandidates:
    """What begins as the operator has begun, newest first, `MOST` of it; raises `sqlite3.Error`."""

    path: Path

    def references(self, begun: str) -> list[str]:
        return self._texts(_REFERENCES, begun)

    def order_ids(self, begun: str) -> list[str]:
        return self._texts(_ORDER_IDS, begun)

    def suppliers(self, begun: str) -> list[str]:
        return self._texts(_SUPPLIERS, begun)

    def actions(self, begun: str) -> list[str]:
        return self._texts(_ACTIONS, begun)

    def events(self, begun: str) -> list[str]:
        return self._numbers("events", begun)

    def rejected(self, begun: str) -> list[str]:
        return self._numbers("rejected", begun)

    def _texts(self, statements: tuple[str, ...], begun: str) -> list[str]:
        found = dict[str, None]()
        with self._reading() as raw:
            for statement in statements:
                if len(found) < MOST:
                    rows = raw.execute(statement, (begun, begun + _BEYOND_TEXT, MOST))
                    found.update((text, None) for (text,) in rows)
        return list(found)[:MOST]

    def _numbers(self, table: str, begun: str) -> list[str]:
        """Find 17, then 170 to 179, 1700 to 1799 and so on; the largest first, as they are counted up."""
        if begun and (not begun.isascii() or not begun.isdigit() or begun.startswith("0")):
            return []
        found = list[str]()
        with self._reading() as raw:
            for first, last in _spans(begun):
                rows = raw.execute(_NUMBERS.format(table=table), (first, last, MOST - len(found)))
                found += [str(number) for (number,) in rows]
        return found

    @contextmanager
    def _reading(self) -> Iterator["sqlite3.Connection"]:
        end = time.monotonic() + _PATIENCE_S
        address = f"{self.path.absolute().as_uri()}?mode=ro{self._without_a_trace()}"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)) as raw:
            raw.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            yield raw

    def _without_a_trace(self) -> str:
        """Say how SQLite is to open it: after a kill it would mend the journal's index, by which losses are found.

        Whoever starts next looks whether the journal (-wal) still holds all that was acknowledged, and needs it as it
        was left. With `readonly_shm` SQLite makes an index of its own, in memory.
        """
        there = [self.path.with_name(f"{self.path.name}{ending}").exists() for ending in ("-shm", "-wal")]
        if all(there):
            return "&readonly_shm=1"
        return "&immutable=1" if any(there) else ""


def _spans(begun: str) -> Iterator[tuple[int, int]]:
    if not begun:
        yield 1, 10**_LONGEST_NUMBER
        return
    for more in range(_LONGEST_NUMBER - len(begun), -1, -1):
        yield int(begun) * 10**more, (int(begun) + 1) * 10**more - 1
