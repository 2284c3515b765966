"""A program that copies files which another process has open with SQLite, part by part, as its input says.

It is a process of its own since whoever closes a handle on a file loses all the locks that its SQLite has on it
(sqlite.org/howtocorrupt.html, 2.2). It needs nothing but Python, knows nothing but names, and ends with its input.

Its arguments are pairs: a file, and the open handle that the copy is written to. Each line of its input is the number
of a pair, an offset and a length; each is answered by `copied` and how many bytes that were (fewer where the file
ends), or by `read` or `write`, what failed, and the system's number for why.
"""

import os
import sys
from contextlib import suppress
from typing import Final

_BY_HAND: Final = 1 << 20
"""Bytes read and written at once, where the kernel can't copy by itself."""


class Pair:
    """A file and its copy, in which each byte lies where it lay."""

    def __init__(self, source: str, target: int) -> None:
        self._name = source
        self._source: int | None = None
        self._target = target
        self._is_kernel_able = hasattr(os, "copy_file_range")
        self.step = "read"
        """What was done last, and failed if anything did."""

    def copy(self, at: int, length: int) -> int:
        """Copy from one offset, and return how many bytes there were; what fails raises `OSError`."""
        done = 0
        while done < length and (step := self._some(at + done, length - done)):
            done += step
        return done

    def _some(self, at: int, length: int) -> int:
        self.step = "read"
        if self._source is None:
            self._source = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
        if self._is_kernel_able:
            # Some file systems say that it can't be, others that there is nothing to copy; and whose fault it is, and
            # whether the file has ended, only reading and writing can say.
            with suppress(OSError):
                if step := os.copy_file_range(self._source, self._target, length, at, at):
                    return step
            self._is_kernel_able = False
        content = os.pread(self._source, min(length, _BY_HAND), at)
        self._write(content, at)
        return len(content)

    def _write(self, content: bytes, at: int) -> None:
        self.step = "write"
        while content:
            written = os.pwrite(self._target, content, at)
            content, at = content[written:], at + written


def answer(pairs: list[Pair], line: bytes) -> str:
    """Do what a line of the input says."""
    number, at, length = map(int, line.split())
    pair = pairs[number]
    try:
        return f"copied {pair.copy(at, length)}"
    except OSError as error:
        return f"{pair.step} {error.errno}"


def main() -> None:
    """Answer until nobody asks any more."""
    names, handles = sys.argv[1::2], sys.argv[2::2]
    pairs = [Pair(name, int(handle)) for name, handle in zip(names, handles, strict=True)]
    for line in sys.stdin.buffer:
        try:
            os.write(sys.stdout.fileno(), f"{answer(pairs, line)}\n".encode())
        except BrokenPipeError:  # whoever asked has died
            break


if __name__ == "__main__":
    main()
