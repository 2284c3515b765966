"""How fast is handled again, and what does that cost live work? `python -m tests.benchmarks.replay [--events 100000]`.

First on a store that nobody else uses: events that nobody could apply (their supplier was not in the settings), handled
again, and then all of them once more, when nothing is left to do. Then `webhookctl serve` takes deliveries at a steady
rate (or, by `--connections`, as fast as it answers), in turn alone and while `webhookctl replay missing` goes over so
many others.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks.apply import arrive
from tests.benchmarks.contenders import STORE, WITH_WORKER
from tests.benchmarks.served import KEY, SECRET
from tests.e2e.program import until
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.judging import Judge
from webhookctl.flows.replay import Pace, Replay, Tally, selected
from webhookctl.suppliers import preset

_ASKED_RATE: Final = 3_000
_ASKED_TIMES: Final = 1.5
_ALL: Final = EventQuery(limit=1 << 40)
_PART: Final = 10_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def leave_unapplied(store: SqliteStore, events: int, tag: str) -> None:
    """Take in events, two of each order, and have each set aside as its supplier is not known."""
    for at in range(0, events, _PART):
        arrive(store, min(_PART, events - at), f"{tag}-{at}")
        while Apply(store.events, store.orders, {}).run(now=now_ms()):
            pass


def rate(store: SqliteStore, *, missing: bool) -> tuple[float, Tally]:
    """Handle again what is in the store and return how many events it was a second."""
    supplier = Supplier(Mapping.parse(preset("generic")["map"]), Policy(sla_ms=900_000))
    replay = Replay(store.events, Judge(store.events, store.orders, {"acme": supplier}))
    tally, began = Tally(), time.perf_counter()
    events = selected(store.events, _ALL, newest=store.feed.newest(), missing=missing)
    replay.run(events, tally, clock=now_ms, pace=Pace(store.feed.newest), advance=lambda _: None)
    return tally.events / (time.perf_counter() - began), tally


def alone(folder: Path, events: int, rounds: int) -> float:
    """Measure on a store that nobody else uses; returns the rate of applying."""
    applied, already = list[float](), list[float]()
    for number in range(rounds):
        path = folder / f"alone-{number}.db"
        with closing(open_store(path, AesGcmCipher([KEY]), create=True)) as store:
            leave_unapplied(store, events, "R")
            first, done = rate(store, missing=True)
            second, nothing = rate(store, missing=False)
        if (done.counts()["apply"], nothing.counts()["already_applied"]) != (events, events):
            sys.exit(f"{done.counts()}, then {nothing.counts()}")
        applied.append(first)
        already.append(second)
    print(f"applied again: {median(applied):,.0f} events/s; nothing left to do: {median(already):,.0f} events/s")
    return median(applied)


@contextmanager
def replaying(folder: Path, *words: str, shows: str) -> Iterator[None]:
    """Run `replay` with these words beside what the block does, which begins when it shows that it is under way."""
    environ = os.environ | {"ACME_SECRET": SECRET.decode(), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "webhookctl", "replay", *words, "--yes"]
    said = folder / "replayed"
    with said.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=out)  # noqa: S603 - ours
    try:
        until(lambda: shows in said.read_text() or process.poll() is not None, "it is under way", 600)
        yield
        if process.poll() is not None:
            sys.exit(f"The replay ended before the load did: {said.read_text()[-500:]}; have more events replayed.")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def load(port: int, chosen: argparse.Namespace) -> dict[str, Any]:
    module, amount = ("load", chosen.connections) if chosen.connections else ("paced", chosen.rate)
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", str(port), str(amount), str(chosen.seconds)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own module
    result: dict[str, Any] = json.loads(found)
    if set(result["statuses"]) != {"200"}:
        sys.exit(f"{result['statuses']} were answered")
    return result


def beside(port: int, chosen: argparse.Namespace, replay: Callable[[], AbstractContextManager[None]]) -> float:
    """Measure the p99 of deliveries without a replay and with one, in turn; returns how many times it is as long."""
    p99s = {"alone": list[float](), "beside a replay": list[float]()}
    load(port, chosen)  # the first seconds of a process are not what is measured
    for _ in range(chosen.rounds):
        p99s["alone"].append(load(port, chosen)["p99"])
        with replay():
            p99s["beside a replay"].append(load(port, chosen)["p99"])
    for name, found in p99s.items():
        print(f"{name:16} p99 {1000 * median(found):6.2f} ms ({', '.join(f'{1000 * one:.2f}' for one in found)})")
    return median(p99s["beside a replay"]) / median(p99s["alone"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="that are handled again beside live work")
    parser.add_argument("--few", type=int, default=20_000, help="that are handled again alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=200.0, help="deliveries a second, beside the replay")
    parser.add_argument("--connections", type=int, default=0, help="as fast as it is answered, on so many, instead")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as place:
        folder = Path(place)
        applied = alone(folder, chosen.few, chosen.rounds)
        with closing(open_store(folder / STORE, AesGcmCipher([KEY]), create=True)) as store:
            leave_unapplied(store, chosen.events, "L")
        with WITH_WORKER.running(folder) as (_, port):
            times = beside(port, chosen, partial(replaying, folder, "missing", shows="events, from"))
    print(f"{applied:,.0f} events/s; asked for: ≥ {_ASKED_RATE:,}: {_verdict(applied >= _ASKED_RATE)}")
    print(f"p99 {times:.2f} times as long; asked for: ≤ {_ASKED_TIMES:g}: {_verdict(times <= _ASKED_TIMES)}")


def _verdict(holds: bool) -> str:  # noqa: FBT001 - what it says
    return "holds" if holds else "DOES NOT HOLD"


if __name__ == "__main__":
    main()
