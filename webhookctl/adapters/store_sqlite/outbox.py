"""The outbox: actions claimed, begun, settled, listed and tried again."""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.store_sqlite import dead_actions, intervention_rows
from webhookctl.adapters.store_sqlite.action_rows import (
    ATTEMPT_COLUMNS,
    COLUMNS,
    FINISHED,
    alert,
    record,
    stored_action,
    stored_attempt,
)
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.listing import Listing, beginning
from webhookctl.adapters.store_sqlite.odd_rows import readable
from webhookctl.core.errors import RowError, UsageError
from webhookctl.core.orders import Action, ActionKind, ActionState, Attempt, Intervention
from webhookctl.core.ports.outbox import ActionQuery, ClaimedAction, Settlement

if TYPE_CHECKING:
    import sqlite3

LOST_AT_MOST: Final = 10
"""Attempts in a row during which the worker died: one that kills it must not do so for ever."""
_LOST_WORKER: Final = "the worker ended before the attempt did"
_KEEP_START: Final = frozenset({ActionState.DONE, ActionState.DEAD, ActionState.AMBIGUOUS})
_WITHOUT_EFFECT: Final = frozenset({ActionState.WAITING, ActionState.DEAD})
_TOO_OFTEN: Final = f"given up, as the worker died in each of its last {LOST_AT_MOST} attempts"

_RESTRAINTS: Final = {state.value: state for state in (ActionState.HELD, ActionState.CANCELLED)}

_EXPIRED: Final = f"""
    SELECT {COLUMNS}, restrained, restrained_detail FROM actions INDEXED BY actions_running
    WHERE state = 'running' AND claimed_until <= ? ORDER BY claimed_until"""  # noqa: S608 - our own words
_IS_ANY_EXPIRED: Final = (
    "SELECT 1 FROM actions INDEXED BY actions_running WHERE state = 'running' AND claimed_until <= ? LIMIT 1"
)
_HELD: Final = f"""
    SELECT {COLUMNS}, restrained, restrained_detail FROM actions
    WHERE id = ? AND claim = ? AND state = 'running'"""  # noqa: S608 - our own words
_DUE: Final = """
    SELECT * FROM (
        SELECT rowid, next_at, attempts - forgiven AS tries FROM actions INDEXED BY actions_due
        WHERE state = 'waiting' AND kind = ? AND next_at <= ? ORDER BY next_at LIMIT ?
    )"""
_GIVE_UP: Final = """
    UPDATE actions SET state = 'dead', error = ?, finished_at = ?, next_at = NULL
    WHERE rowid IN (SELECT rowid FROM ({due}) WHERE tries >= ?) RETURNING {columns}"""
_CLAIM: Final = """
    UPDATE actions SET state = 'running', claim = ?, claimed_until = ?, attempts = attempts + 1, started_at = NULL,
        tried_since = coalesce(tried_since, ?)
    WHERE rowid IN (SELECT rowid FROM ({due}) WHERE tries < ? ORDER BY next_at LIMIT ?) RETURNING {columns}, next_at"""
_END_CLAIM: Final = """
    UPDATE actions SET state = ?, detail = ?, next_at = ?, started_at = ?, error = ?, finished_at = ?, claim = NULL,
        forgiven = CASE WHEN ? THEN attempts ELSE forgiven END, claimed_until = NULL, restrained = ?,
        restrained_detail = ?
    WHERE id = ?"""
_END_DONE: Final = """
    UPDATE actions SET state = 'done', next_at = NULL, error = NULL, finished_at = ?, claim = NULL, forgiven = attempts,
        claimed_until = NULL, restrained = NULL, restrained_detail = NULL
    FROM json_each(?)
    WHERE actions.id = value ->> 0 AND actions.claim = value ->> 1 AND actions.state = 'running'
    RETURNING actions.id, attempts"""
_RECORD_DONE: Final = """
    INSERT OR REPLACE INTO attempts (action_id, number, ended_at, state, detail)
    SELECT value ->> 0, value ->> 1, ?, 'done', value ->> 2 FROM json_each(?)"""
