"""How fast is a delivery durable? `python -m tests.benchmarks.ingest [--seconds 5] [--connections 1,16,64]`.

Three servers in turn, each a process, the load another: (a) the same uvicorn doing nothing, (b) ours with a commit for
each request, (d) ours as it is, bodies encrypted, without a worker. Every 200 is counted in the store afterwards.
"""

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

_ROUNDS: Final = 3
_SERVERS: Final = {
    "(a) uvicorn, doing nothing": None,
    "(b) a commit per request": ("--max-batch", "1"),
    "(d) ours": (),
}
_BARE, *_ = _SERVERS


@contextmanager
def server(*arguments: str) -> Iterator[int]:
    """Run one, and return its port."""
    command = [sys.executable, "-m", "tests.benchmarks.served", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def load(port: int, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(connections), str(seconds)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own module
    result: dict[str, Any] = json.loads(found)
    return result


def measure(name: str, folder: Path, connections: int, seconds: float) -> dict[str, Any]:
    """Measure one server with a store of its own; what it answered 200 must be in there."""
    options = _SERVERS[name]
    if options is None:
        with server("bare") as port:
            return load(port, connections, seconds)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        store = Path(own) / "store.db"
        with server(str(store), *options) as port:
            result = load(port, connections, seconds)
        with closing(sqlite3.connect(store)) as raw:
            (rows,) = raw.execute("SELECT count(*) FROM events").fetchone()
    answered = result["statuses"].get("200", 0)
    if rows != answered:
        sys.exit(f"{name}: {answered} answered 200, {rows} in the store")
    return result | {"rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="per server and number of connections, in all")
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    print(f"{'':28} {'conns':>5} {'requests/s':>10} {'of (a)':>7} {'p50 ms':>8} {'p99 ms':>8}")
    acknowledged = 0
    for connections in map(int, chosen.connections.split(",")):
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in _SERVERS}
        for _ in range(_ROUNDS):  # in turn, so that a noisy minute of the machine is shared
            for name, found in results.items():
                found.append(measure(name, chosen.folder, connections, chosen.seconds / _ROUNDS))
        rate = {name: _median(found, "rate") for name, found in results.items()}
        for name, found in results.items():
            p50, p99 = 1000 * _median(found, "p50"), 1000 * _median(found, "p99")
            share = rate[name] / rate[_BARE]
            print(f"{name:28} {connections:5} {rate[name]:10,.0f} {share:7.2f} {p50:8.2f} {p99:8.2f}", flush=True)
            acknowledged += sum(each.get("rows", 0) for each in found)
    print(f"All {acknowledged:,} deliveries that were answered 200 were found in their stores.")


def _median(found: list[dict[str, Any]], name: str) -> float:
    return float(sorted(each[name] for each in found)[len(found) // 2])


if __name__ == "__main__":
    main()
