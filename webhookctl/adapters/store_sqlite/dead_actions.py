"""What was given up, counted and tried again many at a time."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite import intervention_rows
from webhookctl.adapters.store_sqlite.listing import Listing
from webhookctl.core.orders import ActionKind, Intervention
from webhookctl.core.ports.outbox import ActionQuery

if TYPE_CHECKING:
    import sqlite3

_DEAD: Final = "state = 'dead' AND finished_at < {until:d}"
_COUNT: Final = "SELECT kind, count(*) FROM ({chosen}) GROUP BY kind"
_TRY_AGAIN: Final = """
    UPDATE actions SET state = 'waiting', next_at = ?, forgiven = attempts, tried_since = NULL, finished_at = NULL
    WHERE rowid IN (SELECT id FROM ({chosen})) RETURNING id, supplier, subject, kind"""


def count(raw: "sqlite3.Connection", query: ActionQuery, *, until: int) -> Counter[ActionKind]:
    """Count, per kind, what was given up before `until`."""
    chosen, values = _chosen(query, until, -1)
    return Counter({ActionKind(kind): many for kind, many in raw.execute(_COUNT.format(chosen=chosen), values)})


def try_again(
    raw: "sqlite3.Connection", query: ActionQuery, *, until: int, by: Intervention, limit: int
) -> Counter[ActionKind]:
    """Make some of it due now, and write down who wanted that."""
    chosen, values = _chosen(query, until, limit)
    rows = raw.execute(_TRY_AGAIN.format(chosen=chosen), (by.at, *values)).fetchall()
    for action_id, supplier, subject, _ in rows:
        intervention_rows.write_down(raw, (supplier, subject), replace(by, action_id=action_id))
    return Counter(ActionKind(kind) for *_, kind in rows)


def _chosen(query: ActionQuery, until: int, limit: int) -> tuple[str, list[object]]:
    filters = {"supplier": query.supplier, "kind": query.kind, "subject": query.reference}
    dead = _DEAD.format(until=until)
    index, within = "actions_settled", f"{dead} AND state NOT IN ('waiting', 'running')"
    if query.reference is not None:
        index, within = "sqlite_autoindex_actions_2", dead
    listing = Listing("actions", "rowid AS id, kind", "created_at", within, (), index)
    return listing.select(filters, since=query.since, until=query.until, limit=limit)
