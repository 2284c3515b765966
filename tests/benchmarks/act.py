"""How fast are actions carried out? `python -m tests.benchmarks.act [--actions 2000] [--rounds 3]`.

A fast endpoint in a process of its own gets (a) the same documents, signed beforehand, from a bare loop of httpx over
the aiohttp transport, and (b) what `Act` makes of the actions of a store: claimed, read, signed, posted, settled
durably. The same concurrency, in turn.
"""

import argparse
import asyncio
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import uuid_utils
from httpx_aiohttp import AiohttpTransport

from tests.benchmarks.served import KEY
from webhookctl import suppliers
from webhookctl.adapters.action_http import HttpAction
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.events import Event, EventState, EventType, Item
from webhookctl.core.orders import ActionKind, Move, NewAction, Order, OrderStatus
from webhookctl.core.outcomes import ActionOutcome, Delivered
from webhookctl.core.ports.events import Application, ClaimedEvent
from webhookctl.core.ports.handler import Repeat
from webhookctl.core.redaction import Code
from webhookctl.core.retries import RetryPolicy
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.fanout import Job, fan_out
from webhookctl.flows.act import Act
from webhookctl.server.run import run

_CONCURRENCY: Final = 16
_ENDPOINT: Final = "tests.benchmarks.served"
_BATCH: Final = 500


def now() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def endpoint() -> Iterator[str]:
    """Run a server that answers 200 and does nothing."""
    command = [sys.executable, "-m", _ENDPOINT, "bare"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/webhooks/shop"
        finally:
            process.terminate()
            process.wait(30)


def fill(store: SqliteStore, count: int) -> None:
    """Put in orders, each with a code and a delivery that is due."""
    tag = secrets.token_hex(4)
    for first in range(0, count, _BATCH):
        moves = [_move(f"{tag}-{number:05}") for number in range(first, min(first + _BATCH, count))]
        store.intake.accept([Verified(Delivery("acme", b"{}", (), now(), uuid_utils.uuid7().bytes), "env:S")])
        (claimed,) = store.events.claim(now=now(), limit=1, lease_ms=60_000)
        assert isinstance(claimed, ClaimedEvent)
        event = Event("acme", EventType.FULFILLED, "ORD-1")
        application = Application(claimed.event.id, claimed.claim, EventState.DONE, event=event, moves=tuple(moves))
        store.events.apply([application], now=now())


def _move(name: str) -> Move:
    items = (Item("steam-20-usd", Code(f"XXXXX-{name}")),)
    order = Order("acme", f"ACT-{name}", OrderStatus.FULFILLED, now(), now(), fulfilled_at=now(), items=items)
    return Move(order, (NewAction("acme", order.reference, ActionKind.DELIVER, "order"),))


async def act(url: str, store: SqliteStore) -> float:
    """Carry out everything that is due; return how many a second were settled as done."""
    scheme = Scheme.parse(suppliers.scheme_of("standard-webhooks"))
    (key,) = scheme.keys([Secret(b"whsec_" + b"QUJD" * 10 + b"QUI=", "env:SHOP_SECRET")])
    done = list[ActionOutcome]()
    async with aclosing(Outbound()) as outbound:
        handler = HttpAction(url, scheme, key, Repeat.AT_LEAST_ONCE, RetryPolicy(), outbound, now)
        flow = Act(store.outbox, store.orders, {ActionKind.DELIVER: handler}, now, random.random)
        start = time.perf_counter()
        job = Job(flow.take, flow.call, flow.failed, flow.settle, done.append)
        await fan_out(job, concurrency=_CONCURRENCY, ahead=3 * _CONCURRENCY)  # as the worker does
        took = time.perf_counter() - start
    assert all(isinstance(outcome, Delivered) for outcome in done)
    return len(done) / took


async def bare(url: str, count: int) -> float:
    """Post `count` documents of the same length in a loop that does nothing else."""
    body, headers = b"x" * 480, {"webhook-id": "x" * 36, "webhook-signature": "v1," + "x" * 44}
    left = iter(range(count))
    async with httpx.AsyncClient(transport=AiohttpTransport(trust_env=False), trust_env=False) as client:

        async def post() -> None:
            for _ in left:
                (await client.post(url, content=body, headers=headers)).raise_for_status()

        start = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(_CONCURRENCY)))
        return count / (time.perf_counter() - start)


def measured(url: str, count: int, folder: Path | None) -> tuple[float, float]:
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        closing(open_store(Path(own) / "store.db", AesGcmCipher([KEY]), create=True)) as store,
    ):
        fill(store, count)
        return run(bare(url, count)), run(act(url, store))


def grown(url: str, count: int, path: Path) -> tuple[float, float]:
    """Return how many actions of a store that is there already a second takes, and a second of processor time."""
    with closing(open_store(path, AesGcmCipher([KEY]), create=False)) as store:
        run(act(url, store))  # what was due before
        fill(store, count)
        spent = time.process_time()
        rate = run(act(url, store))
        return rate, count / (time.process_time() - spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    parser.add_argument("--stores", default="", help="files of `tests.benchmarks.fill`, to see how their size tells")
    chosen = parser.parse_args()
    with endpoint() as url:
        if chosen.stores:
            compare(url, [Path(name) for name in chosen.stores.split(",")], chosen.actions, chosen.rounds)
        else:
            beside_bare([measured(url, chosen.actions, chosen.folder) for _ in range(chosen.rounds)])


def beside_bare(rounds: list[tuple[float, float]]) -> None:
    """Say how fast it was beside the bare loop."""
    loop, ours = (median(found) for found in zip(*rounds, strict=True))
    print(
        f"{_CONCURRENCY} at once, {os.cpu_count()} cores: bare loop {loop:,.0f}/s, act {ours:,.0f}/s: {ours / loop:.2f}"
    )


def compare(url: str, paths: list[Path], count: int, rounds: int) -> None:
    """Let the stores take turns; say how the last compares with the first."""
    found = [[grown(url, count, path) for path in paths] for _ in range(rounds)]
    medians = [tuple(map(median, zip(*rates, strict=True))) for rates in zip(*found, strict=True)]
    for path, (wall, cpu) in zip(paths, medians, strict=True):
        print(f"{path}: act {wall:,.0f}/s, {cpu:,.0f} per CPU second")
    wall, cpu = (last / first for last, first in zip(medians[-1], medians[0], strict=True))
    print(f"growth: {wall:.2f} of the speed of the first, {cpu:.2f} a second of processor time")


if __name__ == "__main__":
    main()
