"""Rows of the outbox: how an action is added, restrained and read."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import uuid_utils

from webhookctl.adapters.store_sqlite.odd_rows import MISREAD, Kinds, check, odd, types
from webhookctl.core.orders import Action, ActionKind, ActionState, Attempt, NewAction, Restraint, how_far

if TYPE_CHECKING:
    import sqlite3

_KINDS: Final[Kinds] = {
    "id": str,
    "supplier": str,
    "subject": str,
    "kind": ActionKind,
    "cause": str,
    "generation": int,
    "state": ActionState,
    "detail": str,
    "created_at": int,
    "attempts": int,
    "next_at": int | None,
    "started_at": int | None,
    "error": str | None,
    "finished_at": int | None,
    "tried_since": int | None,
}
_TYPES: Final = types(_KINDS)
COLUMNS: Final = ", ".join(_KINDS)
_ATTEMPT_KINDS: Final[Kinds] = {"action_id": str, "number": int, "ended_at": int, "state": ActionState, "detail": str}
_ATTEMPT_TYPES: Final = types(_ATTEMPT_KINDS)
ATTEMPT_COLUMNS: Final = ", ".join(_ATTEMPT_KINDS)
FINISHED: Final = frozenset({ActionState.DONE, ActionState.DEAD, ActionState.CANCELLED})

_ADD: Final = """
    INSERT INTO actions
        (id, supplier, subject, kind, cause, generation, state, detail, created_at, next_at, finished_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (subject, supplier, kind, cause, generation) DO NOTHING"""
_IS_ONE_YOUNGER: Final = """
    SELECT 1 FROM actions INDEXED BY sqlite_autoindex_actions_2
    WHERE subject = ? AND supplier = ? AND kind = ? AND cause >= ? AND cause < ? AND created_at > ? LIMIT 1"""
_HOW_FAR: Final = """
    SELECT state, coalesce(finished_at, started_at, created_at) FROM actions INDEXED BY sqlite_autoindex_actions_2
    WHERE subject = ? AND supplier = ? AND kind = ? ORDER BY state = 'done' DESC, generation DESC LIMIT 1"""
_RESTRAIN: Final = """
    UPDATE actions SET state = :state, detail = :detail, next_at = NULL, finished_at = :finished_at
    WHERE subject = :subject AND supplier = :supplier AND kind = :kind AND state IN ('waiting', 'held', 'dead')"""
# A cancellation stays one, whatever restrains the action afterwards. Of one that is ambiguous it is remembered, too:
# a person who has it tried again may not know what came since.
_RESTRAIN_LATER: Final = """
    UPDATE actions SET restrained = :state, restrained_detail = :detail
    WHERE subject = :subject AND supplier = :supplier AND kind = :kind AND state IN ('running', 'ambiguous')
        AND restrained IS NOT 'cancelled'"""
_LET_GO: Final = """
    UPDATE actions SET state = 'waiting', detail = '', next_at = ?, forgiven = attempts, tried_since = NULL
    WHERE subject = ? AND supplier = ? AND kind = ? AND state = 'held'"""
_LET_GO_LATER: Final = """
    UPDATE actions SET restrained = NULL, restrained_detail = NULL
    WHERE subject = ? AND supplier = ? AND kind = ? AND state IN ('running', 'ambiguous') AND restrained = 'held'"""
_LIKE: Final = """
    SELECT w.position, a.state FROM wanted AS w CROSS JOIN actions AS a INDEXED BY sqlite_autoindex_actions_2
    ON a.subject = w.subject AND a.supplier = w.supplier AND a.kind = w.kind AND a.cause = w.cause
    ORDER BY w.position, a.state <> 'done', a.generation DESC"""
_MOST_WANTED: Final = 500
_RECORD: Final = "INSERT OR REPLACE INTO attempts (action_id, number, ended_at, state, detail) VALUES (?, ?, ?, ?, ?)"


def add(raw: "sqlite3.Connection", action: NewAction, *, now: int) -> bool:
    """Add `action` unless it exists, or one of its kind and cause is younger than its cooldown; False: it was not."""
    if action.cooldown_ms and is_one_younger(raw, action, now):
        return False
    detail = action.detail
    if action.about is not None:
        detail = f"{detail} {_how_far(raw, action, action.about)}".strip()
    return bool(raw.execute(_ADD, _row(action, detail, now)).rowcount)


def add_plain(raw: "sqlite3.Connection", actions: Sequence[NewAction], *, now: int) -> None:
    """Add those of `actions` that do not exist; none of them has a cooldown, or is about another."""
    if actions:
        raw.executemany(_ADD, [_row(action, action.detail, now) for action in actions])


def asked(raw: "sqlite3.Connection", actions: Sequence[NewAction], *, now: int) -> list[ActionState | None]:
    """Return, for each, the state of what there is in its stead; None where it would be added."""
    found = list[ActionState | None]()
    for at in range(0, len(actions), _MOST_WANTED):
        some = actions[at : at + _MOST_WANTED]
        values = [value for n, one in enumerate(some) for value in (n, one.subject, one.supplier, one.kind, one.cause)]
        likes = dict(reversed(raw.execute(_likes(len(some)), values).fetchall()))
        found += [ActionState(likes[n]) if n in likes else None for n in range(len(some))]
    for n, action in enumerate(actions):
        if found[n] is None and action.cooldown_ms and is_one_younger(raw, action, now):
            found[n] = ActionState.DONE  # whatever became of it: it stands in for this one
    return found


@lru_cache(_MOST_WANTED)
def _likes(count: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?)"] * count)
    return f"WITH wanted (position, subject, supplier, kind, cause) AS (VALUES {values}) {_LIKE}"


def _row(action: NewAction, detail: str, now: int) -> tuple[object, ...]:
    next_at = now if action.state is ActionState.WAITING else None
    finished_at = now if action.state in FINISHED else None
    of = (action.supplier, action.subject, action.kind, action.cause, action.generation, action.state, detail)
    return (str(uuid_utils.uuid7()), *of, now, next_at, finished_at)


def is_one_younger(raw: "sqlite3.Connection", action: NewAction, now: int) -> bool:
    """Say whether there is one of its subject, kind and cause up to the colon, younger than its cooldown."""
    word = action.cause.partition(":")[0]
    of = (action.subject, action.supplier, action.kind)
    # Every cause that begins with the word and a colon lies before the word and a semicolon.
    return raw.execute(_IS_ONE_YOUNGER, (*of, f"{word}:", f"{word};", now - action.cooldown_ms)).fetchone() is not None


def _how_far(raw: "sqlite3.Connection", action: NewAction, kind: ActionKind) -> str:
    row = raw.execute(_HOW_FAR, (action.subject, action.supplier, kind)).fetchone()
    return how_far(kind, *((ActionState(row[0]), row[1]) if row else (None, None)))


def restrain(raw: "sqlite3.Connection", order: tuple[str, str], restraint: Restraint, *, now: int) -> None:
    """Hold or cancel an order's actions of one kind: at once, or as soon as whoever runs one lets go of it."""
    names = {
        "supplier": order[0],
        "subject": order[1],
        "kind": restraint.kind,
        "state": restraint.state,
        "detail": restraint.detail,
        "finished_at": now if restraint.state in FINISHED else None,
    }
    raw.execute(_RESTRAIN, names)
    raw.execute(_RESTRAIN_LATER, names)


def let_go(raw: "sqlite3.Connection", order: tuple[str, str], kind: ActionKind, *, now: int) -> None:
    """Make what is held of an order's actions of one kind due now; what runs is not held afterwards."""
    of = (order[1], order[0], kind)
    raw.execute(_LET_GO, (now, *of))
    raw.execute(_LET_GO_LATER, of)


def alert(raw: "sqlite3.Connection", action: Action, cause: str, detail: str, *, now: int) -> None:
    """Tell a person about `action`, unless it is itself what tells a person."""
    if action.kind is not ActionKind.ALERT:
        add(raw, NewAction(action.supplier, action.subject, ActionKind.ALERT, cause, detail=detail), now=now)


def record(raw: "sqlite3.Connection", attempt: Attempt) -> None:
    """Write how an attempt ended; its number is the action's count when it was claimed."""
    row = (attempt.action_id, attempt.number, attempt.ended_at, attempt.state, attempt.detail)
    raw.execute(_RECORD, row)


def stored_action(row: Any) -> Action:  # noqa: ANN401 - a row that begins with `COLUMNS`
    """Make an action of a row; raises `RowError`."""
    try:
        check(row, _TYPES)
        kind, state = ActionKind(row[3]), ActionState(row[6])
    except MISREAD:
        raise odd(f"action {row[0]}", row, _KINDS) from None
    return Action(
        id=row[0],
        supplier=row[1],
        subject=row[2],
        kind=kind,
        cause=row[4],
        generation=row[5],
        state=state,
        detail=row[7],
        created_at=row[8],
        attempts=row[9],
        next_at=row[10] if state is ActionState.WAITING else None,
        started_at=row[11],
        error=row[12],
        finished_at=row[13],
        tried_since=row[14],
    )


def stored_attempt(row: Any) -> Attempt:  # noqa: ANN401 - a row of `ATTEMPT_COLUMNS`
    """Make an attempt of a row; raises `RowError`."""
    try:
        check(row, _ATTEMPT_TYPES)
        state = ActionState(row[3])
    except MISREAD:
        raise odd(f"attempt {row[1]} of action {row[0]}", row, _ATTEMPT_KINDS) from None
    return Attempt(row[0], row[1], row[2], state, row[4])
