"""Stores with something in them, and ways to damage them."""

import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.store.building import NOW, action, application, claim_events, order, rejection, verified, with_code
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.adapters.store_sqlite.connection import connect
from webhookctl.core.orders import ActionKind, Move
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.quarantine import Bounds

PAGE: Final = 4096


def fill(path: Path, cipher: Cipher, orders: int = 60) -> Path:
    """Make a store with `orders` fulfilled orders, as many events and deliveries, and something rejected; closed."""
    with closing(open_store(path, cipher, create=True)) as store:
        put_orders(store, orders)
        store.quarantine.keep([rejection(number) for number in range(5)], Bounds(), now=NOW)
    return path


def put_orders(store: SqliteStore, orders: int, *, first: int = 1) -> None:
    """Take events in, each of which fulfils an order of its own."""
    store.intake.accept([verified(first + number, body=bytes(500)) for number in range(orders)])
    for claimed in claim_events(store, limit=orders):
        of = with_code(order(f"ORD-{claimed.event.id}"), "CODE-1", "PIN-1")
        moves = Move(of, (action(of=of), action(ActionKind.NOTIFY, of=of)))
        key = f"key {claimed.event.id}".encode()
        store.events.apply([application(claimed, moves, of=of, key=key)], now=NOW)


def leave_as_killed(path: Path, cipher: Cipher, events: int = 40) -> Path:
    """Put the store into the state of a killed process's: the newest commits are in its journal alone."""
    with closing(open_store(path, cipher, create=True)) as store:
        for number in range(events):
            store.intake.accept([verified(1000 + number, body=bytes(3000))])
        left = {one: one.read_bytes() for one in path.parent.glob(f"{path.name}*")}
    for one, content in left.items():
        one.write_bytes(content)
    return path.with_name(f"{path.name}-wal")


def root_page(path: Path, cipher: Cipher, name: str) -> int:
    """Return where the tree of a table or an index begins."""
    with closing(open_store(path, cipher, create=False)) as store, store.connection.reading() as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return int(page)


def garble(path: Path, at: int, with_: bytes) -> None:
    """Write over some bytes."""
    content = bytearray(path.read_bytes())
    content[at : at + len(with_)] = with_
    path.write_bytes(bytes(content))


def garble_page(path: Path, page: int) -> None:
    """Make nonsense of the head of a page."""
    garble(path, (page - 1) * PAGE, b"\xa5" * 64)


def first_leaf(path: Path, page: int) -> int:
    """Follow the first pointers of a tree down to a leaf."""
    content = path.read_bytes()
    while True:
        start = (page - 1) * PAGE
        kind = content[start]
        if kind in {10, 13}:
            return page
        (cell,) = struct.unpack_from(">H", content, start + 12)
        (page,) = struct.unpack_from(">I", content, start + cell)


def _header(path: Path, _: Cipher) -> None:
    garble(path, 0, b"\xff" * 40)


def _interior(path: Path, cipher: Cipher) -> None:
    garble_page(path, root_page(path, cipher, "events"))


def _leaf(path: Path, cipher: Cipher) -> None:
    garble_page(path, first_leaf(path, root_page(path, cipher, "events")))


def _index(path: Path, cipher: Cipher) -> None:
    garble_page(path, first_leaf(path, root_page(path, cipher, "events_by_time")))


def _cut(path: Path, _: Cipher) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 100])


def _emptied(path: Path, _: Cipher) -> None:
    path.write_bytes(b"")


def _text(path: Path, _: Cipher) -> None:
    path.write_bytes(b"hello, this is no database\n" * 500)


DAMAGES: Final[dict[str, Callable[[Path, Cipher], None]]] = {
    "header": _header,
    "interior page": _interior,
    "leaf of events": _leaf,
    "leaf of an index": _index,
    "cut short": _cut,
    "emptied": _emptied,
    "no database": _text,
}
"""What is done to a store that is closed."""


def mistype(path: Path, table: str, statement: str) -> None:
    """Change a row as a flipped byte may: to a value of a type that its table, which is strict, does not take."""
    with closing(connect(path, "mode=rw")) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        (strict,) = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        change = "UPDATE sqlite_master SET sql = ? WHERE name = ?"
        raw.execute(change, (strict.removesuffix("STRICT"), table))
        with closing(connect(path, "mode=rw")) as lax:
            assert lax.execute(statement).rowcount == 1
        raw.execute(change, (strict, table))
