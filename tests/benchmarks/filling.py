"""A store that has been in use for a year: what `shop` says of it, written into the real tables."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.benchmarks.served import KEY
from tests.benchmarks.shop import Rows, Shop, parts, rows
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store

STATEMENTS: Final = {
    "orders": "supplier, reference, status, created_at, updated_at, version, order_id, due_at, fulfilled_at, "
    "learned_by, held, ended_as, ended_at",
    "items": "supplier, reference, position, sku, code",
    "events": "id, supplier, received_at, via, delivery_id, matched, sealed, state, type, reference, order_id, "
    "occurred_at, error, duplicate_of",
    "event_keys": "supplier, key, event_id",
    "actions": "id, supplier, subject, kind, cause, state, created_at, attempts, next_at, finished_at, error, detail",
    "attempts": "action_id, number, ended_at, state, detail",
}
"""The columns of each table that are filled."""
_AT_ONCE: Final = 4_000
_AHEAD: Final = 3
"""Parts that are made while another is written: enough that neither waits, few enough to hold in memory."""
_CACHE_KIB: Final = 1 << 20
_IN_A_HURRY: Final = (
    "PRAGMA journal_mode = OFF",  # a fill that was cut short is thrown away
    "PRAGMA synchronous = OFF",
    "PRAGMA foreign_keys = OFF",  # holds by how the rows are made, and is checked by the test of the shape
    f"PRAGMA cache_size = -{_CACHE_KIB}",
)


def fill(
    path: Path, events: int, orders: int | None = None, *, ends: int, written: Callable[[int], None] = lambda _: None
) -> None:
    """Make a store at `path`, which must be new, of so many events and orders (three tenths of the events).

    `written` hears after each part how many events there are more. What was made of an interrupted fill is no store.
    """
    shop = Shop(events, orders or max(1, events * 3 // 10), ends)
    with closing(open_store(path, AesGcmCipher([KEY]), create=True)) as store:
        with store.connection.reading() as raw:
            pass
        for pragma in _IN_A_HURRY:
            raw.execute(pragma)
        for made in _made(shop, store.events.dedup_key):
            with store.connection.writing() as raw:
                for table, columns in STATEMENTS.items():
                    places = ", ".join("?" * (columns.count(",") + 1))
                    raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", getattr(made, table))  # noqa: S608 - above
            written(len(made.events))


def _made(shop: Shop, dedup_key: bytes) -> Iterator[Rows]:
    """Make the parts one after another, in a process beside the one that writes them."""
    ahead = deque["Future[Rows]"]()
    with ProcessPoolExecutor(max_workers=1) as other:
        for numbers in parts(shop.orders, _AT_ONCE):
            ahead.append(other.submit(_rows, shop, numbers, dedup_key))
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _rows(shop: Shop, numbers: range, dedup_key: bytes) -> Rows:
    return rows(shop, numbers, AesGcmCipher([KEY]), dedup_key)
