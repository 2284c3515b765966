"""What is sent elsewhere, and how far that has come: a row for each event."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.odd_rows import odd
from webhookctl.adapters.store_sqlite.sealing import open_delivery
from webhookctl.core.errors import SealedError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import Parcel, Replay, ReplayState, Verdict

_COLUMNS: Final = "id, created_at, target, sign, who, reason, whole"
_BEGIN: Final = "INSERT INTO replays (created_at, who, reason, target, sign) VALUES (?, ?, ?, ?, ?) RETURNING id"
_ADD: Final = "INSERT INTO replayed (replay_id, event_id) VALUES (?, ?)"
_COMPLETE: Final = "UPDATE replays SET whole = 1 WHERE id = ?"
_GET: Final = f"SELECT {_COLUMNS} FROM replays WHERE id = ?"  # noqa: S608 - our own words
_NEWEST_OPEN: Final = f"""
    SELECT {_COLUMNS} FROM replays WHERE whole AND EXISTS (
        SELECT 1 FROM replayed INDEXED BY replayed_open WHERE replay_id = replays.id AND state <> 'taken'
    ) ORDER BY id DESC LIMIT 1"""  # noqa: S608 - our own words
_OPEN: Final = """
    SELECT state, count(*) FROM replayed INDEXED BY replayed_open
    WHERE replay_id = ? AND state <> 'taken' GROUP BY state"""
_ALL: Final = "SELECT count(*) FROM replayed WHERE replay_id = ?"
_CLAIM: Final = """
    UPDATE replays SET claim = :claim, claimed_until = :until
    WHERE id = :id AND (claim IS NULL OR claimed_until <= :now) RETURNING id"""
_CLAIMED_UNTIL: Final = "SELECT claimed_until FROM replays WHERE id = ?"
_RENEW: Final = "UPDATE replays SET claimed_until = ? WHERE id = ? AND claim = ?"
_RELEASE: Final = "UPDATE replays SET claim = NULL, claimed_until = NULL WHERE id = ? AND claim = ?"
_IS_OURS: Final = "SELECT 1 FROM replays WHERE id = ? AND claim = ?"
_REOPENED: Final = """
    SELECT event_id FROM replayed WHERE replay_id = ? AND event_id > ? AND state <> 'taken' ORDER BY event_id LIMIT ?"""
_REOPEN: Final = """
    UPDATE replayed SET turn = turn + (state IN ('refused', 'unsent')), state = 'waiting'
    WHERE replay_id = ? AND event_id = ?"""
_REVEAL: Final = """
    INSERT INTO event_reveals (event_id, at, who, reason)
    SELECT id, ?, ?, ? FROM events WHERE id IN (SELECT value FROM json_each(?))"""
_TAKE: Final = """
    UPDATE replayed SET state = 'sending', tries = tries + 1 WHERE replay_id = :id AND event_id IN (
        SELECT event_id FROM replayed INDEXED BY replayed_waiting WHERE replay_id = :id AND state = 'waiting'
        ORDER BY turn, event_id LIMIT :limit
    ) RETURNING turn, event_id, tries"""
_EVENTS: Final = """
    SELECT id, supplier, delivery_id, sealed FROM events WHERE id IN (SELECT value FROM json_each(?))"""
_SETTLE: Final = """
    UPDATE replayed SET state = ?1, status = ?2, took_ms = ?3, at = ?4, detail = ?5, tries = tries - (?1 = 'waiting')
    WHERE replay_id = ?6 AND event_id = ?7"""


@dataclass(frozen=True, slots=True)
class SqliteReplays:
    """What is sent elsewhere, and how far that has come."""

    connection: Connection
    cipher: Cipher

    def begin(self, target: str, sign: str, look: Reveal) -> int:
        with self.connection.writing() as raw:
            (number,) = raw.execute(_BEGIN, (look.at, look.who, look.reason, target, sign)).fetchone()
        return int(number)

    def add(self, replay_id: int, numbers: Sequence[int], look: Reveal) -> None:
        with self.connection.writing() as raw:
            raw.executemany(_ADD, [(replay_id, number) for number in numbers])
            raw.execute(_REVEAL, (look.at, look.who, look.reason, json.dumps(numbers)))

    def complete(self, replay_id: int) -> None:
        with self.connection.writing() as raw:
            raw.execute(_COMPLETE, (replay_id,))

    def get(self, replay_id: int | None) -> Replay | None:
        with self.connection.reading() as raw:
            found = raw.execute(_NEWEST_OPEN) if replay_id is None else raw.execute(_GET, (replay_id,))
            row = found.fetchone()
        return None if row is None else _replay(row)

    def counts(self, replay_id: int) -> Mapping[ReplayState, int]:
        with self.connection.reading() as raw:
            found = {ReplayState(state): count for state, count in raw.execute(_OPEN, (replay_id,))}
            (every,) = raw.execute(_ALL, (replay_id,)).fetchone()
        return found | {ReplayState.TAKEN: every - sum(found.values())}

    def claim(self, replay_id: int, claim: str, *, now: int, until: int) -> int | None:
        with self.connection.writing() as raw:
            if raw.execute(_CLAIM, {"id": replay_id, "claim": claim, "now": now, "until": until}).fetchone():
                return None
            (ends,) = raw.execute(_CLAIMED_UNTIL, (replay_id,)).fetchone()
            return int(ends)

    def renew(self, replay_id: int, claim: str, *, until: int) -> bool:
        with self.connection.writing() as raw:
            return raw.execute(_RENEW, (until, replay_id, claim)).rowcount == 1

    def release(self, replay_id: int, claim: str) -> None:
        with self.connection.writing() as raw:
            raw.execute(_RELEASE, (replay_id, claim))

    def reopen(self, replay_id: int, look: Reveal, *, after: int, limit: int) -> int | None:
        with self.connection.writing() as raw:
            numbers = [number for (number,) in raw.execute(_REOPENED, (replay_id, after, limit))]
            raw.executemany(_REOPEN, [(replay_id, number) for number in numbers])
            raw.execute(_REVEAL, (look.at, look.who, look.reason, json.dumps(numbers)))
        return numbers[-1] if numbers else None

    def take(self, replay_id: int, claim: str, limit: int) -> list[Parcel]:
        with self.connection.writing() as raw:
            if raw.execute(_IS_OURS, (replay_id, claim)).fetchone() is None:
                return []
            begun = sorted(raw.execute(_TAKE, {"id": replay_id, "limit": limit}).fetchall())
            rows = raw.execute(_EVENTS, (json.dumps([number for _, number, _ in begun]),)).fetchall() if begun else []
        found = {row[0]: row for row in rows}
        return [self._parcel(number, tries, found.get(number)) for _, number, tries in begun]

    def _parcel(self, number: int, tries: int, row: Any) -> Parcel:  # noqa: ANN401 - a row of `_EVENTS`
        if row is None:
            fault = "it is not in the store any more."
            return Parcel(number, str(number), "", (), b"", tries=tries, fault=fault)
        _, supplier, delivery_id, sealed = row
        event_id = ""
        try:
            event_id = str(UUID(bytes=delivery_id))
            opened = open_delivery(self.cipher, sealed, supplier, delivery_id)
        except ValueError:
            return Parcel(number, str(number), supplier, (), b"", event_id, tries, str(odd(f"event {number}")))
        except SealedError as error:
            return Parcel(number, str(number), supplier, (), b"", event_id, tries, str(error))
        return Parcel(number, str(number), supplier, opened.headers, opened.body, event_id, tries)

    def settle(self, replay_id: int, claim: str, verdicts: Collection[Verdict], *, now: int) -> bool:
        with self.connection.writing() as raw:
            if raw.execute(_IS_OURS, (replay_id, claim)).fetchone() is None:
                return False
            raw.executemany(
                _SETTLE,
                [
                    (one.state.value, one.status, one.took_ms, now, one.detail, replay_id, one.number)
                    for one in verdicts
                ],
            )
        return True


def _replay(row: Any) -> Replay:  # noqa: ANN401 - a row of `_COLUMNS`
    number, created_at, target, sign, who, reason, whole = row
    return Replay(number, created_at, target, sign, Reveal(created_at, who, reason), bool(whole))
