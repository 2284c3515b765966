"""Taking what came to its end long ago: a batch at a time, while others read and write."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.ports.upkeep import Pruned, PruneMark

if TYPE_CHECKING:
    import sqlite3

    Raw: TypeAlias = sqlite3.Connection

# An order that is done with; the alias is `o`. Whatever is not surely done keeps it, as a whole: of an order there is
# either the whole story or how it ended.
_OVER: Final = """
    o.status IN ('failed', 'fulfilled', 'refunded') AND o.held IS NULL AND o.updated_at < :before
    AND NOT EXISTS (
        SELECT 1 FROM actions AS a WHERE a.subject = o.reference AND a.supplier = o.supplier
            AND (a.state NOT IN ('done', 'cancelled') OR a.finished_at IS NULL OR a.finished_at >= :before)
    )
    AND (o.status <> 'fulfilled' OR EXISTS (
        SELECT 1 FROM actions AS a WHERE a.subject = o.reference AND a.supplier = o.supplier AND a.kind = 'deliver'
    ))
    AND NOT EXISTS (
        SELECT 1 FROM events AS e INDEXED BY events_by_reference
        WHERE e.reference = o.reference AND e.supplier = o.supplier AND e.state = 'dead'
    )
    AND NOT EXISTS (
        SELECT 1 FROM event_orders AS s INDEXED BY event_orders_by_reference
        WHERE s.reference = o.reference AND s.supplier = o.supplier AND s.state = 'dead'
    )"""
_STAYS: Final = "o.pruned_at IS NULL"
_WILL_STAY: Final = f"o.pruned_at IS NULL AND NOT ({_OVER})"

_ORDERS: Final = f"""
    SELECT o.rowid, o.reference, o.supplier FROM orders AS o INDEXED BY orders_ended
    WHERE o.ended_at IS NOT NULL AND o.ended_at >= :since AND o.ended_at <= :to AND {_OVER}"""  # noqa: S608 - our own words
# What somebody has looked at stays with who it was, unless that can be noted at its order.
_EVENTS: Final = """
    SELECT e.id, length(e.sealed), e.received_at FROM events AS e INDEXED BY events_by_time
    WHERE e.state <> 'queued' AND e.received_at >= :since AND e.received_at <= :to
    AND e.state IN ('done', 'ignored', 'duplicate')
    AND NOT EXISTS (
        SELECT 1 FROM orders AS o WHERE o.reference = e.reference AND o.supplier = e.supplier AND {stays}
    )
    AND NOT EXISTS (
        SELECT 1 FROM event_orders AS s WHERE s.event_id = e.id AND (s.state = 'dead' OR EXISTS (
            SELECT 1 FROM orders AS o WHERE o.reference = s.reference AND o.supplier = s.supplier AND {stays}
        ))
    )
    AND (NOT EXISTS (SELECT 1 FROM event_reveals AS r WHERE r.event_id = e.id) OR EXISTS (
        SELECT 1 FROM orders AS o WHERE o.reference = e.reference AND o.supplier = e.supplier
    ))"""
_ACTIONS: Final = """
    SELECT a.rowid, length(a.detail), a.created_at FROM actions AS a INDEXED BY actions_by_time
    WHERE a.created_at >= :since AND a.created_at <= :to
    AND a.state IN ('done', 'cancelled') AND a.finished_at < :before
    AND (a.subject = '' OR EXISTS (
        SELECT 1 FROM orders AS o
        WHERE o.reference = a.subject AND o.supplier = a.supplier AND o.pruned_at IS NOT NULL
    ))"""
_REJECTED: Final = """
    SELECT id, length(sealed), received_at FROM rejected INDEXED BY rejected_by_time
    WHERE received_at >= :since AND received_at <= :to"""

_LEAVE: Final = """
    UPDATE orders SET pruned_at = :now, version = version + 1, due_at = NULL, ask_at = NULL, released = NULL,
        paid_amount = NULL, paid_currency = NULL, next_ask_at = NULL, ask_claim = NULL, ask_note = NULL,
        ended_as = NULL, ended_at = NULL, late_at = NULL,
        remains = (
            SELECT group_concat(kind || ' ' || state || ', webhook-id ' || id, '; ') FROM actions
            WHERE subject = orders.reference AND supplier = orders.supplier AND kind IN ('deliver', 'refund')
        )
    WHERE rowid IN (SELECT value FROM json_each(:rows))"""
_DROP_ITEMS: Final = "DELETE FROM items WHERE reference = ? AND supplier = ?"
_DROP_ACTIONS_OF: Final = "DELETE FROM actions WHERE subject = ? AND supplier = ?"
_COUNT_ACTIONS_OF: Final = "SELECT count(*) FROM actions WHERE subject = ? AND supplier = ?"
_KEEP_REVEALS: Final = """
    INSERT INTO reveals (supplier, reference, at, who, reason)
    SELECT e.supplier, e.reference, r.at, r.who, 'event ' || e.id || ' as it came: ' || r.reason
    FROM event_reveals AS r JOIN events AS e ON e.id = r.event_id
    WHERE r.event_id IN (SELECT value FROM json_each(?))"""
_DROP_EVENTS: Final = "DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))"
_DROP_ACTIONS: Final = "DELETE FROM actions WHERE rowid IN (SELECT value FROM json_each(?))"
_DROP_REJECTED: Final = "DELETE FROM rejected WHERE id IN (SELECT value FROM json_each(?))"

_ROW_BYTES: Final = 400
"""About what a row takes beside what is measured of it, its place in the indexes included."""
_ORDER_BYTES: Final = 1_500
"""About what an order's items, actions and attempts take."""
_STEP_BYTES: Final = 1 << 20
"""Of one transaction: what goes is overwritten, page by page in the WAL, for which a full disk has little room."""


