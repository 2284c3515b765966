"""The event log: claimed, applied, listed and looked up."""

import json
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from webhookctl.adapters.store_sqlite.applying import Applying
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.event_queries import behind, counts, here, newest
from webhookctl.adapters.store_sqlite.event_rows import (
    COLUMNS,
    SPOKEN,
    listed_event,
    queue_sealed,
    spoken,
    spoken_of,
    stored_event,
)
from webhookctl.adapters.store_sqlite.odd_rows import readable
from webhookctl.adapters.store_sqlite.sealing import Opened, open_delivery
from webhookctl.core.errors import RowError, SealedError, UsageError
from webhookctl.core.events import STOPS_THE_WORKER, Place, StoredEvent
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent, EventQuery, Unreadable
from webhookctl.core.ports.orders import Reveal

CLAIMS_AT_MOST: Final = 5
"""An event that was claimed this often and never applied takes its worker down with it: it is set aside."""
_ALONE_FROM: Final = 2
"""An event that was claimed this often and never applied is claimed alone, so that its neighbours are not set aside too
if it is the one that takes the worker down."""

_FREE: Final = "state = 'queued' AND (claimed_until IS NULL OR claimed_until <= :now)"
_IS_ANY_FREE: Final = f"SELECT 1 FROM events INDEXED BY events_queue WHERE {_FREE} LIMIT 1"  # noqa: S608 - our own words
_SET_ASIDE: Final = f"""
    UPDATE events SET state = 'dead', claim = NULL, claimed_until = NULL,
        error = 'claimed ' || attempts || ' times without being applied: {STOPS_THE_WORKER}'
            || coalesce(' (' || error || ')', '')
    WHERE id IN (
        SELECT id FROM (
            SELECT id, attempts FROM events INDEXED BY events_queue WHERE {_FREE} ORDER BY id LIMIT :limit
        ) WHERE attempts >= :most
    )"""  # noqa: S608 - our own words
_CLAIM: Final = """
    UPDATE events SET claim = :claim, claimed_until = :until, attempts = attempts + 1
    WHERE id IN ({chosen}) RETURNING {columns}, sealed"""
_CLAIM_ONE: Final = _CLAIM.format(
    columns=COLUMNS,
    chosen=f"""
        SELECT id FROM (
            SELECT id, attempts FROM events INDEXED BY events_queue WHERE {_FREE} ORDER BY id LIMIT :limit
        ) WHERE attempts >= :alone ORDER BY id LIMIT 1""",  # noqa: S608 - our own words
)
_CLAIM_SOME: Final = _CLAIM.format(
    columns=COLUMNS,
    chosen=f"""
        SELECT id FROM events INDEXED BY events_queue WHERE {_FREE} AND attempts < :most
        ORDER BY id LIMIT :limit""",  # noqa: S608 - our own words
)

# Which secret matched last is noted here, as intake only appends. What was polled matched none.
_NOTE_SECRETS: Final = """
    INSERT INTO secret_uses (supplier, matched, last_at)
    SELECT supplier, matched, max(received_at) FROM events
    WHERE id IN (SELECT value FROM json_each(?)) AND via IN ('webhook', 'reverify') GROUP BY supplier, matched
    ON CONFLICT (supplier, matched) DO UPDATE SET last_at = max(last_at, excluded.last_at)"""

_BY_ROW: Final = f"SELECT {COLUMNS}, sealed FROM events WHERE id = ?"  # noqa: S608 - our own words
_BY_DELIVERY: Final = f"""
    SELECT {COLUMNS}, sealed FROM events INDEXED BY events_by_delivery
    WHERE state <> 'queued' AND delivery_id BETWEEN ?1 AND ?2
    UNION ALL
    SELECT {COLUMNS}, sealed FROM events INDEXED BY events_queue
    WHERE state = 'queued' AND delivery_id BETWEEN ?1 AND ?2 LIMIT 2"""  # noqa: S608 - our own words
