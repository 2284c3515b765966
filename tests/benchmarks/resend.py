"""How fast are events sent elsewhere? `python -m tests.benchmarks.resend [--events 5000] [--rounds 3]`.

A fast endpoint in a process of its own gets (a) bodies of the same length from a bare loop of httpx over the aiohttp
transport, and (b) what `replay --to` makes of the events of a store: begun, opened, posted, their verdicts kept
durably; writing down beforehand what is to go and who sees it is told apart. The same concurrency, in turn.
"""

import argparse
import os
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import uuid_utils

from tests.benchmarks.act import bare, endpoint, now
from tests.benchmarks.contenders import STORE, WITH_WORKER
from tests.benchmarks.replay import beside, replaying
from tests.benchmarks.served import KEY
from tests.e2e.program import until
from webhookctl import wiring
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.config import Settings, make_demo
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import ReplayState
from webhookctl.server.run import run
from webhookctl.wiring import resending

_BATCH: Final = 500
_CONCURRENCY: Final = 16  # that of the bare loop
_BODY: Final = b'{"event":"order.fulfilled","data":{"note":"' + b"x" * 434 + b'"}}'
_HEADERS: Final = ((b"content-type", b"application/json"), (b"x-webhook-signature", b"sha256=" + b"0" * 64))


def fill(settings: Settings, count: int) -> None:
    """Put in events of the demo's supplier."""
    with wiring.store(settings, create=True) as store:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            store.intake.accept([Verified(_delivery(), "file:demo.secret") for _ in numbers])


def _delivery() -> Delivery:
    return Delivery("demo", _BODY, _HEADERS, now(), uuid_utils.uuid7().bytes)


def resend(settings: Settings, url: str, count: int, sign: str) -> tuple[float, float]:
    """Send all; return the seconds that writing them down took, and how many a second were sent after that."""
    wanted = resending.Wanted(url, sign, concurrency=_CONCURRENCY)
    began = list[float]()
    watch = resending.Watch(lambda _: None, lambda _: began.append(time.perf_counter()))
    way = resending.route(settings, wanted)
    start = time.perf_counter()
    ended = resending.begin(settings, wanted, way, [*range(1, count + 1)], Reveal(now(), "bench", "speed"), watch)
    took = time.perf_counter() - began[0]
    assert ended.counts == {ReplayState.TAKEN: count}
    return began[0] - start, count / took


def measured(url: str, count: int, sign: str, folder: Path | None) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        settings = make_demo(Path(own))
        fill(settings, count)
        return run(bare(url, count)), *resend(settings, url, count, sign)


def beside_sending(url: str, chosen: argparse.Namespace, folder: Path) -> None:
    """Tell the p99 of deliveries to `serve` without a replay of as many events as are asked for, and with one."""
    with closing(open_store(folder / STORE, AesGcmCipher([KEY]), create=True)) as store:
        for first in range(0, chosen.beside, _BATCH):
            deliveries = [_delivery() for _ in range(min(_BATCH, chosen.beside - first))]
            store.intake.accept([Verified(one._replace(supplier="acme"), "env:ACME_SECRET") for one in deliveries])
    words = ("all", "--to", url, "--reason", "speed")
    with WITH_WORKER.running(folder) as (_, port):
        until(lambda: not _queued(folder), "the worker has nothing left to do", 600)
        beside(port, chosen, partial(replaying, folder, *words, shows="taken"))


def _queued(folder: Path) -> int:
    with closing(open_store(folder / STORE, AesGcmCipher([KEY]), create=False)) as store:
        return store.reports.summary(now=now()).events.get("queued", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=int, default=100_000, help="events sent beside live work; 0 leaves it out")
    parser.add_argument("--seconds", type=float, default=5.0, help="of live work")
    parser.add_argument("--rate", type=float, default=200.0, help="live deliveries a second")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    chosen.connections = 0
    with endpoint() as url:
        for sign in (resending.AS_RECEIVED, resending.FRESH):
            rounds = [measured(url, chosen.events, sign, chosen.folder) for _ in range(chosen.rounds)]
            loop, before, ours = (median(found) for found in zip(*rounds, strict=True))
            print(
                f"{sign}, {_CONCURRENCY} at once, {os.cpu_count()} cores: bare loop {loop:,.0f}/s, replay "
                f"{ours:,.0f}/s: {ours / loop:.2f}; written down beforehand in {before:.2f} s"
            )
        if chosen.beside:
            with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
                beside_sending(url, chosen, Path(folder))


if __name__ == "__main__":
    main()
