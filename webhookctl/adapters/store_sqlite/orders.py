"""The orders: fetched, listed, and the whole story of each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeVar

from webhookctl.adapters.store_sqlite import action_rows, event_rows, intervention_rows, order_rows
from webhookctl.adapters.store_sqlite.connection import Connection, IntegrityError
from webhookctl.adapters.store_sqlite.listing import Listing
from webhookctl.adapters.store_sqlite.moves import write_moves
from webhookctl.adapters.store_sqlite.odd_rows import readable
from webhookctl.core.errors import NotFoundError
from webhookctl.core.orders import ActionState, Move, NewAction, Order
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.orders import OrderQuery, Reveal, Story

_Key = TypeVar("_Key")

_REFERENCES_OF: Final = "SELECT reference FROM orders WHERE order_id = ? AND supplier = ? LIMIT 2"
_LISTING: Final = Listing(
    "orders",
    order_rows.COLUMNS,
    "created_at",
    "",
    (
        ("reference", "sqlite_autoindex_orders_1"),
        ("status", "orders_by_status"),
        ("supplier", "orders_by_supplier"),
    ),
    "orders_by_time",
)
_HELD: Final = replace(_LISTING, within="held IS NOT NULL", indexes=(), otherwise="orders_held")
_OVERDUE: Final = "due_at <= {at:d} AND status IN ('pending', 'partial')"
_EVENTS: Final = f"""
    SELECT {event_rows.COLUMNS} FROM events INDEXED BY events_by_reference
    WHERE supplier = ?1 AND reference = ?2
    UNION ALL
    SELECT {event_rows.COLUMNS} FROM events
    WHERE id IN (SELECT event_id FROM event_orders WHERE supplier = ?1 AND reference = ?2)
    ORDER BY received_at, id"""  # noqa: S608 - our own words
_ACTIONS: Final = f"""
    SELECT {action_rows.COLUMNS} FROM actions
    WHERE supplier = ? AND subject = ? ORDER BY created_at, rowid"""  # noqa: S608 - our own words
_ATTEMPTS: Final = f"""
    SELECT {action_rows.ATTEMPT_COLUMNS} FROM attempts
    WHERE action_id IN (SELECT id FROM actions WHERE supplier = ? AND subject = ?)
    ORDER BY ended_at, action_id, number"""  # noqa: S608 - our own words
_REVEALS: Final = """
    SELECT at, who, reason FROM reveals WHERE supplier = ?1 AND reference = ?2
    UNION ALL
    SELECT at, who, 'event ' || event_id || ' as it came: ' || reason FROM event_reveals WHERE event_id IN (
        SELECT id FROM events INDEXED BY events_by_reference WHERE supplier = ?1 AND reference = ?2
        UNION ALL
        SELECT event_id FROM event_orders WHERE supplier = ?1 AND reference = ?2
    ) ORDER BY at"""
_AT_ONCE: Final = 500
"""Keys of one statement: SQLite takes 32,766 values, and each count of them is a statement of its own to keep."""
_REVEAL: Final = "INSERT INTO reveals (supplier, reference, at, who, reason) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class SqliteOrders:
    """The orders, keyed by (supplier, reference)."""

    connection: Connection
    cipher: Cipher

    def get(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Order]:
        if not keys:
            return {}
        found: dict[tuple[str, str], Order] = {}
        with self.connection.reading() as raw:
            for some in _parts(keys):
                found |= order_rows.load_all(raw, self.cipher, some)
        return found

    def suppliers_of(self, references: Collection[str]) -> dict[str, tuple[str, ...]]:
        if not references:
            return {}
        found: dict[str, tuple[str, ...]] = {}
        with self.connection.reading() as raw:
            for some in _parts(references):
                for reference, supplier in raw.execute(_suppliers_of(len(some)), some):
                    found[reference] = (*found.get(reference, ()), supplier)
        return found

    def references_of(self, order_ids: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
        found = dict[tuple[str, str], tuple[str, ...]]()
        with self.connection.reading() as raw:
            for supplier, order_id in order_ids:
                found[supplier, order_id] = tuple(row[0] for row in raw.execute(_REFERENCES_OF, (order_id, supplier)))
        return {key: references for key, references in found.items() if references}

    def find(self, query: OrderQuery) -> list[Order]:
        filters = {"supplier": query.supplier, "status": query.status, "reference": query.reference}
        statement = _listing(query).select(filters, since=query.since, until=query.until, limit=query.limit)
        with self.connection.reading() as raw:
            return readable(self.connection, raw.execute(*statement), order_rows.stored_order)

    def story(self, supplier: str, reference: str) -> Story | None:
        key = (supplier, reference)
        with self.connection.reading() as raw:
            order = order_rows.load(raw, self.cipher, key)
            if order is None:
                return None
            return Story(
                order=order,
                events=readable(self.connection, raw.execute(_EVENTS, key), event_rows.listed_event),
                actions=readable(self.connection, raw.execute(_ACTIONS, key), action_rows.stored_action),
                attempts=readable(self.connection, raw.execute(_ATTEMPTS, key), action_rows.stored_attempt),
                reveals=[Reveal(*row) for row in raw.execute(_REVEALS, key)],
                interventions=intervention_rows.of_order(raw, key),
            )

    def asked(self, actions: Sequence[NewAction], *, now: int) -> list[ActionState | None]:
        if not actions:
            return []
        with self.connection.reading() as raw:
            return action_rows.asked(raw, actions, now=now)

    def write(self, moves: Sequence[Move], *, now: int) -> list[bool]:
        if not moves:
            return []
        moved = [(move, move.order.key if move.order else None) for move in moves]
        with self.connection.writing() as raw:
            raw.execute("SAVEPOINT moves")
            if write_moves(raw, self.cipher, moved, now=now):
                return [True] * len(moves)
            raw.execute("ROLLBACK TO moves")
            return [write_moves(raw, self.cipher, [one], now=now) for one in moved]

    def record_reveal(self, supplier: str, reference: str, reveal: Reveal) -> None:
        with self.connection.writing() as raw:
            try:
                raw.execute(_REVEAL, (supplier, reference, reveal.at, reveal.who, reveal.reason))
            except IntegrityError:
                raise NotFoundError(f"There is no order {reference} at {supplier}.") from None


def _parts(keys: Collection[_Key]) -> Iterator[tuple[_Key, ...]]:
    listed = tuple(keys)
    return (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE))


@lru_cache(256)
def _suppliers_of(count: int) -> str:
    listed = ", ".join("?" * count)
    return f"SELECT reference, supplier FROM orders WHERE reference IN ({listed}) ORDER BY 1, 2"  # noqa: S608 - ours


def _listing(query: OrderQuery) -> Listing:
    if query.reference is not None:
        return _LISTING
    if query.overdue_at is not None:
        within = _OVERDUE.format(at=query.overdue_at) + (" AND held IS NOT NULL" if query.held else "")
        return replace(_LISTING, within=within, indexes=(), otherwise="orders_due")
    return _HELD if query.held else _LISTING
