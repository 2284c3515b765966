"""What does a backup take, and cost? `python -m tests.benchmarks.backup [--rows 900000] [--folder DIR]`.

The store (900,000 events are a gigabyte) is copied by `cp` and `sync`, and by `webhookctl store backup`, in turn; then
signed deliveries come to `serve` at a steady rate, alone and during backups. All of them must be answered 200, their
p99 may at most double, and the backup must come to half the speed of `cp` followed by `sync` at least.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .filling import fill
from .quarantine import begin, end, server
from .served import KEY, SECRET

_LEAST_SPEED: Final = 0.5
_MOST_TIMES_SLOWER: Final = 2.0


def plain_copy(store: Path, folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["/bin/cp", str(store), str(folder / "plain.db")], check=True)  # noqa: S603 - as an operator would
    subprocess.run(["/bin/sync"], check=True)
    spent = time.perf_counter() - began
    (folder / "plain.db").unlink()
    return spent


def command(folder: Path) -> "subprocess.Popen[bytes]":
    environ = os.environ | {"BENCH_KEY": KEY.hex(), "BENCH_SECRET": SECRET.decode()}
    words = ["--config", str(folder / "webhookctl.toml"), "store", "backup", str(folder / "copy.db"), "--force"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "webhookctl", *words], env=environ, **quiet)  # type: ignore[call-overload,no-any-return]  # noqa: S603 - two of many forms


def backup(folder: Path) -> float:
    began = time.perf_counter()
    if command(folder).wait():
        sys.exit("a backup failed")
    return time.perf_counter() - began


def live(folder: Path, rate: float, seconds: float, *, backed_up: bool) -> dict[str, Any]:
    """Measure deliveries for so long; one backup after the other runs meanwhile, the last to its end."""
    with server(folder) as port:
        end(begin(port, rate, 1))
        load, made = begin(port, rate, seconds), 0
        while backed_up and load.poll() is None:
            if command(folder).wait():
                sys.exit("a backup failed while deliveries came")
            made += 1
        return end(load) | {"backups": made}


def faults(ratio: float, alone: dict[str, Any], during: dict[str, Any], due: int) -> Iterator[str]:
    if ratio < _LEAST_SPEED:
        yield f"a backup comes to {ratio:.2f} of the speed of cp and sync"
    for name, found in (("alone", alone), ("during backups", during)):
        if found["statuses"] != {"200": due} or found["unsent"]:
            yield f"{name}: of {due} deliveries {found['statuses']} were answered, {found['unsent']} not sent"
    if during["p99"] > _MOST_TIMES_SLOWER * alone["p99"]:
        yield f"p99 went from {1000 * alone['p99']:.2f} to {1000 * during['p99']:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=500.0, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies: on the disk to be measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as made:
        folder = Path(made)
        fill(folder / "shop.db", chosen.rows, ends=time.time_ns() // 1_000_000)
        size = (folder / "shop.db").stat().st_size
        with server(folder):  # writes the settings
            pass
        plain, ours = list[float](), list[float]()
        for _ in range(chosen.rounds):
            plain.append(plain_copy(folder / "shop.db", folder))
            ours.append(backup(folder))
        found = [live(folder, chosen.rate, chosen.seconds, backed_up=backed_up) for backed_up in (False, True)]
    ratio = statistics.median(plain) / statistics.median(ours)
    for name, spent in (("cp and sync", plain), ("store backup", ours)):
        print(f"{name:14} {size / 2**20:6.0f} MiB  {statistics.median(spent):6.2f} s  {spent}")
    print(f"{ratio:.2f} of the speed of cp and sync")
    print(f"{'':14} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'backups':>8}")
    for name, one in zip(("alone", "during backups"), found, strict=True):
        times = " ".join(f"{1000 * one[key]:8.2f}" for key in ("p50", "p99", "longest"))
        print(f"{name:14} {times} {one['backups']:8}")
    if wrong := list(faults(ratio, found[0], found[1], round(chosen.rate * chosen.seconds))):
        sys.exit("; ".join(wrong))
    print("Every delivery was answered 200.")


if __name__ == "__main__":
    main()
