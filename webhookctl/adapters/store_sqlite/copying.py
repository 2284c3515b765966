"""Files that SQLite has open here, copied by a process beside this one."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from webhookctl.adapters.store_sqlite import copyist
from webhookctl.core.errors import StoreError


class Copyist:
    """The process that copies; `copyist` says why there must be one."""

    def __init__(self, process: "subprocess.Popen[bytes]", pairs: Sequence[tuple[Path, int]]) -> None:
        self._process = process
        self._pairs = pairs

    def copy(self, number: int, at: int, length: int) -> int:
        """Copy a part of a pair's file, and return how many bytes there were.

        Raises `OSError` where the copy can't be written, `StoreError` where the file can't be read.
        """
        match self._answer(f"{number} {at} {length}\n"):
            case [b"copied", copied]:
                return int(copied)
            case [b"write", why]:
                raise OSError(int(why), os.strerror(int(why)))
            case [b"read", why]:
                raise StoreError(
                    f"{self._pairs[number][0]} can't be read ({os.strerror(int(why))}): look at the store's disk."
                )
            case _:
                raise StoreError("The process that copies the store was ended by something else: begin again.")

    def _answer(self, line: str) -> list[bytes]:
        asking, answers = self._process.stdin, self._process.stdout
        if asking is None or answers is None:
            return []
        with suppress(BrokenPipeError):
            os.write(asking.fileno(), line.encode())
            return answers.readline().split()
        return []


@contextmanager
def copyist_for(pairs: Sequence[tuple[Path, int]]) -> Iterator[Copyist]:
    """Have a process that copies files to open handles, until the block ends, however it ends."""
    # Ctrl-C is for us to hear, and what our environment holds is for nobody else.
    process = subprocess.Popen(  # noqa: S603 - our own program, with names of files alone
        [sys.executable, "-I", "-S", copyist.__file__, *(str(word) for pair in pairs for word in pair)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        pass_fds=[handle for _, handle in pairs],
        start_new_session=True,
    )
    with process:
        try:
            yield Copyist(process, pairs)
        finally:
            process.kill()
