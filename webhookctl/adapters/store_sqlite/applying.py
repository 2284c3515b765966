"""What is written of events that were applied: the events, their keys, their orders and the actions they cause."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from webhookctl.adapters.store_sqlite.causes import note_causes
from webhookctl.adapters.store_sqlite.connection import DataError, IntegrityError
from webhookctl.adapters.store_sqlite.endings import found_by_asking, late_after
from webhookctl.adapters.store_sqlite.moves import write_moves
from webhookctl.core.errors import RowError
from webhookctl.core.events import Event, EventState
from webhookctl.core.orders import Move
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.events import Application, Applied

if TYPE_CHECKING:
    import sqlite3

_Key: TypeAlias = tuple[str, bytes]

_KEY_BYTES: Final = 16
_UNSTORABLE: Final = (ValueError, OverflowError, IntegrityError, DataError, RowError)
"""What one event can raise that its neighbours must not suffer for: half a surrogate pair, a number beyond 64 bits, a
text of a gigabyte, a row that can't be read."""

_REMEMBER: Final = "INSERT OR IGNORE INTO event_keys (supplier, key, event_id) VALUES (?, ?, ?)"
_FINISH: Final = """
    UPDATE events SET state = ?, error = ?, duplicate_of = ?, type = ?, reference = ?, order_id = ?, occurred_at = ?,
        claim = NULL, claimed_until = NULL
    WHERE id = ?"""
_FORGET_ORDERS: Final = "DELETE FROM event_orders WHERE event_id = ?"
_ADD_ORDER: Final = """
    INSERT INTO event_orders (event_id, position, supplier, state, type, reference, order_id, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_NOTE: Final = "UPDATE events SET error = ? WHERE id = ?"


class _StaleError(Exception):
    """An order is not at the version that was read."""


@dataclass(frozen=True, slots=True)
class Applying:
    """Writes applications in the transaction that `raw` is in."""

    raw: "sqlite3.Connection"
    cipher: Cipher
    dedup_key: bytes
    now: int

    def apply(self, applications: Sequence[Application]) -> list[Applied]:
        """Write each wholly or not at all, whatever becomes of its neighbours.

        All are written together, as each statement costs more than what it does; only where one of them can't be, each
        is written for itself.
        """
        self.raw.execute("SAVEPOINT applications")
        try:
            applied = self._together(applications)
        except (_StaleError, *_UNSTORABLE) as error:
            self.raw.execute("ROLLBACK TO applications")
            applied = self._apart(applications, error)
        self.raw.execute("RELEASE applications")
        return applied

    def _apart(self, applications: Sequence[Application], error: Exception) -> list[Applied]:
        if len(applications) > 1:
            return [self.apply([application])[0] for application in applications]
        if not isinstance(error, _StaleError):
            # Left claimed: it comes back alone until it was claimed too often, and ends as `dead` with this reason.
            reason = f"it says what can't be stored: {type(error).__name__}"
            self.raw.execute(_NOTE, (reason, applications[0].id))
        return [Applied.STALE]

    def _together(self, applications: Sequence[Application]) -> list[Applied]:
        suppliers, several = self._held(applications)
        held = [application for application in applications if application.id in suppliers]
        repeats = self._repeats(held, suppliers)
        first = [application for application in held if application.id not in repeats]
        moves = [(move, _order_of(application, move)) for application in first for move in application.moves]
        if not write_moves(self.raw, self.cipher, moves, now=self.now):
            raise _StaleError
        note_causes(self.raw, first, now=self.now)
        self.raw.executemany(_FINISH, [_finished(one, repeats.get(one.id)) for one in held])
        late = self._late(first)
        self.raw.executemany(_FINISH, [_finished(one, late[one.id]) for one in first if one.id in late])
        repeats |= late
        for one in first:
            if one.id not in late and (one.orders or one.id in several):
                self._name_orders(one, suppliers[one.id])
        return [_applied(application, suppliers, repeats) for application in applications]

    def _held(self, applications: Sequence[Application]) -> tuple[dict[int, str], set[int]]:
        """Return the supplier of each event that is still ours, and which had several orders at an earlier try."""
        asked = {application.id: application for application in applications}
        rows = self.raw.execute(_claims(len(asked)), (self.now, *asked)).fetchall()
        held = {number: supplier for number, supplier, *stands, _ in rows if _is_ours(asked[number], *stands)}
        return held, {number for number, *_, several in rows if several}

    def _late(self, applications: Sequence[Application]) -> dict[int, int]:
        """Return the webhooks that say what asking had learned, and by which event; counts that they came late."""
        said = [(one.id, one.event, one.moves) for one in applications if isinstance(one.event, Event)]
        asked = found_by_asking(self.raw, [event for _, event, _ in said])
        late = dict[int, int]()
        for number, event, moves in said:
            if (event.supplier, event.reference) in asked:
                earlier = late_after(self.raw, event, number)
                if earlier is not None and not any(move.order or move.actions or move.restraints for move in moves):
                    late[number] = earlier
        return late

    def _name_orders(self, application: Application, supplier: str) -> None:
        """Write down which orders the event spoke of, where there are several; what an earlier try wrote is gone."""
        self.raw.execute(_FORGET_ORDERS, (application.id,))
        rows = [
            (application.id, position, supplier, one.state, one.type, one.reference, one.order_id, one.reason)
            for position, one in enumerate(application.orders)
        ]
        self.raw.executemany(_ADD_ORDER, rows)

    def _repeats(self, held: Sequence[Application], suppliers: dict[int, str]) -> dict[int, int]:
        """Remember the events' keys; return those that another event had before, and which."""
        keys = {one.id: (suppliers[one.id], self._hashed(one.key)) for one in held if one.key is not None}
        if not keys:
            return {}
        added = self.raw.executemany(_REMEMBER, [(*key, number) for number, key in keys.items()]).rowcount
        if added == len(keys):
            return {}
        firsts = self._firsts(list(set(keys.values())))
        return {number: firsts[key] for number, key in keys.items() if firsts[key] != number}

    def firsts(self, keys: Sequence[tuple[str, bytes | None]]) -> list[int | None]:
        """Return, for each (supplier, key), the event that had it first; None where none had."""
        hashed = [None if key is None else (supplier, self._hashed(key)) for supplier, key in keys]
        wanted = list({key for key in hashed if key is not None})
        firsts = self._firsts(wanted) if wanted else {}
        return [None if key is None else firsts.get(key) for key in hashed]

    def _hashed(self, key: bytes) -> bytes:
        return hmac.digest(self.dedup_key, key, "sha256")[:_KEY_BYTES]

    def _firsts(self, keys: Sequence[_Key]) -> dict[_Key, int]:
        rows = self.raw.execute(_seen(len(keys)), tuple(chain.from_iterable(keys)))
        return {(supplier, key): number for supplier, key, number in rows}


