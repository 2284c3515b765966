"""Rows of the orders and their items, written and read back."""

from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.store_sqlite.event_rows import queue_waiting
from webhookctl.adapters.store_sqlite.sealing import open_code, seal_code
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Item
from webhookctl.core.orders import Order, OrderStatus, Paid
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

COLUMNS: Final = (
    "supplier, reference, status, created_at, updated_at, version, order_id, due_at, fulfilled_at, ask_at, learned_by, "
    "held, paid_amount, paid_currency, released"
)
_INSERT: Final = f"""
    INSERT INTO orders ({COLUMNS}) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (reference, supplier) DO NOTHING"""  # noqa: S608 - our own words
_UPDATE: Final = """
    UPDATE orders SET status = ?, created_at = ?, updated_at = ?, version = version + 1, order_id = ?, due_at = ?,
        fulfilled_at = ?, ask_at = ?, learned_by = ?, held = ?, paid_amount = ?, paid_currency = ?,
        released = ?
    WHERE supplier = ? AND reference = ? AND version = ?"""
_SELECT: Final = f"SELECT {COLUMNS} FROM orders WHERE supplier = ? AND reference = ?"  # noqa: S608 - our own words
_ITEMS: Final = (
    "SELECT position, sku, code, pin, media_type FROM items WHERE supplier = ? AND reference = ? ORDER BY position"
)
_FORGET_ITEMS: Final = "DELETE FROM items WHERE supplier = ? AND reference = ?"
_ADD_ITEM: Final = """
    INSERT INTO items (supplier, reference, position, sku, code, pin, media_type) VALUES (?, ?, ?, ?, ?, ?, ?)"""


def save(raw: "sqlite3.Connection", cipher: Cipher, order: Order) -> bool:
    """Write `order` if the store still has it at `order.version`; False, and nothing written, where it moved on."""
    paid = (order.paid.amount, order.paid.currency) if order.paid else (None, None)
    times = (order.created_at, order.updated_at)
    rest = (
        order.order_id,
        order.due_at,
        order.fulfilled_at,
        order.ask_at,
        order.learned_by,
        order.held,
        *paid,
        order.released,
    )
    if order.version == 0:
        written = raw.execute(_INSERT, (*order.key, order.status, *times, *rest))
    else:
        written = raw.execute(_UPDATE, (order.status, *times, *rest, *order.key, order.version))
    if written.rowcount != 1:
        return False
    if load_items(raw, cipher, order.key) != order.items:
        raw.execute(_FORGET_ITEMS, order.key)
        raw.executemany(_ADD_ITEM, [_item_row(cipher, order, place) for place in range(len(order.items))])
    if order.order_id is not None:
        queue_waiting(raw, order.supplier, order.order_id)
    return True


def load(raw: "sqlite3.Connection", cipher: Cipher, key: tuple[str, str]) -> Order | None:
    """Return the order of this (supplier, reference), codes opened."""
    row = raw.execute(_SELECT, key).fetchone()
    return stored_order(row, load_items(raw, cipher, key)) if row else None


def load_items(raw: "sqlite3.Connection", cipher: Cipher, key: tuple[str, str]) -> tuple[Item, ...]:
    """Return the items of the order of this (supplier, reference), in their order, codes opened."""
    return tuple(
        Item(
            sku,
            open_code(cipher, code, (*key, position, "code")),
            open_code(cipher, pin, (*key, position, "pin")),
            media_type,
        )
        for position, sku, code, pin, media_type in raw.execute(_ITEMS, key)
    )


def stored_order(row: Any, items: tuple[Item, ...] = ()) -> Order:  # noqa: ANN401 - a row of `COLUMNS`
    """Make an order of a row."""
    return Order(
        supplier=row[0],
        reference=row[1],
        status=OrderStatus(row[2]),
        created_at=row[3],
        updated_at=row[4],
        version=row[5],
        order_id=row[6],
        due_at=row[7],
        fulfilled_at=row[8],
        ask_at=row[9],
        learned_by=Via(row[10]),
        held=row[11],
        paid=None if row[12] is None else Paid(row[12], row[13]),
        released=row[14],
        items=items,
    )


def _item_row(
    cipher: Cipher, order: Order, position: int
) -> tuple[str, str, int, str | None, bytes | None, bytes | None, str | None]:
    item = order.items[position]
    code = seal_code(cipher, item.code, (*order.key, position, "code"))
    pin = seal_code(cipher, item.pin, (*order.key, position, "pin"))
    return (*order.key, position, item.sku, code, pin, item.media_type)
