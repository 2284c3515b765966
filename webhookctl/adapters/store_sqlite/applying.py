"""What is written of one event that was applied: the event, its key, its orders and the actions it causes."""

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite.connection import DataError, IntegrityError
from webhookctl.adapters.store_sqlite.endings import late_after
from webhookctl.adapters.store_sqlite.moves import write_move
from webhookctl.core.errors import SealedError
from webhookctl.core.events import Event, EventState
from webhookctl.core.orders import Move
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.events import Application, Applied

if TYPE_CHECKING:
    import sqlite3

_KEY_BYTES: Final = 16
_UNSTORABLE: Final = (ValueError, OverflowError, IntegrityError, DataError, SealedError)
"""What one event can raise that its neighbours must not suffer for: half a surrogate pair, a number beyond 64 bits, a
text of a gigabyte, an order whose old codes can't be opened."""

_IS_HELD: Final = """
    SELECT supplier, EXISTS (SELECT 1 FROM event_orders WHERE event_id = id) FROM events
    WHERE id = ? AND claim = ? AND state = 'queued'"""
_SEEN: Final = "SELECT event_id FROM event_keys WHERE supplier = ? AND key = ?"
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

    def apply(self, application: Application) -> Applied:
        """Write it wholly or not at all, whatever becomes of its neighbours in the transaction."""
        self.raw.execute("SAVEPOINT application")
        try:
            applied = self._apply(application)
        except _StaleError:
            self.raw.execute("ROLLBACK TO application")
            applied = Applied.STALE
        except _UNSTORABLE as error:
            # Left claimed: it comes back alone until it was claimed too often, and ends as `dead` with this reason.
            self.raw.execute("ROLLBACK TO application")
            self.raw.execute(_NOTE, (f"it says what can't be stored: {type(error).__name__}", application.id))
            applied = Applied.STALE
        self.raw.execute("RELEASE application")
        return applied

    def _apply(self, application: Application) -> Applied:
        held = self.raw.execute(_IS_HELD, (application.id, application.claim)).fetchone()
        if held is None:
            return Applied.LOST
        first = self._first_of_key(application, held[0])
        if first != application.id:
            self._finish(application, EventState.DUPLICATE, first)
            return Applied.DUPLICATE
        for move in application.moves:
            if not write_move(self.raw, self.cipher, move, _order_of(application, move), now=self.now):
                raise _StaleError
        if (earlier := self._earlier(application)) is not None:
            self._finish(application, EventState.DUPLICATE, earlier)
            return Applied.DUPLICATE
        self._finish(application, application.state, None)
        if application.orders or held[1]:
            self._name_orders(application, held[0])
        return Applied.DONE

    def _earlier(self, application: Application) -> int | None:
        """Return the event by which asking had learned all that this webhook says, and count that it came late."""
        moves_nothing = not any(move.order or move.actions or move.restraints for move in application.moves)
        if not isinstance(application.event, Event) or application.state is not EventState.DONE:
            return None
        late = late_after(self.raw, application.event, application.id)
        return late if moves_nothing else None

    def _first_of_key(self, application: Application, supplier: str) -> int:
        """Return the event that had this key first: this one, if no other had."""
        if application.key is None:
            return application.id
        key = hmac.digest(self.dedup_key, application.key, "sha256")[:_KEY_BYTES]
        self.raw.execute(_REMEMBER, (supplier, key, application.id))
        (first,) = self.raw.execute(_SEEN, (supplier, key)).fetchone()
        return int(first)

    def _finish(self, application: Application, state: EventState, duplicate_of: int | None) -> None:
        event = application.event
        names = (event.reference, event.order_id) if event else (None, None)
        type_, occurred_at = (event.type, event.occurred_at) if isinstance(event, Event) else (None, None)
        said = (type_, *names, occurred_at)
        self.raw.execute(_FINISH, (state, application.reason, duplicate_of, *said, application.id))

    def _name_orders(self, application: Application, supplier: str) -> None:
        """Write down which orders the event spoke of, where there are several; what an earlier try wrote is gone."""
        self.raw.execute(_FORGET_ORDERS, (application.id,))
        rows = [
            (application.id, position, supplier, one.state, one.type, one.reference, one.order_id, one.reason)
            for position, one in enumerate(application.orders)
        ]
        self.raw.executemany(_ADD_ORDER, rows)


def _order_of(application: Application, move: Move) -> tuple[str, str] | None:
    if move.order is not None:
        return move.order.key
    event = application.event
    return (event.supplier, event.reference) if event is not None and event.reference is not None else None
