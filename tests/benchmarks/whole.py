"""How long does a command take, from its start to its end?"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from webhookctl.core.errors import ExitCode

_PROGRAM: Final = (
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'webhookctl'; from webhookctl.cli import main; main()",
)
"""As the installed script does it: by its name the shell's questions are known."""


class Took(NamedTuple):
    """Milliseconds of one run."""

    wall: float
    processor: float
    """Of its own, which a busy machine disturbs less."""


class Command(NamedTuple):
    """What is run, and in which surroundings."""

    arguments: Sequence[str]
    environ: Mapping[str, str] = {}


def run(command: Command) -> Took:
    """Run it once; raises `RuntimeError` where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*_PROGRAM, *command.arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_surroundings() | dict(command.environ),
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {ExitCode.DONE, ExitCode.PERSON}:  # `status` of a shop that needs a person
        raise RuntimeError(f"{' '.join(command.arguments)} ended with {process.returncode}: {said.decode()}")
    return Took(1000 * wall, 1000 * (used.ru_utime + used.ru_stime))


def _surroundings() -> dict[str, str]:
    """Let Python keep what it has compiled, as it does where the program is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])}


def compare(commands: Mapping[str, Command], rounds: int) -> dict[str, Took]:
    """Run all of them in turn, so that a noisy minute of the machine is shared; return the medians."""
    for command in commands.values():
        run(command)  # compiled, and read from the disk
    found: dict[str, list[Took]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(run(command))
    return {name: _medians(runs) for name, runs in found.items()}


def _medians(runs: Iterable[Took]) -> Took:
    return Took(*map(median, zip(*runs, strict=True)))
