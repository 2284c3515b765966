"""How long do lists and pages take on a large store? `python -m tests.benchmarks.listing [--rounds 11]`.

Whole processes, beside `webhookctl --version`, on a store of a hundred thousand events and on one of a million (or on
those that --stores names, smallest first), in turn; the times are medians, wall and processor.
"""

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.benchmarks.fill import settle_in
from tests.benchmarks.filling import fill
from tests.benchmarks.served import KEY
from tests.benchmarks.shop import names
from tests.benchmarks.whole import Command, Took, compare
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store

_OF_VERSION: Final = 1.6
_GROWTH: Final = 1.3
_VERSION: Final = "--version"
_ORDER: Final = 1000
"""Of the shop's: an old one."""


def commands(store: Path) -> dict[str, list[str]]:
    """Return what is asked of a store, by the words that it is shown by."""
    of = names(_ORDER)
    filters = {
        "": [],
        "--since": ["1d"],
        "--until": ["30d"],
        "--supplier": ["corvus"],
        "--type": ["order.failed"],
        "--state": ["dead"],
        "--reference": [of.reference],
        "--order-id": [of.order_id],
        "--via": ["poll"],
    }
    asked = {f"events list {name}".rstrip(): ["events", "list", "--limit", "50", *([name] if name else []), *value]
             for name, value in filters.items()}  # fmt: skip
    asked["events show"] = ["events", "show", _an_event(store)]
    asked["orders list"] = ["orders", "list", "--limit", "50"]
    asked["orders show"] = ["orders", "show", of.reference]
    asked["status"] = ["status"]
    return asked


def _an_event(path: Path) -> str:
    with closing(open_store(path, AesGcmCipher([KEY]), create=False)) as store, store.connection.reading() as raw:
        (number,) = raw.execute("SELECT id FROM events WHERE state = 'done' ORDER BY id LIMIT 1 OFFSET 1000").fetchone()
    return str(number)


def main() -> int:
    """Print the medians; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sizes", default="100000,1000000")
    parser.add_argument("--stores", default="", help="files of `tests.benchmarks.fill` to be used instead")
    parser.add_argument("--folder", type=Path, default=None, help="where the stores lie: on the disk to be measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        stores = [Path(name) for name in chosen.stores.split(",") if name]
        for size in () if stores else chosen.sizes.split(","):
            stores.append(Path(folder) / f"{size}.db")
            fill(stores[-1], int(size), ends=time.time_ns() // 1_000_000)
        asked = {_VERSION: Command([_VERSION])}
        for number, store in enumerate(stores):
            settings = str(settle_in(store))
            for name, words in commands(store).items():
                asked[f"{name} {number}"] = Command(["--config", settings, *words])
        found = compare(asked, chosen.rounds)
    return show(found, list(commands_of(found)))


def commands_of(found: dict[str, Took]) -> list[str]:
    return [name.removesuffix(" 0") for name in found if name.endswith(" 0")]


def show(found: dict[str, Took], asked: list[str]) -> int:
    """Print a line for each command; return 1 where one took too long."""
    version = found[_VERSION]
    print(f"webhookctl {_VERSION}: {version.wall:.0f} ms, processor {version.processor:.0f} ms")
    print(f"{'':28} {'small, ms':>10} {'large, ms':>10} {'of --version':>13} {'growth':>7} {'processor':>16}")
    missed = False
    for name in asked:
        small, large = found[f"{name} 0"], found[max(one for one in found if one.rpartition(" ")[0] == name)]
        times, growth = large.wall / version.wall, large.wall / small.wall
        processor = f"{large.processor / version.processor:.2f} and {large.processor / small.processor:.2f}"
        holds = times <= _OF_VERSION and growth <= _GROWTH
        missed = missed or not holds
        print(
            f"{name:28} {small.wall:10.0f} {large.wall:10.0f} {times:13.2f} {growth:7.2f} {processor:>16}"
            f"{'' if holds else '  DOES NOT HOLD'}"
        )
    print(f"asked for: at most {_OF_VERSION} times `--version`, and {_GROWTH} times the small store")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