@lru_cache(256)
def _claims(count: int) -> str:
    listed = ", ".join("?" * count)
    return (
        "SELECT id, supplier, state, claim, claimed_until > ?, "  # noqa: S608 - our own words
        "EXISTS (SELECT 1 FROM event_orders WHERE event_id = id) "
        f"FROM events WHERE id IN ({listed})"
    )


def _is_ours(application: Application, state: str, claim: str | None, claimed: int | None) -> bool:
    if application.claim is None:
        return state == application.before and not claimed
    return state == EventState.QUEUED and claim == application.claim


@lru_cache(256)
def _seen(count: int) -> str:
    return (
        f"WITH wanted (supplier, key) AS (VALUES {', '.join(['(?, ?)'] * count)}) "  # noqa: S608 - only our own words
        "SELECT k.supplier, k.key, k.event_id FROM wanted AS w CROSS JOIN event_keys AS k "
        "ON k.supplier = w.supplier AND k.key = w.key"
    )


def _applied(application: Application, suppliers: dict[int, str], repeats: dict[int, int]) -> Applied:
    if application.id not in suppliers:
        return Applied.LOST
    return Applied.DUPLICATE if application.id in repeats else Applied.DONE


def _finished(application: Application, duplicate_of: int | None) -> tuple[object, ...]:
    state = application.state if duplicate_of is None else EventState.DUPLICATE
    event = application.event
    names = (event.reference, event.order_id) if event else (None, None)
    type_, occurred_at = (event.type, event.occurred_at) if isinstance(event, Event) else (None, None)
    return (state, application.reason, duplicate_of, type_, *names, occurred_at, application.id)


def _order_of(application: Application, move: Move) -> tuple[str, str] | None:
    if move.order is not None:
        return move.order.key
    event = application.event
    return (event.supplier, event.reference) if event is not None and event.reference is not None else None
