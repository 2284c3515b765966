"""What does encryption cost of durable ingest? `python -m tests.benchmarks.encryption [--rounds 5] [--seconds 1]`.

The store's intake with batches of deliveries as a busy receiver makes them, once with AES-256-GCM and once without,
in turn; each batch is on disk before the next. The cost is the median of what neighbouring rounds say, as a disk and
its neighbours have moods; the processor's time for one delivery has none.

With --through-receiver: `serve --no-worker` as it is, loaded over HTTP, with a key and without one, in turn.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

import uuid_utils

from tests.benchmarks.contenders import OURS, OURS_IN_CLEAR, Contender
from tests.benchmarks.ingest import load
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.ports.cipher import Cipher

_CIPHERS: Final[dict[str, Cipher]] = {"in clear": ClearCipher(), "AES-256-GCM": AesGcmCipher([bytes(range(32))])}
_HEADERS: Final = tuple((f"x-header-{number}".encode(), b"some value of a header") for number in range(8))


def rate(cipher: Cipher, folder: Path | None, seconds: float, size: int, batch: int) -> tuple[float, float]:
    """Return how many deliveries a second are durable in a new store, and the processor's microseconds for one."""
    body = b"x" * size
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        closing(open_store(Path(own) / "store.db", cipher, create=True)) as store,
    ):
        count, start, processor = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            now = time.time_ns() // 1_000_000
            deliveries = [Delivery("acme", body, _HEADERS, now, uuid_utils.uuid7().bytes) for _ in range(batch)]
            store.intake.accept([Verified(delivery, "env:ACME_SECRET") for delivery in deliveries])
            count += batch
        return count / (time.perf_counter() - start), (time.process_time() - processor) / count * 1e6


def served(contender: Contender, folder: Path | None, seconds: float, connections: int) -> tuple[float, float]:
    """Return how many deliveries a second are answered 200, and the server's microseconds of processor for one."""
    with tempfile.TemporaryDirectory(dir=folder) as own, contender.running(Path(own)) as (pid, port):
        before = _processor_s(pid)
        result = load(port, connections, seconds)
        spent = _processor_s(pid) - before
    if result["statuses"].keys() != {"200"}:
        sys.exit(f"{contender.name}: {result['statuses']}")
    return float(result["rate"]), spent / result["statuses"]["200"] * 1e6


def _processor_s(pid: int) -> float:
    # proc_pid_stat(5): the name in brackets may hold anything; utime and stime are the 12th and 13th after it.
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def through_receiver(chosen: argparse.Namespace) -> None:
    """Print a line for each number of connections."""
    print(f"{'conns':>5} {'in clear/s':>12} {'AES-256-GCM/s':>14} {'cost':>7} {'processor, µs each':>22} {'cost':>7}")
    for connections in (16, 64):
        pairs = [
            [served(one, chosen.folder, chosen.seconds, connections) for one in (OURS_IN_CLEAR, OURS)]
            for _ in range(chosen.rounds)
        ]
        cost = median(1 - ours / bare for (bare, _), (ours, _) in pairs)
        more = median(ours / bare - 1 for (_, bare), (_, ours) in pairs)
        (clear, clear_us), (rate_, us) = (
            tuple(map(median, zip(*found, strict=True))) for found in zip(*pairs, strict=True)
        )
        processor = f"{clear_us:.1f} and {us:.1f}"
        print(f"{connections:5} {clear:12,.0f} {rate_:14,.0f} {cost:7.1%} {processor:>22} {more:7.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--through-receiver", action="store_true", help="load the server over HTTP")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per round and cipher")
    parser.add_argument("--size", type=int, default=500, help="bytes of a body")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    if chosen.through_receiver:
        through_receiver(chosen)
    else:
        at_the_store(chosen)


def at_the_store(chosen: argparse.Namespace) -> None:
    """Print a line for each size of batches."""
    print(f"{'batch':>5} {'in clear/s':>12} {'AES-256-GCM/s':>14} {'cost':>7} {'processor, µs each':>22}")
    for batch in (1, 16, 64):
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in _CIPHERS}
        for _ in range(chosen.rounds):
            for name, cipher in _CIPHERS.items():
                rates[name].append(rate(cipher, chosen.folder, chosen.seconds, chosen.size, batch))
        clear, encrypted = rates.values()
        cost = median(1 - ours / bare for (bare, _), (ours, _) in zip(clear, encrypted, strict=True))
        (clear_rate, clear_us), (rate_, us) = (tuple(map(median, zip(*found, strict=True))) for found in rates.values())
        processor = f"{clear_us:.1f} and {us:.1f}"
        print(f"{batch:5} {clear_rate:12,.0f} {rate_:14,.0f} {cost:7.1%} {processor:>22}", flush=True)


if __name__ == "__main__":
    main()
