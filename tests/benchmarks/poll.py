"""How many orders a second are asked about, beside a bare loop of httpx doing nothing with what it hears.

python -m tests.benchmarks.poll
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport

from tests.polling.asking import api, asking, now_ms, poll_of
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.server.run import run as run_loop
from webhookctl.wiring.polling import run_polls

PLACES = {"order_id": "/id", "status": "/status"}
LISTING = {"ids": "/orders?ids={order_ids}", "page_size": 100, "map": {"each": "/orders/*", **PLACES}}
FILL = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :orders)
    INSERT INTO orders (supplier, reference, status, created_at, updated_at, version, order_id, learned_by)
    SELECT 'acme', 'R-' || n, CASE WHEN n % :stale_in = 0 THEN 'pending' ELSE 'fulfilled' END, :at + n, :at + n, 1,
        'S-' || n, 'webhook' FROM numbers"""


@contextmanager
def a_store(orders: int, stale_in: int = 1) -> Iterator[SqliteStore]:
    """Make a store of so many orders, each `stale_in`-th of which is stale."""
    with tempfile.TemporaryDirectory() as folder:
        cipher = AesGcmCipher([bytes(range(32))])
        with closing(open_store(Path(folder) / "shop.db", cipher, create=True)) as store:
            with store.connection.writing() as raw:
                raw.execute(FILL, {"orders": orders, "stale_in": stale_in, "at": now_ms() - 86_400_000})
            yield store


@contextmanager
def the_api() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.polled"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


async def bare(url: str, orders: int, concurrency: int) -> float:
    """Return the seconds that asking alone takes."""
    numbers = iter(range(1, orders + 1))
    async with httpx.AsyncClient(transport=AiohttpTransport()) as client:

        async def work() -> None:
            for number in numbers:
                (await client.get(f"{url}/orders/S-{number}")).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return time.perf_counter() - began


def polled(url: str, orders: int, **changes: object) -> float:
    """Return the seconds that a run takes, with all that it reads and writes."""
    with a_store(orders) as store:

        async def all_of_it() -> float:
            async with aclosing(Outbound()) as outbound:
                poll = poll_of(store, asking(api(url, map=PLACES, **changes), outbound), 600)
                began = time.perf_counter()
                await run_polls([poll], lambda _: None)
                assert poll.asked == orders, f"{poll.asked} of {orders} were asked about"
                return time.perf_counter() - began

        return run_loop(all_of_it())


def picking(orders: int) -> list[float]:
    """Return the milliseconds that it takes to pick 32 stale orders, ten times, and to find that there are none."""
    with a_store(orders, stale_in=20) as store:
        now = now_ms()

        def timed(supplier: str) -> float:
            def pick() -> object:
                return store.leases.stale_orders(supplier, older_than=now, now=now, limit=32)

            return best_of(pick, 10)

        return [timed("acme"), timed("other")]


def best_of(call: Callable[[], object], times: int) -> float:
    """Return the milliseconds of the quickest call."""
    took = list[float]()
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--million", type=int, default=1_000_000, help="orders to pick among; 0 leaves it out")
    chosen = parser.parse_args()
    orders = chosen.orders
    with the_api() as url:
        single = 0.0
        for concurrency in (1, 20, 100):
            alone = orders / run_loop(bare(url, orders, concurrency))
            ours = orders / polled(url, orders, concurrency=concurrency)
            single = max(single, ours)
            print(f"concurrency {concurrency:3}: {ours:6.0f} orders/s, bare {alone:6.0f}/s, {ours / alone:4.2f} of it")
        listed = 4 * orders / polled(url, 4 * orders, concurrency=4, list=LISTING)
        print(f"100 in one call: {listed:6.0f} orders/s, {listed / single:4.1f} times as many as one by one")
        took = polled(url, 300, concurrency=4, rate="50/s")
        print(f"a rate of 50/s:  {299 / took:6.2f} questions/s, {299 / took / 50:5.1%}")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most")
    if chosen.million:
        some, none = picking(chosen.million)
        print(f"picking among {chosen.million} orders: {some:.2f} ms for 32 stale ones, {none:.2f} ms for none")


if __name__ == "__main__":
    main()
