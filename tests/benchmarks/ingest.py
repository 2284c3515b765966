"""How fast is a delivery durable, beside what others would do? `python -m tests.benchmarks.ingest`.

(a) the same uvicorn answering 200 and doing nothing, (b) ours with a commit for each request, (c) FastAPI with
SQLAlchemy on SQLite, (d) ours as it is served, bodies encrypted, (d+) the same with the worker and a shop that answers
at once, (e) Fastify with better-sqlite3. Each in turn, a process of its own, the load another; then once more, and so
on: only the ratios within one run say something. Every 200 is counted in the store afterwards.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks.contenders import BARE, OURS, STORE, Contender, contenders
from tests.benchmarks.filling import fill

_WITNESS: Final = 64
"""Connections at which must hold what is asked for."""
_ASKED: Final = {"a": 0.40, "b": 4.0, "c": 18.0, "e": 4.5}
"""How many times as fast as this (d) must be."""
_P99_MS: Final = 20.0
_WITH_ROWS: Final = 0.9


@dataclass
class Figures:
    """What was measured of one contender at one number of connections, a value per round."""

    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    answered: int = 0

    def add(self, load: dict[str, Any], rss_mb: float) -> None:
        self.rates.append(load["rate"])
        self.p50.append(1000 * load["p50"])
        self.p99.append(1000 * load["p99"])
        self.rss_mb.append(rss_mb)
        self.answered += load["statuses"]["200"]

    @property
    def rate(self) -> float:
        return median(self.rates)


def measure(contender: Contender, folder: Path, connections: int, seconds: float) -> tuple[dict[str, Any], float]:
    """Load a contender that stores in `folder`; what it answered 200 must be in there."""
    before = contender.stored(folder) if (folder / STORE).exists() else 0
    with contender.running(folder) as (pid, port):
        result = load(port, connections, seconds)
        rss_mb = resident_mb(pid)
    answered = result["statuses"].get("200", 0)
    if contender.stores and contender.stored(folder) - before != answered:
        sys.exit(f"{contender.name}: {answered} answered 200, {contender.stored(folder) - before} in the store")
    if result["statuses"].keys() != {"200"}:
        sys.exit(f"{contender.name}: {result['statuses']}; its log: {(folder / 'log').read_text()[-2000:]}")
    return result, rss_mb


def load(port: int, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(connections), str(seconds)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own module
    result: dict[str, Any] = json.loads(found)
    return result


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="per contender, number of connections and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", default="1,16,64,256")
    parser.add_argument("--only", default="", help="letters of the contenders to be measured, such as a,d")
    parser.add_argument("--rows", type=int, default=0, help="measure (d) also on a store that has so many already")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    parser.add_argument("--modules", type=Path, default=None, help="where Node's modules are, or shall be installed")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
        nullcontext(chosen.modules) if chosen.modules else tempfile.TemporaryDirectory() as modules,
    ):
        Path(modules).mkdir(exist_ok=True)
        wanted = {letter for letter in chosen.only.split(",") if letter}
        compare(contenders(wanted, Path(modules)), Path(folder), chosen)


def compare(some: list[Contender], folder: Path, chosen: argparse.Namespace) -> None:
    """Measure all of them at each number of connections, and say how they compare."""
    prepared = dict[Contender, Path]()
    if chosen.rows:
        grown = Contender("d|", f"ours, on {chosen.rows:,} rows", OURS.begin)
        prepared[grown] = Path(tempfile.mkdtemp(dir=folder))
        fill(prepared[grown] / STORE, chosen.rows, ends=time.time_ns() // 1_000_000)
        some = [*some, grown]
    print(f"{'':30} {'conns':>5} {'requests/s':>10} {'of (a)':>7} {'p50 ms':>8} {'p99 ms':>8} {'RSS MB':>7}")
    answered = 0
    for connections in map(int, chosen.connections.split(",")):
        figures = {one: Figures() for one in some}
        for _ in range(chosen.rounds):  # in turn, so that a noisy minute of the machine is shared
            for one, found in figures.items():
                with nullcontext(prepared[one]) if one in prepared else tempfile.TemporaryDirectory(dir=folder) as own:
                    found.add(*measure(one, Path(own), connections, chosen.seconds))
        for one, found in figures.items():
            share = f"{found.rate / figures[BARE].rate:7.2f}" if BARE in figures else f"{'':7}"
            p50, p99, rss = median(found.p50), median(found.p99), median(found.rss_mb)
            print(
                f"{one.name:30} {connections:5} {found.rate:10,.0f} {share} {p50:8.2f} {p99:8.2f} {rss:7.0f}",
                flush=True,
            )
            answered += found.answered if one.stores else 0
        if connections == _WITNESS and OURS in figures:
            judge({one.letter: found for one, found in figures.items()})
    print(f"All {answered:,} deliveries that were answered 200 were found in their stores.")


def judge(figures: dict[str, Figures]) -> None:
    """Say whether (d) is as fast as it must be, by the medians at `_WITNESS` connections."""
    ours = figures["d"]
    for letter, times in _ASKED.items():
        if letter in figures:
            ratio = ours.rate / figures[letter].rate
            say(f"(d) is {ratio:.2f} times as fast as ({letter})", times, ratio)
    if "d|" in figures:
        ratio = figures["d|"].rate / ours.rate
        say(f"on many rows it is {ratio:.2f} times as fast", _WITH_ROWS, ratio)
    p99 = median(ours.p99)
    say(f"its p99 is {p99:.1f} ms", _P99_MS, p99, at_most=True)


def say(words: str, asked: float, found: float, *, at_most: bool = False) -> None:
    holds = found <= asked if at_most else found >= asked
    print(f"    {words}; asked for: {'≤' if at_most else '≥'} {asked:g}: {'holds' if holds else 'DOES NOT HOLD'}")


if __name__ == "__main__":
    main()
