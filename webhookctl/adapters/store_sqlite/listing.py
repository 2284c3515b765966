"""How a query with optional filters becomes SQL that walks one index, newest or oldest first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Listing:
    """A table's rows that can be listed, and the index for each filter."""

    table: str
    columns: str
    time: str
    """The column that `since` (inclusive), `until` (exclusive) and the order speak of."""
    within: str
    """A condition that holds for all of them; the partial indexes ask for it. Empty: the whole table."""
    indexes: tuple[tuple[str, str], ...]
    """(filter, index), best first: the first filter that is set chooses."""
    otherwise: str
    """The index when no filter is set."""

    def select(
        self, filters: Mapping[str, object], *, since: int | None, until: int | None, limit: int
    ) -> tuple[str, list[object]]:
        """Return the statement, newest first, and its parameters; filters that are None do not filter."""
        statement, values = self._chosen(filters, since, until)
        return f"{statement} ORDER BY {self.time} DESC, rowid DESC LIMIT ?", [*values, limit]

    def walk(
        self,
        filters: Mapping[str, object],
        *,
        since: int | None,
        until: int | None,
        after: tuple[int, int] | None,
        limit: int,
    ) -> tuple[str, list[object]]:
        """Return the statement, oldest first, for what stands behind `after` (time and row), and its parameters."""
        statement, values = self._chosen(filters, since, until, after)
        return f"{statement} ORDER BY {self.time}, rowid LIMIT ?", [*values, limit]

    def count(self, filters: Mapping[str, object], *, since: int | None, until: int | None) -> tuple[str, list[object]]:
        """Return the statement that counts them, and its parameters."""
        return replace(self, columns="count(*)")._chosen(filters, since, until)  # noqa: SLF001 - its own twin

    def _chosen(
        self,
        filters: Mapping[str, object],
        since: int | None,
        until: int | None,
        after: tuple[int, int] | None = None,
    ) -> tuple[str, list[object]]:
        chosen = {column: value for column, value in filters.items() if value is not None}
        index = next((name for column, name in self.indexes if column in chosen), self.otherwise)
        conditions = [self.within] if self.within else []
        conditions += [f"{column} = ?" for column in chosen]
        values = list(chosen.values())
        if after is not None:
            # Of two lower bounds SQLite would seek one, and read all that lies between them for every page.
            since = None if since is not None and since <= after[0] else since
            conditions.append(f"({self.time}, rowid) > (?, ?)")
            values.extend(after)
        for bound, operator in ((since, ">="), (until, "<")):
            if bound is not None:
                conditions.append(f"{self.time} {operator} ?")
                values.append(bound)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # INDEXED BY: without statistics SQLite takes `state = 'done'` for as selective as a reference.
        return f"SELECT {self.columns} FROM {self.table} INDEXED BY {index} {where}", values  # noqa: S608 - our own words


_BEYOND_TEXT: Final = "\U0010ffff"


def beginning(text: str) -> tuple[str, str]:
    """Return the bounds between which every text lies that begins with `text`."""
    return text, text + _BEYOND_TEXT
