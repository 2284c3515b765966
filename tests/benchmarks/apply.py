"""How fast does a stored event become what follows from it? `python -m tests.benchmarks.apply [--sizes 100000,…]`.

For each size: a store that holds so many events already (see `tests.benchmarks.fill`); then events that were just taken
in, a `created` and a `fulfilled` of each order, applied as the worker does it. The stores take turns. Stores that are
there already are named by --stores; they keep what is applied.
"""

import argparse
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Final

import uuid_utils

from tests.benchmarks.filling import fill
from tests.benchmarks.served import KEY
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import Policy
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.suppliers import preset

_PADDING: Final = "x" * 250
_LINE_OF_INTAKE: Final = 256


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
    return Verified(Delivery("acme", body.encode(), headers, _now(), uuid_utils.uuid7().bytes), "env:S")


def rate(store: SqliteStore, events: int, tag: str, batch: int) -> tuple[float, float]:
    """Apply `events` new events and return how many it was a second, and a second of processor time.

    The second tells what the work costs, on a disk or a machine that others use as well.
    """
    places = Mapping.parse(preset("generic")["map"])
    apply = Apply(store.events, store.orders, {"acme": Supplier(places, Policy(sla_ms=900_000))})
    while apply.run(now=_now(), limit=batch):  # what was queued before
        pass
    arrive(store, events, tag)
    began, spent, done = time.perf_counter(), time.process_time(), 0
    while applied := len(apply.run(now=_now(), limit=batch)):
        done += applied
    assert done == events, f"{done} of {events} were applied"
    return events / (time.perf_counter() - began), events / (time.process_time() - spent)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _filled(path: Path, size: int) -> Path:
    fill(path, size, ends=_now())
    return path


def _held(store: SqliteStore) -> int:
    """Return how many events there are."""
    with store.connection.reading() as raw:
        return int(raw.execute("SELECT count(*) FROM event_keys").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100000,1000000", help="events that the store holds before")
    parser.add_argument(
        "--stores", default="", help="files of `tests.benchmarks.fill` to be used instead, smallest first"
    )
    parser.add_argument("--events", type=int, default=20_000, help="that are applied in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=Apply.BATCH)
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, ExitStack() as opened:
        names = [Path(name) for name in chosen.stores.split(",") if name] or [
            _filled(Path(folder) / f"{size}.db", int(size)) for size in chosen.sizes.split(",")
        ]
        stores = [opened.enter_context(closing(open_store(name, AesGcmCipher([KEY]), create=False))) for name in names]
        compare(stores, chosen.rounds, chosen.events, chosen.batch)


def compare(stores: Sequence[SqliteStore], rounds: int, events: int, batch: int) -> None:
    """Measure the stores in turn, so that a noisy minute of the machine is shared, and say how the last compares."""
    tag = secrets.token_hex(4)
    sizes = list(map(_held, stores))
    found: list[list[tuple[float, float]]] = [[] for _ in stores]
    for number in range(rounds):
        for rates, store in zip(found, stores, strict=True):
            rates.append(rate(store, events, f"{tag}-{number}", batch))
    print(f"{'events in the store':>20} {'applied/s (median)':>20} {'per CPU second':>16} {'rounds':>24}")
    medians = [tuple(map(median, zip(*rates, strict=True))) for rates in found]
    for size, (wall, cpu), rates in zip(sizes, medians, found, strict=True):
        told = " ".join(f"{one:,.0f}" for one, _ in rates)
        print(f"{size:>20,} {wall:>20,.0f} {cpu:>16,.0f} {told:>24}")
    wall, cpu = (last / first for last, first in zip(medians[-1], medians[0], strict=True))
    print(f"growth: {wall:.2f} of the speed of the first, {cpu:.2f} a second of processor time")


if __name__ == "__main__":
    main()
