"""Rows of the orders and their items, written and read back."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.store_sqlite.event_rows import queue_waiting
from webhookctl.adapters.store_sqlite.odd_rows import MISREAD, Kinds, check, odd, types
from webhookctl.adapters.store_sqlite.sealing import open_code, seal_code
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Item
from webhookctl.core.orders import Move, Order, OrderStatus, Paid
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

_WRITTEN_KINDS: Final[Kinds] = {
    "supplier": str,
    "reference": str,
    "status": OrderStatus,
    "created_at": int,
    "updated_at": int,
    "version": int,
    "order_id": str | None,
    "due_at": int | None,
    "fulfilled_at": int | None,
    "ask_at": int | None,
    "learned_by": Via,
    "held": str | None,
    "paid_amount": str | None,
    "paid_currency": str | None,
    "released": str | None,
}
_WRITTEN: Final = ", ".join(_WRITTEN_KINDS)
_KINDS: Final = {**_WRITTEN_KINDS, "pruned_at": int | None, "remains": str | None}
_TYPES: Final = types(_KINDS)
COLUMNS: Final = ", ".join(_KINDS)
_INSERT: Final = f"""
    INSERT INTO orders ({_WRITTEN}) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (reference, supplier) DO NOTHING"""  # noqa: S608 - our own words
_UPDATE: Final = """
    UPDATE orders SET status = ?, created_at = ?, updated_at = ?, version = version + 1, order_id = ?, due_at = ?,
        fulfilled_at = ?, ask_at = ?, learned_by = ?, held = ?, paid_amount = ?, paid_currency = ?,
        released = ?
    WHERE supplier = ? AND reference = ? AND version = ?"""
_SELECT: Final = f"SELECT {COLUMNS} FROM orders WHERE supplier = ? AND reference = ?"  # noqa: S608 - our own words
_SELECT_ALL: Final = f"""
    SELECT {", ".join(f"o.{name}" for name in COLUMNS.split(", "))} FROM wanted AS w CROSS JOIN orders AS o
    ON o.reference = w.reference AND o.supplier = w.supplier"""  # noqa: S608 - our own words
_ITEMS_OF_ALL: Final = """
    SELECT i.supplier, i.reference, i.position, i.sku, i.code, i.pin, i.media_type
    FROM wanted AS w CROSS JOIN items AS i
    ON i.reference = w.reference AND i.supplier = w.supplier ORDER BY i.reference, i.supplier, i.position"""
_ITEMS: Final = (
    "SELECT position, sku, code, pin, media_type FROM items WHERE supplier = ? AND reference = ? ORDER BY position"
)
# Looked up for each row that is read; to call the enum takes four times as long.
_STATUS: Final = {status.value: status for status in OrderStatus}
_VIA: Final = {via.value: via for via in Via}
_FORGET_ITEMS: Final = "DELETE FROM items WHERE supplier = ? AND reference = ?"
_ADD_ITEM: Final = """
    INSERT INTO items (supplier, reference, position, sku, code, pin, media_type) VALUES (?, ?, ?, ?, ?, ?, ?)"""


def save_moved(raw: "sqlite3.Connection", cipher: Cipher, moves: Sequence[Move]) -> bool:
    """Write the orders of `moves`, where the store still has each at its version; False where one has moved on.

    Then nothing was written of a single one, and some of several may have been.
    """
    orders = [move.order for move in moves if move.order is not None]
    new = [_inserted(order) for order in orders if order.version == 0]
    known = [_updated(order) for order in orders if order.version]
    if new and raw.executemany(_INSERT, new).rowcount != len(new):
        return False
    if known and raw.executemany(_UPDATE, known).rowcount != len(known):
        return False
    # Later moves of an order overwrite the items of earlier ones.
    items = {move.order.key: move.order for move in moves if move.order is not None and not move.keeps_items}
    if forgotten := [key for key, order in items.items() if order.version]:
        raw.executemany(_FORGET_ITEMS, forgotten)
    rows = [_item_row(cipher, order, place) for order in items.values() for place in range(len(order.items))]
    if rows:
        raw.executemany(_ADD_ITEM, rows)
    queue_waiting(raw, {(order.order_id, order.supplier) for order in orders if order.order_id is not None})
    return True


def _inserted(order: Order) -> tuple[object, ...]:
    return (*order.key, order.status, order.created_at, order.updated_at, *_rest(order))


def _updated(order: Order) -> tuple[object, ...]:
    return (order.status, order.created_at, order.updated_at, *_rest(order), *order.key, order.version)


def _rest(order: Order) -> tuple[object, ...]:
    paid = (order.paid.amount, order.paid.currency) if order.paid else (None, None)
    times = (order.due_at, order.fulfilled_at, order.ask_at)
    return (order.order_id, *times, order.learned_by, order.held, *paid, order.released)


def load_all(
    raw: "sqlite3.Connection", cipher: Cipher, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Order]:
    """Return those of the (supplier, reference) pairs that are known, codes opened."""
    values = tuple(chain.from_iterable(keys))
    rows = raw.execute(_wanted(_SELECT_ALL, len(keys)), values).fetchall()
    items: dict[tuple[str, str], list[Item]] = {}
    if rows:
        for supplier, reference, *row in raw.execute(_wanted(_ITEMS_OF_ALL, len(keys)), values):
            items.setdefault((supplier, reference), []).append(_stored_item(cipher, (supplier, reference), row))
    orders = (stored_order(row, tuple(items.get((row[0], row[1]), ()))) for row in rows)
    return {order.key: order for order in orders}


@lru_cache(512)
def _wanted(statement: str, count: int) -> str:
    return f"WITH wanted (supplier, reference) AS (VALUES {', '.join(['(?, ?)'] * count)}) {statement}"


def load(raw: "sqlite3.Connection", cipher: Cipher, key: tuple[str, str]) -> Order | None:
    """Return the order of this (supplier, reference), codes opened."""
    row = raw.execute(_SELECT, key).fetchone()
    return stored_order(row, load_items(raw, cipher, key)) if row else None


def load_items(raw: "sqlite3.Connection", cipher: Cipher, key: tuple[str, str]) -> tuple[Item, ...]:
    """Return the items of the order of this (supplier, reference), in their order, codes opened."""
    return tuple(_stored_item(cipher, key, row) for row in raw.execute(_ITEMS, key))


def _stored_item(cipher: Cipher, key: tuple[str, str], row: Any) -> Item:  # noqa: ANN401 - a row of `_ITEMS`
    position, sku, code, pin, media_type = row
    return Item(
        sku,
        open_code(cipher, code, (*key, position, "code")),
        open_code(cipher, pin, (*key, position, "pin")),
        media_type,
    )


def stored_order(row: Any, items: tuple[Item, ...] = ()) -> Order:  # noqa: ANN401 - a row of `COLUMNS`
    """Make an order of a row; raises `RowError`."""
    try:
        check(row, _TYPES)
        status, learned_by = _STATUS[row[2]], _VIA[row[10]]
    except MISREAD:
        raise odd(f"order {row[1]}", row, _KINDS) from None
    return Order(
        supplier=row[0],
        reference=row[1],
        status=status,
        created_at=row[3],
        updated_at=row[4],
        version=row[5],
        order_id=row[6],
        due_at=row[7],
        fulfilled_at=row[8],
        ask_at=row[9],
        learned_by=learned_by,
        held=row[11],
        paid=None if row[12] is None else Paid(row[12], row[13]),
        released=row[14],
        pruned_at=row[15],
        remains=row[16],
        items=items,
    )


def _item_row(
    cipher: Cipher, order: Order, position: int
) -> tuple[str, str, int, str | None, bytes | None, bytes | None, str | None]:
    item = order.items[position]
    code = seal_code(cipher, item.code, (*order.key, position, "code"))
    pin = seal_code(cipher, item.pin, (*order.key, position, "pin"))
    return (*order.key, position, item.sku, code, pin, item.media_type)
