"""How a query with optional filters becomes SQL that walks one index, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
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
        """Return the statement and its parameters; filters that are None do not filter."""
        chosen = {column: value for column, value in filters.items() if value is not None}
        index = next((name for column, name in self.indexes if column in chosen), self.otherwise)
        conditions = [self.within] if self.within else []
        conditions += [f"{column} = ?" for column in chosen]
        values = list(chosen.values())
        for bound, operator in ((since, ">="), (until, "<")):
            if bound is not None:
                conditions.append(f"{self.time} {operator} ?")
                values.append(bound)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # INDEXED BY: without statistics SQLite takes `state = 'done'` for as selective as a reference.
        statement = (
            f"SELECT {self.columns} FROM {self.table} INDEXED BY {index} {where} "  # noqa: S608 - only our own words
            f"ORDER BY {self.time} DESC, rowid DESC LIMIT ?"
        )
        return statement, [*values, limit]


_BEYOND_TEXT: Final = "\U0010ffff"


def beginning(text: str) -> tuple[str, str]:
    """Return the bounds between which every text lies that begins with `text`."""
    return text, text + _BEYOND_TEXT
