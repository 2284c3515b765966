"""What does a flood of forged requests cost? `python -m tests.benchmarks.quarantine [--seconds 10]`.

`webhookctl serve --no-worker`, as it is, takes signed deliveries at a steady rate: first alone, then while forged ones
come in at ten times the rate. Every signed one must be answered 200 and be in the store, its p99 may at most double,
and of the forged ones at most a hundred a second may be kept.
"""

import argparse
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from .served import KEY, SECRET

_SETTINGS: Final = """
[store]
url = "sqlite:shop.db"
keys = ["env:BENCH_KEY"]
[serve]
listen = "127.0.0.1:0"
[suppliers.acme]
preset = "generic"
secrets = ["env:BENCH_SECRET"]
"""
_MOST_ROWS_A_SECOND: Final = 100
_MOST_TIMES_SLOWER: Final = 2.0


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """Run the program in `folder`, and return its port."""
    (folder / "webhookctl.toml").write_text(_SETTINGS)
    environ = os.environ | {"BENCH_KEY": KEY.hex(), "BENCH_SECRET": SECRET.decode()}
    command = [sys.executable, "-m", "webhookctl", "--config", str(folder / "webhookctl.toml"), "serve", "--no-worker"]
    log = folder / "log"
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr, env=environ) as process:  # noqa: S603 - ours
        try:
            while (found := re.search(r"^Listening on \S+:(\d+)$", log.read_text(), re.MULTILINE)) is None:
                if process.poll() is not None:
                    sys.exit(log.read_text())
            yield int(found[1])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def begin(port: int, rate: float, seconds: float, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.benchmarks.paced", str(port), str(rate), str(seconds), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own module


def end(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    result: dict[str, Any] = json.loads(process.communicate()[0])
    return result


def measure(folder: Path, signed: float, forged: float, seconds: float) -> dict[str, Any]:
    """Measure one run in a folder of its own; `forged` may be none."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        with server(Path(own)) as port:
            end(begin(port, signed, 1))  # the first second of a process is not what is measured
            began = time.monotonic()
            flood = begin(port, forged, seconds, "--forged") if forged else None
            result = end(begin(port, signed, seconds))
            result["flood"] = end(flood) if flood else {"statuses": {}, "rate": 0.0}
        result["seconds"] = time.monotonic() - began  # the server's end is a part of it: what waited then is kept
        with closing(sqlite3.connect(Path(own) / "shop.db")) as raw:
            (result["events"],) = raw.execute("SELECT count(*) FROM events").fetchone()
            (result["kept"],) = raw.execute("SELECT count(*) FROM rejected").fetchone()
        result["log"] = (Path(own) / "log").stat().st_size
    return result


def faults(alone: dict[str, Any], flooded: dict[str, Any], signed: float, seconds: float) -> Iterator[str]:
    due = round(signed * seconds)
    for name, found in (("alone", alone), ("in the flood", flooded)):
        if found["statuses"] != {"200": due} or found["unsent"]:
            yield f"{name}: of {due} signed ones {found['statuses']} were answered, {found['unsent']} not sent"
        if found["events"] != due + round(signed):
            yield f"{name}: {found['events']} events in the store"
    if set(flooded["flood"]["statuses"]) != {"400"}:
        yield f"forged ones were answered {flooded['flood']['statuses']}"
    if flooded["kept"] > _MOST_ROWS_A_SECOND * (flooded["seconds"] + 2):
        yield f"{flooded['kept']} forged ones were kept in {flooded['seconds']:.1f} s"
    if flooded["p99"] > _MOST_TIMES_SLOWER * alone["p99"]:
        yield f"p99 went from {1000 * alone['p99']:.2f} to {1000 * flooded['p99']:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--signed", type=float, default=500.0, help="a second")
    parser.add_argument("--forged", type=float, default=5_000.0, help="a second")
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies: on the disk to be measured")
    chosen = parser.parse_args()
    alone = measure(chosen.folder, chosen.signed, 0, chosen.seconds)
    flooded = measure(chosen.folder, chosen.signed, chosen.forged, chosen.seconds)
    print(
        f"{'':14} {'signed/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'forged/s':>9} {'kept/s':>7} {'log B':>7}"
    )
    for name, found in (("alone", alone), ("in the flood", flooded)):
        p50, p99, longest = (1000 * found[key] for key in ("p50", "p99", "longest"))
        kept = found["kept"] / found["seconds"]
        print(
            f"{name:14} {found['rate']:9,.0f} {p50:8.2f} {p99:8.2f} {longest:8.2f} {found['flood']['rate']:9,.0f} "
            f"{kept:7.0f} {found['log']:7,}"
        )
    if wrong := list(faults(alone, flooded, chosen.signed, chosen.seconds)):
        sys.exit("; ".join(wrong))
    print("Every signed one was answered 200 and is in the store.")


if __name__ == "__main__":
    main()
