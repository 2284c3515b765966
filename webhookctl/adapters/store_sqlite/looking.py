"""A connection for those who only look: of a damaged file it reads what can be read, and it changes nothing."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from webhookctl.adapters.store_sqlite.connection import Connection, is_damage
from webhookctl.adapters.store_sqlite.place import is_read_only
from webhookctl.core.errors import RowError

if TYPE_CHECKING:
    import sqlite3

_INDEXED: Final = re.compile(r"INDEXED BY \w+")
_IS_GONE: Final = "no such "
_TABLES: Final = re.compile(r"\b(?:FROM|JOIN) ([a-z_]+)")


class Looking(Connection):
    """Reads only; what is damaged is left out and remembered in `left_out`."""

    def __init__(self, path: Path, *, busy_ms: int, as_it_lies: bool) -> None:
        """Open the file; `as_it_lies` without its journal, where that is damaged and nobody else uses the store."""
        self.left_out = list[str]()
        """The tables, one for each query that met damage."""
        self.odd = list[str]()
        """The rows that hold what no webhookctl of this version writes, each with the column that does."""
        self._as_it_lies = as_it_lies
        super().__init__(path, busy_ms=busy_ms, only_read=True)

    def _mode(self) -> str:
        if self._as_it_lies:
            return "mode=ro&immutable=1"
        if is_read_only(self.path):
            return super()._mode()
        # What a killed process left half done in a store without WAL must be undone before anybody can read.
        return "mode=rw" if self.path.with_name(f"{self.path.name}-journal").exists() else "mode=ro"

    def _set_up(self) -> None:
        # Else SQLite refuses all of a file that was cut short, also what is there.
        self._raw.execute("PRAGMA writable_schema = ON")
        self._raw.execute("PRAGMA query_only = ON")
        super()._set_up()
        self._raw.text_factory = _text

    @contextmanager
    def reading(self) -> Iterator["sqlite3.Connection"]:
        with super().reading() as raw:
            yield cast("sqlite3.Connection", _Forgiving(raw, self.left_out))

    @contextmanager
    def strictly_reading(self) -> Iterator["sqlite3.Connection"]:
        """Read with errors, for whoever looks for damage."""
        with super().reading() as raw:
            yield raw

    def leave_out(self, error: RowError) -> None:
        self.odd.append(error.row or str(error))

    def _check(self) -> None:
        """Go on whatever was met: nothing that is read here is written anywhere."""

    def close(self) -> None:
        with self._lock:
            self._raw.close()


class _Forgiving:
    """A connection whose queries return what they could read before they met damage."""

    def __init__(self, raw: "sqlite3.Connection", left_out: list[str]) -> None:
        self._raw = raw
        self._left_out = left_out

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the connection has
        return getattr(self._raw, name)

    def execute(self, statement: str, values: Any = ()) -> "_Rows":  # noqa: ANN401 - as sqlite3 has it
        rows, is_whole = self._read(statement, values)
        if not is_whole:
            self._left_out.extend(dict.fromkeys(_TABLES.findall(statement)))
            if _INDEXED.search(statement):  # the index may be all that is damaged
                others, _ = self._read(_INDEXED.sub("NOT INDEXED", statement), values)
                rows = max(rows, others, key=len)
        return _Rows(rows)

    def _read(self, statement: str, values: Any) -> tuple[list[Any], bool]:  # noqa: ANN401 - as sqlite3 has it
        """Return the rows up to the first damage, and whether these are all."""
        rows = list[Any]()
        try:
            rows.extend(self._raw.execute(statement, values))
        except Exception as error:
            # A table or an index whose definition lies in a damaged part is to SQLite as if it had never been.
            if not is_damage(error) and not (self._left_out and _IS_GONE in str(error)):
                raise
            return rows, False
        return rows, True


class _Rows:
    """Rows that were read already."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:  # noqa: ANN401 - as sqlite3 has it
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
