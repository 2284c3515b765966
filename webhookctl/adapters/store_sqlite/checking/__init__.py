"""Checks of the store: step by step, each in a transaction of its own, so that the journal can be emptied between."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.store_sqlite.checking import openable, structure
from webhookctl.adapters.store_sqlite.checking.invariants import ENDED_CLAIMS, INVARIANTS, Invariant
from webhookctl.adapters.store_sqlite.checking.measuring import measure
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.looking import Looking
from webhookctl.adapters.store_sqlite.rekeying import count_rows
from webhookctl.adapters.store_sqlite.sealed_places import BEFORE_ALL, SEALED, SealedTable
from webhookctl.core.errors import StoreBusyError, StoreError
from webhookctl.core.ports.checks import Checked, Depth, Fault, Scope, Sizes
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

_HOUR_MS: Final = 3_600_000
_FAR_MS: Final = 24 * _HOUR_MS
"""No lease is longer than minutes: one that ends beyond this was given by a clock that was wrong."""
_JOURNAL: Final = (
    "keep it, and bring back a backup with `webhookctl store restore FILE`; or move the files -wal and -shm elsewhere, "
    "to go on without what they held"
)
_RESTORE: Final = "keep the file for a closer look, and bring back a backup with `webhookctl store restore FILE`"


@dataclass(frozen=True, slots=True)
class SqliteChecks:
    """Questions about the file and its rows."""

    connection: Connection
    cipher: Cipher
    lost: str | None = None
    """What was found to be wrong with the journal when the store was opened."""
    lacking: tuple[str, ...] = ()
    """Migrations: of an older store only the structure can be checked."""

    def count_steps(self, depth: Depth) -> int:
        with self.connection.reading() as raw:
            structural = len(structure.statements(depth, structure.tables(raw))) + 2
        if self.lacking:
            return structural
        opened = {Depth.QUICK: 0, Depth.USUAL: 2 * len(SEALED), Depth.DEEP: 2 * len(SEALED)}[depth]
        walked = count_rows(self.connection) // openable.BATCH if depth is Depth.DEEP else 0
        return structural + len(INVARIANTS) + len(SEALED) + opened + walked + 1

    def check(self, scope: Scope) -> Iterator[Checked]:
        if self.lost:
            yield Checked(
                (Fault("journal", 1, "journal lacks what was acknowledged last", f"it {self.lost}", _JOURNAL),)
            )
        yield from self._structure(scope.depth)
        if self.lacking:
            yield Checked(
                notes=(f"The store lacks {', '.join(self.lacking)}: `webhookctl store migrate`, then again.",)
            )
            return
        for invariant in INVARIANTS:
            yield self._asked(invariant.name, partial(_broken, invariant=invariant, now=scope.now))
        for place in SEALED:
            yield from self._sealed(place, scope)
        yield self._ended_claims(scope.now)

    def sizes(self, *, now: int) -> Sizes:
        return measure(self.connection, now=now)

    def _structure(self, depth: Depth) -> Iterator[Checked]:
        with self.connection.reading() as raw:
            tables = structure.tables(raw)
        statements = structure.statements(depth, tables)
        for statement in statements:
            yield self._asked("structure", partial(structure.damage, statement=statement))
        yield self._asked("foreign_keys", structure.orphans)
        if not self.lacking:
            yield self._asked("schema", structure.differences)

    def _sealed(self, place: SealedTable, scope: Scope) -> Iterator[Checked]:
        if not scope.clear_is_wanted:
            yield self._asked("in_clear", partial(openable.in_clear, place=place))
        if scope.depth is Depth.QUICK:
            return
        opening = openable.Opening(self.cipher)
        if scope.depth is Depth.DEEP:
            yield from self._walk(place, opening)
        else:
            yield self._asked("opens", partial(openable.sample, place=place, opening=opening))
        yield Checked(tuple(opening.faults()))

    def _walk(self, place: SealedTable, opening: openable.Opening) -> Iterator[Checked]:
        """Open all of a table, a few rows at a time; it ends where the table ended when this began."""
        after: tuple[Any, ...] = BEFORE_ALL[place.table]
        rows, last = list[Any](), list[Any]()
        yield self._asked("opens", partial(_read, statement=place.last, values=after, into=last))
        is_more = bool(last)
        while is_more:
            values = (*after, *last[0], openable.BATCH)
            rows.clear()
            yield self._asked("opens", partial(_read, statement=place.walk, values=values, into=rows))
            opening.open(place, rows)
            is_more = len(rows) == openable.BATCH
            after = tuple(rows[-1][: len(place.key)]) if rows else after

    def _ended_claims(self, now: int) -> Checked:
        with self.connection.reading() as raw:
            found = raw.execute(ENDED_CLAIMS, {"late": now - _HOUR_MS}).fetchone()
        if found is None or not found[0]:
            return Checked()
        return Checked(
            notes=(f"{found[0]} claims ended over an hour ago: the next `serve` or `work` takes them back.",)
        )

    def _asked(self, name: str, ask: structure.Question) -> Checked:
        """Ask within one transaction; a question that meets damage is a fault of this name."""
        try:
            with self._reading() as raw:
                return Checked(tuple(ask(raw) or ()))
        except StoreBusyError:
            raise
        except StoreError as error:  # our own question: it can't be answered because of what is there
            what = f"part could not be looked at ({error.__cause__ or error})"
            return Checked((Fault(name, 1, what, None, _RESTORE),))

    def _reading(self) -> AbstractContextManager["sqlite3.Connection"]:
        return self.connection.strictly_reading() if isinstance(self.connection, Looking) else self.connection.reading()


def _read(raw: "sqlite3.Connection", statement: str, values: Sequence[object], into: list[Any]) -> None:
    into.extend(raw.execute(statement, values))


def _broken(raw: "sqlite3.Connection", invariant: Invariant, now: int) -> Iterator[Fault]:
    count, example = raw.execute(invariant.query, {"far": now + _FAR_MS}).fetchone()
    if count:
        yield Fault(invariant.name, count, invariant.sentence, example, invariant.remedy)
