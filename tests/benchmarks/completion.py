"""How long does a press of Tab take? `python -m tests.benchmarks.completion [--rounds 11] [--store FILE]`.

Whole processes, as the shell starts them, on a store of a million events (or one that is there already).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.fill import settle_in
from tests.benchmarks.filling import fill
from tests.benchmarks.whole import Command, compare

_MOST_MS: Final = 150.0
_LINES: Final = (
    "",
    "ev",
    "store ch",
    "events list --st",
    "events list --supplier a",
    "events list --reference ORD-000",
    "events list --order-id SUP-1",
    "events show 12",
    "orders show ORD-",
    "actions show 0",
    "suppliers show s",
    "verify --preset s",
)


def main() -> int:
    """Print the medians; 1 where one takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, default=None, help="a file of `tests.benchmarks.fill`")
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies: on the disk to be measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        store = chosen.store or Path(folder) / "shop.db"
        if chosen.store is None:
            fill(store, chosen.events, ends=time.time_ns() // 1_000_000)
        settings = settle_in(store)
        found = compare({line: _pressed(settings, line) for line in _LINES}, chosen.rounds)
    for line, took in found.items():
        holds = "" if took.wall <= _MOST_MS else "  DOES NOT HOLD"
        print(f"{line + '<TAB>':40} {took.wall:6.0f} ms, processor {took.processor:6.0f} ms{holds}")
    print(f"asked for: at most {_MOST_MS:.0f} ms")
    return int(any(took.wall > _MOST_MS for took in found.values()))


def _pressed(settings: Path, line: str) -> Command:
    words = ["webhookctl", "--config", str(settings), *line.split(" ")]
    asks = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1), "_WEBHOOKCTL_COMPLETE": "complete_bash"}
    return Command((), asks)


if __name__ == "__main__":
    sys.exit(main())