@dataclass(frozen=True, slots=True)
class Span:
    """What pruning is to take: what ended before `before`, about `limit` rows in one transaction."""

    before: int
    now: int
    limit: int


def _take_orders(raw: "Raw", rows: Sequence[Any], span: Span) -> Pruned:
    keys = [row[1:3] for row in rows]
    raw.execute(_LEAVE, {"now": span.now, "rows": _listed(rows)})
    raw.executemany(_DROP_ITEMS, keys)
    actions = raw.executemany(_DROP_ACTIONS_OF, keys).rowcount  # with their attempts
    return Pruned(None, orders=len(rows), actions=actions, bytes=len(rows) * _ORDER_BYTES)


def _count_orders(raw: "Raw", rows: Sequence[Any], _span: Span) -> Pruned:
    actions = sum(raw.execute(_COUNT_ACTIONS_OF, row[1:3]).fetchone()[0] for row in rows)
    return Pruned(None, orders=len(rows), actions=actions, bytes=len(rows) * _ORDER_BYTES)


def _take_events(raw: "Raw", rows: Sequence[Any], span: Span) -> Pruned:
    listed = _listed(rows)
    raw.execute(_KEEP_REVEALS, (listed,))
    raw.execute(_DROP_EVENTS, (listed,))  # with which orders they named; their keys stay
    return _count_events(raw, rows, span)


def _count_events(_raw: "Raw", rows: Sequence[Any], _span: Span) -> Pruned:
    return Pruned(None, events=len(rows), bytes=_size(rows))


def _take_actions(raw: "Raw", rows: Sequence[Any], span: Span) -> Pruned:
    raw.execute(_DROP_ACTIONS, (_listed(rows),))
    return _count_actions(raw, rows, span)


def _count_actions(_raw: "Raw", rows: Sequence[Any], _span: Span) -> Pruned:
    return Pruned(None, actions=len(rows), bytes=_size(rows))


def _take_rejected(raw: "Raw", rows: Sequence[Any], span: Span) -> Pruned:
    raw.execute(_DROP_REJECTED, (_listed(rows),))
    return _count_rejected(raw, rows, span)


def _count_rejected(_raw: "Raw", rows: Sequence[Any], _span: Span) -> Pruned:
    return Pruned(None, rejected=len(rows), bytes=_size(rows))


_Step: TypeAlias = "Callable[[Raw, Sequence[Any], Span], Pruned]"