_BEGIN: Final = "UPDATE actions SET started_at = ? WHERE id = ?"
_RENEW: Final = "UPDATE actions SET claimed_until = ? WHERE id = ? AND claim = ? AND state = 'running'"
_RELEASE: Final = """
    UPDATE actions SET state = coalesce(restrained, 'waiting'), detail = coalesce(restrained_detail, detail),
        next_at = CASE WHEN restrained IS NULL THEN next_at END, attempts = attempts - 1, claim = NULL,
        claimed_until = NULL, finished_at = CASE restrained WHEN 'cancelled' THEN ? END, restrained = NULL,
        restrained_detail = NULL
    WHERE id = ? AND claim = ? AND state = 'running' AND started_at IS NULL"""
_DEFER: Final = """
    UPDATE actions SET state = coalesce(restrained, 'waiting'), detail = coalesce(restrained_detail, detail),
        next_at = CASE WHEN restrained IS NULL THEN ? END, attempts = attempts - 1, started_at = NULL, claim = NULL,
        claimed_until = NULL, finished_at = CASE restrained WHEN 'cancelled' THEN ? END, restrained = NULL,
        restrained_detail = NULL
    WHERE id = ?"""
_RETRY: Final = """
    UPDATE actions SET state = 'waiting', next_at = ?, forgiven = attempts, tried_since = NULL,
        finished_at = NULL WHERE id = ?"""

# The restraint that came while nobody knew counts now: an order refunded meanwhile is not delivered.
_RESOLVE: Final = """
    UPDATE actions SET state = CASE WHEN :done THEN 'done' ELSE coalesce(restrained, 'waiting') END,
        detail = CASE WHEN :done THEN detail ELSE coalesce(restrained_detail, detail) END,
        next_at = CASE WHEN NOT :done AND restrained IS NULL THEN :now END,
        error = CASE WHEN :done THEN NULL ELSE error END, forgiven = attempts, tried_since = NULL,
        finished_at = CASE WHEN :done OR restrained = 'cancelled' THEN :now END, restrained = NULL,
        restrained_detail = NULL
    WHERE id = :id AND state = 'ambiguous' RETURNING state"""

_BY_ID: Final = f"SELECT {COLUMNS} FROM actions WHERE id >= ? AND id < ? LIMIT 2"  # noqa: S608 - our own words
_ATTEMPTS: Final = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE action_id = ? ORDER BY number"  # noqa: S608 - our own

_LISTING: Final = Listing(
    "actions",
    COLUMNS,
    "created_at",
    "",
    (("subject", "sqlite_autoindex_actions_2"), ("kind", "actions_by_kind"), ("supplier", "actions_by_supplier")),
    "actions_by_time",
)
_SETTLED: Final = Listing(
    "actions", COLUMNS, "created_at", "state NOT IN ('waiting', 'running')", (), "actions_settled"
)
_OF_STATE: Final = {
    ActionState.WAITING: Listing("actions", COLUMNS, "created_at", "state = 'waiting'", (), "actions_due"),
    ActionState.RUNNING: Listing("actions", COLUMNS, "created_at", "state = 'running'", (), "actions_running"),
    ActionState.HELD: _SETTLED,
    ActionState.DEAD: _SETTLED,
    ActionState.AMBIGUOUS: _SETTLED,
    ActionState.CANCELLED: _SETTLED,
}
"""`done` is not among them: nearly all are, so that they are found soonest by time."""


