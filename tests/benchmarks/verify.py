"""How long does `webhookctl verify` take, as a whole process? `python -m tests.benchmarks.verify [--runs 15]`.

A valid body of 1 KiB beside an empty Typer app of two commands, with Rich and without; then bodies of 1 MiB that no
mistake explains, with the memory that finding that out takes. On a busy machine the time on the processor is what
counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SECRET: Final = "acme-secret-0123456789"
_EMPTY: Final = """
import typer
app = typer.Typer({options})
@app.command()
def one() -> None: ...
@app.command()
def two() -> None: ...
app()
"""
_PLAIN: Final = "pretty_exceptions_enable=False, rich_markup_mode=None"
_MOST: Final = 1.4
_MOST_S: Final = 1.5
_MOST_MB: Final = 150
_MIB: Final = 1 << 20


def measured(command: Sequence[str], folder: Path) -> tuple[float, float, float]:
    """Run a process; return its seconds, those on the processor, and its memory in MiB."""
    begun = time.perf_counter()
    environ = {**os.environ, "ACME_SECRET": _SECRET}
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def verify(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "webhookctl", "verify", "--secret-env", "ACME_SECRET", "--body-file", *arguments]


def small(folder: Path, runs: int) -> None:
    """Print the start-up beside that of empty apps, in turn, so that a noisy minute is shared."""
    body = b'{"padding": "%s"}' % (b"x" * 1007)
    (folder / "small").write_bytes(body)
    signed = subprocess.run(  # noqa: S603 - our own
        [*verify("small", "--preset", "github")[:3], "sign", *verify("small", "--preset", "github")[4:]],
        cwd=folder, env={**os.environ, "ACME_SECRET": _SECRET}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    header = signed.split("'")[1]
    for name, options in (("rich.py", ""), ("plain.py", _PLAIN)):
        (folder / name).write_text(_EMPTY.format(options=options))
    commands = {
        "an empty Typer app": [sys.executable, "rich.py", "one"],
        "the same without Rich": [sys.executable, "plain.py", "one"],
        "verify of 1 KiB": verify("small", "--preset", "github", "-H", header),
    }
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            taken[name].append(measured(command, folder))
    base, *_ = (medians(found) for found in taken.values())
    print(f"{'':24} {'ms':>8} {'':>6} {'cpu ms':>8}")
    for name, found in taken.items():
        wall, cpu = medians(found)
        print(f"{name:24} {1000 * wall:8.0f} {wall / base[0]:6.2f} {1000 * cpu:8.0f} {cpu / base[1]:6.2f}")
    print(f"{'at most':24} {'':8} {_MOST:6.2f} {'':8} {_MOST:6.2f}\n")


def medians(found: Sequence[Sequence[float]]) -> tuple[float, float]:
    return statistics.median(one[0] for one in found), statistics.median(one[1] for one in found)


def large(folder: Path) -> None:
    """Print what a diagnosis without an answer takes."""
    item = {"sku": "steam-20-usd", "code": "AAAA-BBBB-CCCC", "note": "Zoë", "amount": 10.5}
    bodies = {
        "JSON": json.dumps([item] * (_MIB // len(json.dumps(item)))).encode(),
        "JSON of numbers": b"[" + b"1.5," * (_MIB // 4 - 1) + b"1]",
        "JSON of brackets": b"[" + b"[]," * (_MIB // 3 - 1) + b"1]",
        "a form": b"payload=" + b"%7B" * (_MIB // 3 - 3),
        "noise": os.urandom(_MIB),
    }
    print(f"{'1 MiB that nothing explains':28} {'s':>6} {'cpu s':>6} {'MiB':>6}")
    for name, body in bodies.items():
        (folder / "large").write_bytes(body)
        seconds, cpu, memory = measured(
            verify("large", "--preset", "stripe", "-H", f"Stripe-Signature: t=1750000000,v1={'00' * 32}"), folder
        )
        print(f"{name:28} {seconds:6.2f} {cpu:6.2f} {memory:6.0f}")
    print(f"{'at most':28} {_MOST_S:6.2f} {'':6} {_MOST_MB:6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small(Path(folder), chosen.runs)
        large(Path(folder))


if __name__ == "__main__":
    main()