@dataclass(frozen=True, slots=True)
class _Walk:
    """A table, walked in the order of one of its indexes."""

    place: str
    """Where its times are found: the table, its index and what the index is of."""
    time: str
    pick: str
    take: _Step
    planned: str
    count: _Step
    is_sized: bool = True
    """A row that is picked says how long it is and of when; what an order takes is little."""

    @property
    def end(self) -> str:
        """Select the time up to which there are `limit` rows; those of the same moment come along."""
        return (
            f"SELECT {self.time} FROM {self.place} AND {self.time} >= :since AND {self.time} < :before "  # noqa: S608 - our own words
            f"ORDER BY {self.time} LIMIT 1 OFFSET :limit - 1"
        )


_ANY: Final = "WHERE 1"
_HANDLED: Final = "events INDEXED BY events_by_time WHERE state <> 'queued'"
# Orders first: what belongs to them can go once they have.
_WALKS: Final = (
    _Walk(
        "orders INDEXED BY orders_ended WHERE ended_at IS NOT NULL",
        "ended_at",
        _ORDERS,
        _take_orders,
        _ORDERS,
        _count_orders,
        is_sized=False,
    ),
    _Walk(
        _HANDLED,
        "received_at",
        _EVENTS.format(stays=_STAYS),
        _take_events,
        _EVENTS.format(stays=_WILL_STAY),
        _count_events,
    ),
    _Walk(
        f"actions INDEXED BY actions_by_time {_ANY}", "created_at", _ACTIONS, _take_actions, _ACTIONS, _count_actions
    ),
    _Walk(
        f"rejected INDEXED BY rejected_by_time {_ANY}",
        "received_at",
        _REJECTED,
        _take_rejected,
        _REJECTED,
        _count_rejected,
    ),
)


def prune(connection: Connection, after: PruneMark | None, span: Span, *, plan: bool) -> Pruned:
    """Take the next of what ended before `span.before`; see the port."""
    number, since = after or (0, 0)
    walk = _WALKS[number]
    names = {"since": since, "before": span.before, "limit": span.limit}
    with connection.reading() as raw:  # what stays is only looked at: nobody need wait for that
        found = raw.execute(walk.end, names).fetchone()
        names["to"] = span.before - 1 if found is None else int(found[0])
        rows = raw.execute(walk.planned if plan else walk.pick, names).fetchall()
        took = walk.count(raw, rows, span)
    is_end = found is None
    if walk.is_sized and not plan and (far := _as_far(rows)) is not None:
        names["to"], is_end = far, False
    if rows and not plan:
        with connection.writing() as raw:  # picked again: what moved in between stays
            took = walk.take(raw, raw.execute(walk.pick, names).fetchall(), span)
    mark: PruneMark | None = (number, names["to"] + 1)
    if is_end:
        mark = (number + 1, 0) if number + 1 < len(_WALKS) else None
    return Pruned(mark, took.orders, took.events, took.actions, took.rejected, took.bytes)


def _as_far(rows: Sequence[Any]) -> int | None:
    """Return the time up to which rows of id, size and time are enough for one transaction; None for all of them."""
    total, last = 0, None
    for _, size, at in sorted(rows, key=lambda row: int(row[2])):
        if total > _STEP_BYTES and at != last:
            return last
        total, last = total + size, int(at)
    return None


def reclaim(connection: Connection, pages: int) -> int:
    """Give free pages back; what is moved into their place is written like any other page."""
    with connection.reading() as raw:
        (free,) = raw.execute("PRAGMA freelist_count").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    if not free:
        return 0
    with connection.writing() as raw:
        raw.execute(f"PRAGMA incremental_vacuum({pages:d})").fetchall()  # each row read is a page given back
        (left,) = raw.execute("PRAGMA freelist_count").fetchone()
    connection.checkpoint()  # the file only gets shorter now, and on a full disk the WAL may not grow
    return max(int(free - left) * int(size), 0)


def _listed(rows: Sequence[Any]) -> str:
    return json.dumps([row[0] for row in rows])


def _size(rows: Sequence[Any]) -> int:
    return sum(int(row[1]) + _ROW_BYTES for row in rows)
