"""The tables of what is sent elsewhere."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlite_utils import Database

# No foreign key to events: pruning them would have to look here for each. `turn` counts how often it was resumed after
# this event had failed: those come after the ones that nobody has tried yet.
_REPLAYS: Final = (
    """
    CREATE TABLE replays (
        id INTEGER PRIMARY KEY AUTOINCREMENT, created_at INTEGER NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,
        target TEXT NOT NULL, sign TEXT NOT NULL, whole INTEGER NOT NULL DEFAULT 0, claim TEXT, claimed_until INTEGER
    ) STRICT""",
    """
    CREATE TABLE replayed (
        replay_id INTEGER NOT NULL REFERENCES replays (id) ON DELETE CASCADE, event_id INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting', turn INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
        status INTEGER, took_ms INTEGER, at INTEGER, detail TEXT, PRIMARY KEY (replay_id, event_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX replayed_waiting ON replayed (replay_id, turn, event_id) WHERE state = 'waiting'",
    "CREATE INDEX replayed_open ON replayed (replay_id, state) WHERE state <> 'taken'",
)


def m009_replays(db: "Database") -> None:
    """Add what is known of sending events elsewhere."""
    for statement in _REPLAYS:
        db.execute(statement)