@dataclass(frozen=True, slots=True)
class SqliteOutbox:
    """The actions that orders cause."""

    connection: Connection

    def claim(self, kinds: Collection[ActionKind], *, now: int, limit: int, lease_ms: int) -> list[ClaimedAction]:
        with self.connection.reading() as raw:  # a worker that finds nothing must not take the lock that intake needs
            if not _is_anything_due(raw, kinds, now):
                return []
        claim = secrets.token_hex(8)
        with self.connection.writing() as raw:
            _take_back(raw, now)
            if not kinds:
                return []
            due, values = _due(kinds, now, limit)
            _give_up(raw, due, values, now)
            statement = _CLAIM.format(due=due, columns=COLUMNS)
            rows = raw.execute(statement, (claim, now + lease_ms, now, *values, LOST_AT_MOST, limit)).fetchall()
        return [ClaimedAction(stored_action(row), claim) for row in sorted(rows, key=_due_at)]

    def begin(self, action_id: str, claim: str, *, now: int) -> bool:
        with self.connection.writing() as raw:
            row = raw.execute(_HELD, (action_id, claim)).fetchone()
            if row is None:
                return False
            if row[-1] is not None:  # restrained since: the last moment at which it can be kept from having effect
                raw.execute(_RELEASE, (now, action_id, claim))
                return False
            raw.execute(_BEGIN, (now, action_id))
            return True

    def renew(self, claims: Collection[tuple[str, str]], *, until: int) -> None:
        if claims:
            with self.connection.writing() as raw:
                raw.executemany(_RENEW, [(until, *claim) for claim in claims])

    def release(self, claims: Collection[tuple[str, str]], *, now: int) -> None:
        if claims:
            with self.connection.writing() as raw:
                raw.executemany(_RELEASE, [(now, *claim) for claim in claims])

    def settle(self, settlements: Sequence[Settlement], *, now: int) -> list[bool]:
        if not settlements:
            return []
        done = [one for one in settlements if one.state is ActionState.DONE and one.alert is None]
        with self.connection.writing() as raw:
            written = _settle_done(raw, done, now)
            return [
                settlement.id in written if settlement in done else _settle(raw, settlement, now)
                for settlement in settlements
            ]

    def find(self, query: ActionQuery) -> list[Action]:
        filters = {
            "supplier": query.supplier,
            "kind": query.kind,
            "state": query.state,
            "subject": query.reference,
        }
        by_state = None if query.state is None or query.reference is not None else _OF_STATE.get(query.state)
        statement = (by_state or _LISTING).select(filters, since=query.since, until=query.until, limit=query.limit)
        with self.connection.reading() as raw:
            return readable(self.connection, raw.execute(*statement), stored_action)

    def get(self, action_id: str) -> tuple[Action, list[Attempt]] | None:
        with self.connection.reading() as raw:
            action = _by_id(raw, action_id)
            if action is None:
                return None
            return action, readable(self.connection, raw.execute(_ATTEMPTS, (action.id,)), stored_attempt)

    def retry(self, action_id: str, *, now: int, by: Intervention | None = None) -> ActionState | None:
        with self.connection.writing() as raw:
            action = _by_id(raw, action_id)
            if action is None:
                return None
            if action.state in {ActionState.DEAD, ActionState.WAITING}:
                raw.execute(_RETRY, (now, action.id))
                if by is not None:
                    _write_down(raw, action, by)
            return action.state

    def count_dead(self, query: ActionQuery, *, until: int) -> Mapping[ActionKind, int]:
        with self.connection.reading() as raw:
            return dead_actions.count(raw, query, until=until)

    def retry_dead(self, query: ActionQuery, *, until: int, by: Intervention, limit: int) -> Mapping[ActionKind, int]:
        with self.connection.writing() as raw:
            return dead_actions.try_again(raw, query, until=until, by=by, limit=limit)

    def resolve(self, action_id: str, state: ActionState, *, by: Intervention, now: int) -> ActionState | None:
        with self.connection.writing() as raw:
            action = _by_id(raw, action_id)
            if action is None:
                return None
            names = {"id": action.id, "now": now, "done": state is ActionState.DONE}
            row = raw.execute(_RESOLVE, names).fetchone()
            if row is None:
                return action.state
            _write_down(raw, action, by)
            return ActionState(row[0])

    def interventions(self, action_id: str) -> list[Intervention]:
        with self.connection.reading() as raw:
            return intervention_rows.of_action(raw, action_id)


def _write_down(raw: "sqlite3.Connection", action: Action, by: Intervention) -> None:
    intervention_rows.write_down(raw, (action.supplier, action.subject), replace(by, action_id=action.id))


def _by_id(raw: "sqlite3.Connection", start: str) -> Action | None:
    rows = raw.execute(_BY_ID, beginning(start.lower())).fetchall() if start else []
    if len(rows) > 1:
        raise UsageError(f"More than one action's id begins with {start}: give more of it.")
    return stored_action(rows[0]) if rows else None


def _due(kinds: Collection[ActionKind], now: int, limit: int) -> tuple[str, list[str | int]]:
    """Return a query for what is due, and its parameters: the first `limit` of each kind, whatever else waits."""
    chosen = sorted(set(kinds))
    return " UNION ALL ".join([_DUE] * len(chosen)), [value for kind in chosen for value in (kind, now, limit)]


