"""Where long things come from and where they go: stdin and stdout, or files."""

import errno
import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import typer

from webhookctl.core.errors import StoreError, StoreFullError, UsageError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """Yield what to read, of a file or of stdin for `-`, and its size where that is known; raises `UsageError`."""
    if str(file) == "-":
        yield typer.get_binary_stream("stdin"), None
        return
    try:
        size = file.stat().st_size
        stream = file.open("rb")
    except OSError as error:
        raise UsageError(f"The file {file} can't be read: {error.strerror}.") from None
    with stream:
        yield stream, size


@contextmanager
def landing(out: Path | None) -> Iterator[BinaryIO]:
    """Yield what to write to: stdout for None, else a file of its owner alone that takes its name once all is in it.

    Raises `StoreError` where it can't be written; what was written of it by then is gone, and what had its name before
    is as it was. A symbolic link stays one: the file that it leads to is replaced.
    """
    if out is None:
        with _on_stdout() as stream:
            yield stream
    elif _is_special(out):
        with _words(out, ""), out.open("wb") as stream:
            yield stream
    else:
        with _whole(out.resolve()) as stream:
            yield stream


def named(out: Path | None) -> Path | None:
    """Return the file that is meant; None for stdout, also where its name is `-`, or one such as /dev/stdout.

    What stdout was led to has a name, too, and must not be exchanged for another file under whoever writes to it.
    """
    return None if out is None or str(out) == "-" or _is_stdout(out) else out


def _is_stdout(out: Path) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samestat(out.stat(), os.fstat(sys.stdout.fileno()))
    return False


@contextmanager
def _on_stdout() -> Iterator[BinaryIO]:
    sys.stdout.flush()
    stream = _beside_stdout()
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:  # whoever read has seen enough: typer ends without a word
        raise
    except OSError as error:
        raise _sentence(error, "Standard output", "") from None


def _beside_stdout() -> BinaryIO:
    """Return a buffer of our own: Python would try once more at its end what could not be written, and complain."""
    try:
        return io.BufferedWriter(io.FileIO(sys.stdout.fileno(), "wb", closefd=False))
    except io.UnsupportedOperation:  # no file, but what a test put in its place
        return sys.stdout.buffer


@contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    from webhookctl.adapters.store_sqlite.exchanging import sync_folder

    descriptor, part = _part(out)
    try:
        with _words(out, "; the half file was removed"), open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            yield stream
            stream.flush()
            os.fsync(descriptor)
        with _words(out, ""):
            part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(out.parent)


def _part(out: Path) -> tuple[int, Path]:
    """Make the file that takes the place of `out` once it is whole; it is its owner's alone."""
    with _words(out, ""):
        if out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
    return descriptor, Path(name)


def _is_special(out: Path) -> bool:
    """Return whether it is a device or a pipe, which no file may take the place of."""
    return out.exists() and not stat.S_ISREG(out.stat().st_mode) and not out.is_dir()


@contextmanager
def _words(out: Path, consequence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _sentence(error, str(out), consequence) from None


def _sentence(error: OSError, where: str, consequence: str) -> StoreError:
    if error.errno in _NO_ROOM:
        return StoreFullError(f"{where} can't take it all: there is no space left{consequence}. Free some, and again.")
    return StoreError(f"{where} can't be written to ({error.strerror}){consequence}: mend that, or choose another.")
