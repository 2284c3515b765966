"""Is the file what SQLite and the migrations made of it?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from webhookctl.adapters.store_sqlite.connection import connect_in_memory
from webhookctl.adapters.store_sqlite.schema import as_made
from webhookctl.adapters.store_sqlite.soundness import hear_interrupts, short
from webhookctl.core.ports.checks import Depth, Fault

if TYPE_CHECKING:
    import sqlite3

Question: TypeAlias = "Callable[[sqlite3.Connection], Iterable[Fault] | None]"

_RESTORE: Final = "keep the file for a closer look, and bring back a backup with `webhookctl store restore FILE`"
_NAMES: Final = (
    "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT LIKE '\\_%' ESCAPE '\\'"
)
_MOST: Final = 1000
"""Of what SQLite tells of one table; more would say no more."""


def tables(raw: "sqlite3.Connection") -> list[str]:
    """Name the tables of the store."""
    return [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def statements(depth: Depth, names: Sequence[str]) -> list[str]:
    """Return what to ask of SQLite: table by table, so that no transaction is long; by `DEEP` of all at once."""
    if depth is Depth.DEEP:
        return [f"PRAGMA integrity_check({_MOST})"]
    how = "quick_check" if depth is Depth.QUICK else "integrity_check"
    return [f"PRAGMA {how}('{name}')" for name in ("sqlite_schema", *names)]


def damage(raw: "sqlite3.Connection", statement: str) -> Iterator[Fault]:
    """Ask SQLite whether a table and its indexes are whole."""
    hear_interrupts(raw)
    found = [text for (text,) in raw.execute(statement) if text != "ok"]
    if found:
        of = statement.partition("'")[2].rstrip("')") or "the file"
        yield Fault("structure", len(found), f"faults in the structure of {of}", short(found[0]), _RESTORE)


def orphans(raw: "sqlite3.Connection") -> Iterator[Fault]:
    """Find rows that point to rows that are not there."""
    found: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in raw.execute("PRAGMA foreign_key_check"):
        found[table, parent] = found.get((table, parent), 0) + 1
    for (table, parent), count in found.items():
        yield Fault("foreign_keys", count, f"rows of {table} belong to no row of {parent}", None, _RESTORE)


def differences(raw: "sqlite3.Connection") -> Iterator[Fault]:
    """Compare tables and indexes with those that the migrations make."""
    with connect_in_memory() as made:
        as_made(made)
        expected = {(kind, name): sql for kind, name, sql in made.execute(_NAMES)}
    there = {(kind, name): sql for kind, name, sql in raw.execute(_NAMES)}
    for kind, name in sorted(expected.keys() | there.keys()):
        if (kind, name) not in there:
            yield _differs(f"{kind} is missing", name)
        elif (kind, name) not in expected:
            yield _differs(f"{kind} is not webhookctl's", name)
        elif _bare(expected[kind, name]) != _bare(there[kind, name]):
            yield _differs(f"{kind} is not as webhookctl makes it", name)


def _differs(what: str, name: str) -> Fault:
    return Fault("schema", 1, what, name, "something else has changed it: undo that, or bring back a backup")


def _bare(sql: str) -> str:
    return " ".join(sql.split())
