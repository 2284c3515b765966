"""How long until a word is said? `python -m tests.benchmarks.startup` compares with an empty Typer app."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

_MOST: Final = 1.3
"""Times what an empty app takes."""
_EMPTY: Final = '''
import typer

app = typer.Typer()


@app.command()
def one() -> None:
    """The first."""


@app.command()
def two() -> None:
    """The second."""


app()
'''


def main() -> int:
    """Print the medians; 1 where ours takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        # A package, like ours: what Python compiles of it is kept.
        package = Path(folder) / "empty"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "app.py").write_text(_EMPTY)
        (package / "__main__.py").write_text("import empty.app\n")
        commands = {
            "empty app --help": ["empty", "--help"],
            "webhookctl --help": ["webhookctl", "--help"],
            "webhookctl --version": ["webhookctl", "--version"],
        }
        took = {name: list[float]() for name in commands}
        for _ in range(rounds):  # in turn, so that a noisy minute of the machine is shared
            for name, arguments in commands.items():
                took[name].append(_seconds([sys.executable, "-m", *arguments], folder))
    empty = median(took["empty app --help"])
    for name, seconds in took.items():
        print(f"{name:22} {1000 * median(seconds):6.0f} ms   {median(seconds) / empty:5.2f} times")
    return 0 if all(median(seconds) <= _MOST * empty for seconds in took.values()) else 1


def _seconds(command: list[str], folder: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - the two apps
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
