"""How big the store is and how fast it grows, without reading it: rows are counted by index, bytes by a sample."""

import os
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.free_space import FLOOR, FLOOR_SHARE
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.ports.checks import Sizes, TableSize

if TYPE_CHECKING:
    import sqlite3

_DAY_MS: Final = 86_400_000
_WEEK: Final = 7
_SAMPLE: Final = 200
"""Rows of a table, from each end of it."""
_MOST_AIR: Final = 2
"""How much more than its rows a table takes at most: its pages are filled by half or more."""
_OVERHEAD: Final = 10
"""Bytes of a row, or of an entry of an index, beside its values, about."""
_PAGES: Final = ("page_count", "page_size", "freelist_count")
_TABLES: Final = """
    SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%'
    ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name"""
_COUNT_EVENTS: Final = """
    SELECT (SELECT count(*) FROM events INDEXED BY events_queue WHERE state = 'queued')
        + (SELECT count(*) FROM events INDEXED BY events_by_time WHERE state <> 'queued')"""
_OLDEST: Final = """
    SELECT received_at FROM events INDEXED BY events_by_time WHERE state <> 'queued' ORDER BY received_at LIMIT 1"""
_SINCE: Final = {
    "events": "SELECT count(*) FROM events INDEXED BY events_by_time WHERE state <> 'queued' AND received_at >= ?",
    "orders": "SELECT count(*) FROM orders INDEXED BY orders_by_time WHERE created_at >= ?",
    "actions": "SELECT count(*) FROM actions INDEXED BY actions_by_time WHERE created_at >= ?",
    "rejected": "SELECT count(*) FROM rejected INDEXED BY rejected_by_time WHERE received_at >= ?",
}


def measure(connection: Connection, *, now: int) -> Sizes:
    """Measure the store; see the port."""
    with connection.reading() as raw:
        pages, page, free = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
        tables = _tables(raw, (pages - free) * page)
        days = _days(raw, now)
        since = {table: _one(raw, statement, now - _WEEK * _DAY_MS) for table, statement in _SINCE.items()}
    rows = {one.table: one.rows for one in tables}
    per_event = sum(one.bytes for one in tables) / max(rows["events"], 1)
    return Sizes(
        tables=tuple(tables),
        file_bytes=pages * page,
        journal_bytes=_size(connection),
        free_bytes=free * page,
        disk_free_bytes=_disk_free(connection),
        days=days,
        rows_per_day={table: count / days for table, count in since.items()},
        bytes_per_day=round(per_event * since["events"] / days),
    )


def _tables(raw: "sqlite3.Connection", used: int) -> list[TableSize]:
    """Share what is used among the tables, by their rows and what a row of a sample takes."""
    found = list[tuple[str, int, float]]()
    for name, has_no_rowid in raw.execute(_TABLES).fetchall():
        rows = _one(raw, _COUNT_EVENTS if name == "events" else f"SELECT count(*) FROM {name}")  # noqa: S608 - a table
        found.append((name, rows, rows * _row_bytes(raw, name, has_no_rowid=bool(has_no_rowid)) if rows else 0))
    share = min(max(used / max(sum(size for *_, size in found), 1), 1), _MOST_AIR)  # a small store is mostly air
    return [TableSize(name, rows, round(size * share)) for name, rows, size in found]


def _row_bytes(raw: "sqlite3.Connection", table: str, *, has_no_rowid: bool) -> float:
    """Return what a row takes on average, with its entries in the indexes."""
    columns = raw.execute(f"PRAGMA table_info({table})").fetchall()
    key = [row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5]] if has_no_rowid else ["rowid"]
    sample = list[Any]()
    for direction in ("", " DESC"):
        by = ", ".join(f"{name}{direction}" for name in key)
        sample += raw.execute(f"SELECT * FROM {table} ORDER BY {by} LIMIT ?", (_SAMPLE,))  # noqa: S608 - a table's name
    mean = {row[1]: sum(_length(one[row[0]]) for one in sample) / len(sample) for row in columns}
    entries = sum(_entry(raw, index, mean) for _, index, *_ in raw.execute(f"PRAGMA index_list({table})").fetchall())
    return sum(mean.values()) + _OVERHEAD + entries


def _entry(raw: "sqlite3.Connection", index: str, mean: dict[str, float]) -> float:
    return _OVERHEAD + sum(mean.get(row[2], 0) for row in raw.execute(f"PRAGMA index_info({index})"))


def _length(value: object) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    return 0 if value is None else (int(value).bit_length() + 7) // 8 if isinstance(value, int) else 8


def _days(raw: "sqlite3.Connection", now: int) -> float:
    oldest = raw.execute(_OLDEST).fetchone()
    age = (now - oldest[0]) / _DAY_MS if oldest else _WEEK
    return min(max(age, 1 / 24), _WEEK)


def _one(raw: "sqlite3.Connection", statement: str, *values: int) -> int:
    return int(raw.execute(statement, values).fetchone()[0])


def _size(connection: Connection) -> int:
    wal = connection.path.with_name(f"{connection.path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


def _disk_free(connection: Connection) -> int:
    """Return what is left above the floor below which deliveries are refused."""
    found = os.statvfs(connection.path.parent)
    floor = min(FLOOR, found.f_blocks * found.f_frsize // FLOOR_SHARE)
    return max(found.f_bavail * found.f_frsize - floor, 0)
