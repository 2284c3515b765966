"""What is left of a pruned order, and when the store was looked after last."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlite_utils import Database

# What is left is the order's own row, so that whoever looks for an order, by reference or by the supplier's id, finds
# it without looking twice. It leaves `orders_ended`, in which pruning looks for what has ended.
_PRUNING: Final = (
    "ALTER TABLE orders ADD COLUMN pruned_at INTEGER",
    "ALTER TABLE orders ADD COLUMN remains TEXT",
    """
    CREATE TABLE chores (
        name TEXT PRIMARY KEY, tried_at INTEGER, done_at INTEGER, failing_since INTEGER, detail TEXT
    ) STRICT, WITHOUT ROWID""",
)


def m010_pruning(db: "Database") -> None:
    """Let orders be pruned, and the store's own backups and prunings be told of."""
    for statement in _PRUNING:
        db.execute(statement)
