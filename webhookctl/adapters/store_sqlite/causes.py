"""Which event caused an action, and what else followed from it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite import action_rows
from webhookctl.core.ports.events import Application
from webhookctl.core.ports.reports import Effects

if TYPE_CHECKING:
    import sqlite3

    from sqlite_utils import Database

# Beside the statement that adds actions: a clock or a person adds some, too, and those have no event.
_NOTE: Final = """
    UPDATE actions SET event_id = ?
    WHERE subject = ? AND supplier = ? AND kind = ? AND cause = ? AND created_at = ? AND event_id IS NULL"""
_ACTIONS: Final = f"""
    SELECT {action_rows.COLUMNS} FROM actions INDEXED BY actions_of_event
    WHERE event_id = ? ORDER BY rowid"""  # noqa: S608 - our own words
_REPEATS: Final = """
    SELECT id FROM events INDEXED BY events_by_duplicate WHERE duplicate_of = ? ORDER BY id LIMIT ?"""
_ORDERS: Final = """
    SELECT o.supplier, o.reference, o.status FROM events AS e JOIN orders AS o
    ON o.reference = e.reference AND o.supplier = e.supplier WHERE e.id = ?1
    UNION ALL
    SELECT o.supplier, o.reference, o.status FROM event_orders AS e JOIN orders AS o
    ON o.reference = e.reference AND o.supplier = e.supplier WHERE e.event_id = ?1"""
_MOST_REPEATS: Final = 100


def m008_events(db: "Database") -> None:
    """Have actions know their event, and find events by how they were learned of, and by whom they repeat.

    All is filled by `apply`: intake need not wait for it.
    """
    db.execute("CREATE INDEX events_by_via ON events (via, received_at) WHERE state <> 'queued'")
    db.execute("ALTER TABLE actions ADD COLUMN event_id INTEGER")
    db.execute("CREATE INDEX actions_of_event ON actions (event_id) WHERE event_id IS NOT NULL")
    db.execute("CREATE INDEX events_by_duplicate ON events (duplicate_of) WHERE duplicate_of IS NOT NULL")


def note_causes(raw: "sqlite3.Connection", applications: Sequence[Application], *, now: int) -> None:
    """Write which event caused each of the actions that were added just `now`; what was there before keeps its own."""
    caused = [
        (one.id, action.subject, action.supplier, action.kind, action.cause, now)
        for one in applications
        for move in one.moves
        for action in move.actions
    ]
    if caused:
        raw.executemany(_NOTE, caused)


def effects(raw: "sqlite3.Connection", number: int) -> Effects:
    """Read what followed from the event of this number."""
    return Effects(
        actions=[action_rows.stored_action(row) for row in raw.execute(_ACTIONS, (number,))],
        repeats=[row[0] for row in raw.execute(_REPEATS, (number, _MOST_REPEATS))],
        orders=raw.execute(_ORDERS, (number,)).fetchall(),
    )
