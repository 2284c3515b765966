"""The columns, indexes and table by which suppliers are asked about their orders."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlite_utils import Database

# Asking is off every hot path: what it needs of an order stands beside it, written by nobody else. A lease is the token
# `ask_claim` with `next_ask_at` as its end.
POLLS: Final = (
    *(
        f"ALTER TABLE orders ADD COLUMN {column}"
        for column in (
            "next_ask_at INTEGER",
            "ask_claim TEXT",
            "asks INTEGER NOT NULL DEFAULT 0",
            "ask_note TEXT",
            "given_up_at INTEGER",
            "ended_as TEXT",
            "ended_at INTEGER",
            "late_at INTEGER",
        )
    ),
    """
    CREATE INDEX orders_never_asked ON orders (supplier, created_at)
    WHERE status IN ('pending', 'partial') AND next_ask_at IS NULL AND given_up_at IS NULL""",
    """
    CREATE INDEX orders_to_ask ON orders (supplier, next_ask_at)
    WHERE status IN ('pending', 'partial') AND next_ask_at IS NOT NULL AND given_up_at IS NULL""",
    "CREATE INDEX orders_ask_now ON orders (supplier, ask_at) WHERE ask_at IS NOT NULL",
    "CREATE INDEX orders_ended ON orders (ended_at, supplier, learned_by, late_at) WHERE ended_at IS NOT NULL",
    """
    CREATE TABLE polls (
        supplier TEXT PRIMARY KEY, asked_at INTEGER, answered_at INTEGER, failing_since INTEGER, not_before INTEGER,
        reason TEXT, missed_told INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE alive (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT",
)


def m006_polls(db: "Database") -> None:
    """Add what asking needs to know of an order and of a supplier."""
    for statement in POLLS:
        db.execute(statement)