_REVEAL: Final = "INSERT INTO event_reveals (event_id, at, who, reason) VALUES (?, ?, ?, ?)"
_REVEALS: Final = "SELECT at, who, reason FROM event_reveals WHERE event_id = ? ORDER BY at, id"
_ROW_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
"""A delivery id begins with a 0 until the year 2527."""
_DELIVERY_ID: Final = re.compile(r"[0-9a-f]{8,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SqliteEvents:
    """The event log."""

    connection: Connection
    cipher: Cipher
    dedup_key: bytes = field(repr=False)

    def claim(self, *, now: int, limit: int, lease_ms: int) -> list[ClaimedEvent | Unreadable]:
        claim = secrets.token_hex(8)
        names = {"now": now, "limit": limit, "most": CLAIMS_AT_MOST, "claim": claim, "until": now + lease_ms}
        names["alone"] = _ALONE_FROM
        with self.connection.reading() as raw:  # a worker that finds nothing must not take the lock that intake needs
            if raw.execute(_IS_ANY_FREE, {"now": now}).fetchone() is None:
                return []
        with self.connection.writing() as raw:
            raw.execute(_SET_ASIDE, names)
            rows = raw.execute(_CLAIM_ONE, names).fetchall() or raw.execute(_CLAIM_SOME, names).fetchall()
        return [self._claimed(row, claim) for row in sorted(rows, key=_row_number)]

    def apply(self, applications: Sequence[Application], *, now: int) -> list[Applied]:
        if not applications:
            return []
        with self.connection.writing() as raw:
            applied = Applying(raw, self.cipher, self.dedup_key, now).apply(applications)
            raw.execute(_NOTE_SECRETS, (json.dumps([application.id for application in applications]),))
            return applied

    def queue_sealed(self) -> int:
        with self.connection.writing() as raw:
            return queue_sealed(raw)

    def find(self, query: EventQuery) -> list[StoredEvent]:
        with self.connection.reading() as raw:
            rows = [row for statement in newest(query) for row in raw.execute(*statement)]
        newest_first = sorted(readable(self.connection, rows, listed_event), key=_place, reverse=True)
        return newest_first[: query.limit]

    def walk(self, query: EventQuery, *, after: Place | None = None, opened: bool = False) -> list[StoredEvent]:
        with self.connection.reading() as raw:
            rows = [row for statement in behind(query, after, opened=opened) for row in raw.execute(*statement)]
            oldest_first = sorted(rows, key=_place_of_row)[: query.limit]
            orders = spoken_of(raw, oldest_first) if opened else {}
        if not opened:
            return [listed_event(row) for row in oldest_first]
        return [replace(self._opened_or_why_not(row), orders=orders.get(_row_number(row), ())) for row in oldest_first]

    def firsts(self, keys: Sequence[tuple[str, bytes | None]]) -> list[int | None]:
        with self.connection.reading() as raw:
            return Applying(raw, self.cipher, self.dedup_key, 0).firsts(keys)

    def _opened_or_why_not(self, row: Any) -> StoredEvent:  # noqa: ANN401 - a row of `COLUMNS, sealed`
        try:
            return stored_event(row, self._opened(row))
        except SealedError as error:
            return replace(listed_event(row), unreadable=str(error))

    def get(self, event_id: str) -> StoredEvent | None:
        if _ROW_NUMBER.fullmatch(event_id):
            rows = self._rows(_BY_ROW, int(event_id))
        elif _DELIVERY_ID.fullmatch(start := event_id.lower().replace("-", "")):
            rows = self._rows(_BY_DELIVERY, bytes.fromhex(start.ljust(32, "0")), bytes.fromhex(start.ljust(32, "f")))
        else:
            return None
        if len(rows) > 1:
            raise UsageError(f"More than one event's id begins with {event_id}: give more of it.")
        if not rows:
            return None
        orders = tuple(map(spoken, self._rows(SPOKEN, _row_number(rows[0]))))
        return replace(stored_event(rows[0], self._opened(rows[0])), orders=orders)

    def _rows(self, statement: str, *values: int | bytes) -> list[Any]:
        with self.connection.reading() as raw:
            return raw.execute(statement, values).fetchall()

    def _claimed(self, row: Any, claim: str) -> ClaimedEvent | Unreadable:  # noqa: ANN401 - a row of `COLUMNS, sealed`
        try:
            return ClaimedEvent(stored_event(row, self._opened(row)), claim)
        except RowError as error:
            return Unreadable(_row_number(row), row[1], claim, str(error))

    def _opened(self, row: Any) -> Opened:  # noqa: ANN401 - a row of `COLUMNS, sealed`
        return open_delivery(self.cipher, row[-1], row[1], row[4])

    def record_reveal(self, number: int, reveal: Reveal) -> None:
        with self.connection.writing() as raw:
            raw.execute(_REVEAL, (number, reveal.at, reveal.who, reveal.reason))

    def record_reveals(self, numbers: Sequence[int], reveal: Reveal) -> None:
        with self.connection.writing() as raw:
            raw.executemany(_REVEAL, [(number, reveal.at, reveal.who, reveal.reason) for number in numbers])

    def here(self, delivery_ids: Collection[bytes], *, upto: int) -> set[bytes]:
        with self.connection.reading() as raw:
            return {found for statement in here(list(delivery_ids), upto) for (found,) in raw.execute(*statement)}

    def count(self, query: EventQuery) -> int:
        with self.connection.reading() as raw:
            return sum(raw.execute(*statement).fetchone()[0] for statement in counts(query))

    def reveals(self, number: int) -> list[Reveal]:
        with self.connection.reading() as raw:
            return [Reveal(*row) for row in raw.execute(_REVEALS, (number,))]


def _row_number(row: Any) -> int:  # noqa: ANN401 - a row that begins with `COLUMNS`
    number: int = row[0]
    return number


def _place(event: StoredEvent) -> Place:
    return event.place


def _place_of_row(row: Any) -> tuple[int, int]:  # noqa: ANN401 - a row that begins with `COLUMNS`
    return row[2], row[0]
