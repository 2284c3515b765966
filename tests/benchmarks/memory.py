"""Does memory stay flat? `python -m tests.benchmarks.memory [--events 1000000]` loads `serve` and looks."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.benchmarks.contenders import OURS
from tests.benchmarks.ingest import load, resident_mb

_CONNECTIONS: Final = 64
_SLICE_S: Final = 5.0
_MOST_MB: Final = 90.0
_GROWTH_MB: Final = 3.0
"""What an allocator may do in half of the run, and no leak of ten bytes an event."""


def main() -> int:
    """Print what the process holds after each slice of load; 1 where that is too much, or grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    held = list[tuple[int, float]]()
    taken = 0
    with tempfile.TemporaryDirectory() as folder:
        with OURS.running(Path(folder)) as (pid, port):
            while taken < events:
                taken += load(port, _CONNECTIONS, _SLICE_S)["statuses"]["200"]
                held.append((taken, resident_mb(pid)))
                print(f"{taken:10,} events: {held[-1][1]:6.1f} MB", flush=True)
        stored = OURS.stored(Path(folder))
    half = next(mb for number, mb in held if number >= events / 2)
    last = held[-1][1]
    print(f"{stored:,} of {taken:,} are in the store.")
    print(f"{half:.1f} MB after half of them, {last:.1f} MB at the end (at most {_MOST_MB:g}).")
    return 0 if stored == taken and last <= _MOST_MB and last - half <= _GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
