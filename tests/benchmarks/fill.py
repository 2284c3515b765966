"""Make a store that has been in use for a year: `python -m tests.benchmarks.fill [FILE] --events N --orders N`.

Real schema, encrypted bodies and codes, three suppliers, orders of all fates, what they caused and how often it was
tried. Beside FILE lie settings and the key that open it, so that `webhookctl --config` can look around in it.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.filling import fill
from tests.benchmarks.served import KEY
from tests.benchmarks.shop import SUPPLIERS

_STORE: Final = """[store]
url = "sqlite:{file}"
keys = ["file:{key}"]
"""
_SUPPLIER: Final = """
[suppliers.{name}]
preset = "generic"
secrets = ["env:{variable}_SECRET"]
"""


def settle_in(file: Path) -> Path:
    """Write the key and the settings of the store `file` beside it; return where the settings are."""
    key, settings = file.with_suffix(".key"), file.with_suffix(".toml")
    key.write_text(KEY.hex())
    key.chmod(0o600)
    suppliers = (_SUPPLIER.format(name=name, variable=name.upper()) for name in SUPPLIERS)
    settings.write_text(_STORE.format(file=file.name, key=key.name) + "".join(suppliers))
    return settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=Path("filled.db"))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=None, help="three tenths of the events")
    chosen = parser.parse_args()
    if chosen.file.exists():
        sys.exit(f"{chosen.file} is there already: name a new file, or take it away.")
    began, written = time.perf_counter(), 0

    def tell(events: int) -> None:
        nonlocal written
        written += events
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{written:,} of {chosen.events:,} events")

    fill(chosen.file, chosen.events, chosen.orders, ends=time.time_ns() // 1_000_000, written=tell)
    settings = settle_in(chosen.file)
    size = chosen.file.stat().st_size / 1e9
    print(f"\n{chosen.file}: {written:,} events, {size:.2f} GB in {time.perf_counter() - began:.0f} s; see {settings}")


if __name__ == "__main__":
    main()