def _is_anything_due(raw: "sqlite3.Connection", kinds: Collection[ActionKind], now: int) -> bool:
    if raw.execute(_IS_ANY_EXPIRED, (now,)).fetchone() is not None:
        return True
    return bool(kinds) and raw.execute(*_due(kinds, now, 1)).fetchone() is not None


def _take_back(raw: "sqlite3.Connection", now: int) -> None:
    """End the claims that have run out: whoever held them is gone, or will find out.

    A row that can't be read is left for `store check` to name: it must not keep all others from being carried out.
    """
    for row in raw.execute(_EXPIRED, (now,)).fetchall():
        try:
            action = stored_action(row)
        except RowError:
            continue
        state = ActionState.WAITING if action.started_at is None else ActionState.AMBIGUOUS
        _end(raw, row, Attempt(action.id, action.attempts, now, state, _LOST_WORKER), next_at=now, settled=False)
        if state is ActionState.AMBIGUOUS:
            detail = f"{_named(action)} was begun and cut off: whether it took effect is not known."
            alert(raw, action, f"ambiguous:{action.id}", detail, now=now)


def _give_up(raw: "sqlite3.Connection", due: str, values: list[str | int], now: int) -> None:
    statement = _GIVE_UP.format(due=due, columns=COLUMNS)
    for row in raw.execute(statement, (_TOO_OFTEN, now, *values, LOST_AT_MOST)).fetchall():
        action = stored_action(row)
        alert(raw, action, f"dead:{action.id}", f"{_named(action)} was {_TOO_OFTEN}.", now=now)


def _settle_done(raw: "sqlite3.Connection", settlements: Sequence[Settlement], now: int) -> set[str]:
    """Settle what succeeded, which is nearly all, by two statements: each must win back the interpreter. Return ids."""
    if not settlements:
        return set()
    held = json.dumps([(one.id, one.claim) for one in settlements])
    numbers = dict(raw.execute(_END_DONE, (now, held)).fetchall())
    attempts = [(one.id, numbers[one.id], one.detail) for one in settlements if one.id in numbers]
    raw.execute(_RECORD_DONE, (now, json.dumps(attempts)))
    return set(numbers)


def _settle(raw: "sqlite3.Connection", settlement: Settlement, now: int) -> bool:
    row = raw.execute(_HELD, (settlement.id, settlement.claim)).fetchone()
    if row is None:
        return False
    if not settlement.is_attempt:
        raw.execute(_DEFER, (settlement.next_at, now, settlement.id))
        return True
    action = stored_action(row)
    attempt = Attempt(action.id, action.attempts, now, settlement.state, settlement.detail)
    _end(raw, row, attempt, next_at=now if settlement.next_at is None else settlement.next_at, settled=True)
    if settlement.alert is not None:
        alert(raw, action, settlement.alert, settlement.detail, now=now)
    return True


def _end(raw: "sqlite3.Connection", row: Any, attempt: Attempt, *, next_at: int, settled: bool) -> None:  # noqa: ANN401 - as `_HELD`
    """End a claim as its attempt ended; an action that had no effect becomes what restrained it meanwhile.

    While nobody knows whether it had one, the restraint is kept: it counts once a person has the action tried again.
    """
    action = stored_action(row)
    restrained, restrained_detail = row[-2:]
    if restrained is not None:  # by a word that is none of ours: a person has to look
        restrained = _RESTRAINTS.get(restrained, ActionState.HELD)
    state, detail = attempt.state, action.detail
    if state in _WITHOUT_EFFECT and restrained is not None:
        state, detail = restrained, restrained_detail or ""
    due = next_at if state is ActionState.WAITING else None
    started_at = action.started_at if state in _KEEP_START else None
    error = None if state is ActionState.DONE else attempt.detail
    finished_at = attempt.ended_at if state in FINISHED else None
    kept = (restrained, restrained_detail) if state is ActionState.AMBIGUOUS else (None, None)
    raw.execute(_END_CLAIM, (state, detail, due, started_at, error, finished_at, settled, *kept, action.id))
    record(raw, attempt)


def _named(action: Action) -> str:
    of = f"order {action.subject} at {action.supplier}" if action.subject else action.supplier
    return f"The {action.kind} of {of}"


def _due_at(row: Any) -> tuple[int, str]:  # noqa: ANN401 - a row of `_CLAIM`
    return row[-1], row[0]
