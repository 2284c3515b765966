"""How fast does a stored event become what follows from it? `python -m tests.benchmarks.apply [--sizes 100000,…]`.

For each size: a store that holds so many events already, with their keys, orders, codes and actions; then events that
were just taken in, a `created` and a `fulfilled` of each order, applied as the worker does it.
"""

import argparse
import json
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

import uuid_utils

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import Policy
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.suppliers import preset

_KEY: Final = bytes(range(32))
_NOW: Final = 1_800_000_000_000
_PADDING: Final = "x" * 250
_LINE_OF_INTAKE: Final = 256
_PART: Final = 50_000
_FILL: Final = (
    """
    INSERT INTO events (supplier, received_at, via, delivery_id, matched, state, attempts, type, reference, order_id,
        occurred_at, sealed)
    SELECT 'acme', {now} + n, 'webhook', CAST(printf('%016d', n) AS BLOB), 'env:S', 'done', 1,
        iif(n % 2, 'order.fulfilled', 'order.created'), 'OLD-' || (n / 2), 'SUP-' || (n / 2), {now} + n, randomblob(700)
    FROM numbers""",
    "INSERT INTO event_keys (supplier, key, event_id) SELECT 'acme', randomblob(16), n + 1 FROM numbers",
    """
    INSERT INTO orders (supplier, reference, status, created_at, updated_at, version, order_id, due_at, fulfilled_at,
        learned_by)
    SELECT 'acme', 'OLD-' || (n / 2), 'fulfilled', {now} + n, {now} + n, 2, 'SUP-' || (n / 2), {now} + n, {now} + n,
        'webhook' FROM numbers WHERE n % 2""",
    """
    INSERT INTO items (supplier, reference, position, sku, code)
    SELECT 'acme', 'OLD-' || (n / 2), 0, 'STEAM-20-EUR', randomblob(60) FROM numbers WHERE n % 2""",
    """
    INSERT INTO actions (id, supplier, subject, kind, cause, state, detail, created_at, attempts, finished_at)
    SELECT printf('%08x-0000-7000-8000-000000000000', n), 'acme', 'OLD-' || (n / 2), 'deliver', 'order', 'done', '',
        {now} + n, 1, {now} + n FROM numbers WHERE n % 2""",
)


def fill(store: SqliteStore, size: int) -> None:
    """Put `size` events and all that they have caused into the store, some at a time."""
    with store.connection.reading() as raw:
        (there,) = raw.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    for first in range(there, size, _PART):
        numbers = (
            f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers "  # noqa: S608 - ints
            f"WHERE n + 1 < {min(first + _PART, size)}) "
        )
        with store.connection.writing() as raw:
            for statement in _FILL:
                raw.execute(numbers + statement.format(now=_NOW - size))


def arrive(store: SqliteStore, events: int, tag: str) -> None:
    """Take in new events, two of each order."""
    deliveries = [_delivery(f"{tag}-{n // 2}", fulfilled=n % 2 == 1) for n in range(events)]
    for at in range(0, events, _LINE_OF_INTAKE):
        store.intake.accept(deliveries[at : at + _LINE_OF_INTAKE])


def _delivery(reference: str, *, fulfilled: bool) -> Verified:
    word = "fulfilled" if fulfilled else "created"
    item = {"sku": "STEAM-20-EUR"} | ({"code": f"AAAAA-{reference}"} if fulfilled else {})
    data = {"order_id": f"SUP-{reference}", "reference": reference, "items": [item]}
    body = json.dumps({"event": f"order.{word}", "timestamp": "2026-05-01T10:00:00Z", "data": data, "p": _PADDING})
    headers = ((b"content-type", b"application/json"), (b"x-webhook-signature", b"sha256=" + b"0" * 64))
    return Verified(Delivery("acme", body.encode(), headers, _NOW, uuid_utils.uuid7().bytes), "env:S")


def rate(store: SqliteStore, events: int, tag: str, batch: int) -> tuple[float, float]:
    """Apply `events` new events and return how many it was a second, and a second of processor time.

    The second tells what the work costs, on a disk or a machine that others use as well.
    """
    arrive(store, events, tag)
    places = Mapping.parse(preset("generic")["map"])
    apply = Apply(store.events, store.orders, {"acme": Supplier(places, Policy(sla_ms=900_000))})
    began, spent, done = time.perf_counter(), time.process_time(), 0
    while applied := len(apply.run(now=_NOW, limit=batch)):
        done += applied
    assert done == events, f"{done} of {events} were applied"
    return events / (time.perf_counter() - began), events / (time.process_time() - spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100000,1000000", help="events that the store holds before")
    parser.add_argument("--events", type=int, default=20_000, help="that are applied in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=Apply.BATCH)
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    rates = dict.fromkeys(sizes, (0.0, 0.0))
    print(f"{'events in the store':>20} {'applied/s (median)':>20} {'per CPU second':>16} {'rounds':>24}")
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            path = Path(folder) / "shop.db"
            with closing(open_store(path, AesGcmCipher([_KEY]), create=True)) as store:
                fill(store, size)
                rounds = [rate(store, chosen.events, f"R{n}", chosen.batch) for n in range(chosen.rounds)]
        rates[size] = median(one for one, _ in rounds), median(one for _, one in rounds)
        told = " ".join(f"{one:,.0f}" for one, _ in rounds)
        print(f"{size:>20,} {rates[size][0]:>20,.0f} {rates[size][1]:>16,.0f} {told:>24}")
    if len(sizes) > 1:
        wall, cpu = (rates[max(sizes)][n] / rates[min(sizes)][n] for n in (0, 1))
        print(f"growth: {wall:.2f} of the speed at {min(sizes):,} events, {cpu:.2f} a second of processor time")


if __name__ == "__main__":
    main()
