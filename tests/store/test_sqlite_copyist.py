"""The process that copies files which SQLite has open in another: part by part, and whose fault it was if it can't."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from webhookctl.adapters.store_sqlite import copyist
from webhookctl.adapters.store_sqlite.copying import copyist_for
from webhookctl.core.errors import StoreError

CONTENT = bytes(range(256)) * 1_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "so\udce4rce.db"  # a name that is no text
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path / "copy.db", os.O_RDWR | os.O_CREAT)
    yield handle
    os.close(handle)


def test_parts_lie_where_they_lay(source: Path, target: int) -> None:
    """Whichever is copied first; where the file ends there is less, and beyond nothing."""
    with copyist_for([(source, target)]) as copying:
        copied = [copying.copy(0, at, 100_000) for at in (100_000, 0, 200_000, 256_000)]

    assert copied == [100_000, 100_000, 56_000, 0]
    assert os.pread(target, 1 << 20, 0) == CONTENT


@pytest.mark.parametrize("refused", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EIO, None])
def test_where_the_kernel_can_not(source: Path, target: int, monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    """Another file system, an old kernel, or one that says there is nothing: it is read and written instead."""

    def copy_file_range(*_: int) -> int:
        if refused is None:
            return 0
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range, raising=False)
    pair = copyist.Pair(str(source), target)

    assert copyist.answer([pair], b"0 0 300000\n") == "copied 256000"
    assert os.pread(target, 1 << 20, 0) == CONTENT


def test_a_disk_that_is_full(source: Path) -> None:
    """The copy's side: the system's own error, for whoever named the place."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with copyist_for([(source, full)]) as copying, pytest.raises(OSError, match="No space left") as raised:
            copying.copy(0, 0, 100)
    finally:
        os.close(full)

    assert raised.value.errno == errno.ENOSPC


def test_a_store_that_can_not_be_read(tmp_path: Path, target: int) -> None:
    """The store's side: its file is named, and its disk is to be looked at."""
    with (
        copyist_for([(tmp_path, target)]) as copying,
        pytest.raises(StoreError, match=r"can't be read \(Is a directory\): look at the store's disk"),
    ):
        copying.copy(0, 0, 100)


def test_a_copyist_that_was_killed(source: Path, target: int) -> None:
    """A sentence, at the next part; and at the end there is no process left."""
    with copyist_for([(source, target)]) as copying:
        process = copying._process  # noqa: SLF001 - as the system kills it when memory is short
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        with pytest.raises(StoreError, match="was ended by something else: begin again"):
            copying.copy(0, 0, 100)

    assert process.poll() == -signal.SIGKILL


def test_it_ends_with_whoever_asks(source: Path, target: int) -> None:
    """Killed at any moment, we leave no process behind: its input ends."""
    command = [sys.executable, "-I", "-S", copyist.__file__, str(source), str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[target]) as process:  # noqa: S603 - our own program
        process.communicate(timeout=60)

    assert process.returncode == 0


def test_it_knows_nothing(source: Path, target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its arguments nor its environment hold a secret, and a Ctrl-C at the terminal is not for it."""
    monkeypatch.setenv("SHOP_KEY", "CANARY")
    with copyist_for([(source, target)]) as copying:
        copying.copy(0, 0, 1)
        number = copying._process.pid  # noqa: SLF001 - as anybody may look at it
        about = Path(f"/proc/{number}")
        seen = (about / "environ").read_bytes() + (about / "cmdline").read_bytes()
        group = os.getpgid(number)

    assert b"CANARY" not in seen
    assert group == number != os.getpgrp()
