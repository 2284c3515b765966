"""A process that keeps the store locked under load: `python -m tests.chaos.lock --seconds 60`."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.scene import scene
from tests.chaos.supplier import events_of

SUPPLIERS_PATIENCE_S: Final = 10.0
"""After which most suppliers hang up; they must have heard 503 by then."""
_ORDERS: Final = 20
_HOLD: Final = """
import sys, pysqlite3
held = pysqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Report:
    """How it went."""

    refused: int
    slowest_s: float
    faults: list[str]


@contextmanager
def _held(store: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLD, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 - ours
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.communicate()


def hold(folder: Path, seconds: float) -> Report:
    """Lock the store for so long while suppliers post, then let go, and look at what is left."""
    with scene(folder) as stage:
        bodies = events_of(range(_ORDERS))
        with stage.program().serve():
            faults = [
                f"refused before: {status}" for body in bodies[:4] if (status := stage.supplier.post(body)) != 200
            ]
            stage.supplier.waiting.extend(bodies[4:])
            before = len(stage.supplier.statuses)
            with _held(stage.store):
                end = time.monotonic() + seconds
                stage.supplier.post_until(lambda: time.monotonic() >= end)
            while_held = stage.supplier.statuses[before:]
            began = time.monotonic()
            after = stage.supplier.post(stage.supplier.waiting[0])
            took_s = time.monotonic() - began
        stage.drain()
        faults += [f"answered {status} while it was locked" for status in sorted(set(while_held) - {503})]
        faults += [] if after == 200 else [f"answered {after} when it was free again, after {took_s:.1f} s"]
        return Report(while_held.count(503), stage.supplier.slowest_s, faults + stage.faults(_ORDERS))


def main() -> int:
    """Hold the lock and say how it went; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.lock", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        report = hold(Path(folder), seconds)
    too_slow = report.slowest_s >= SUPPLIERS_PATIENCE_S
    sys.stdout.writelines(f"{fault}\n" for fault in report.faults)
    sys.stdout.write(f"{report.refused} answers of 503 in {seconds:g} s, the slowest after {report.slowest_s:.1f} s.\n")
    return 1 if report.faults or too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
