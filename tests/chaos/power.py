"""A disk that loses its power, and with it all that was not synced."""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scene import tool, works

_SIZE = 200 << 20
_SHUTDOWN = 0x8004587D
"""_IOR('X', 125, u32) of ext4 and XFS."""
_NOTHING_MORE = 2
"""Not even the file system's own journal is written: what a cut leaves."""


@dataclass(frozen=True)
class Disk:
    """An image with a file system, mounted on `folder`."""

    image: Path
    folder: Path

    def cut(self) -> None:
        """Drop all that was not synced; from now on every call on the disk fails."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _NOTHING_MORE))
        finally:
            os.close(handle)

    def come_back(self) -> None:
        """Mount it again, which recovers the file system; nobody may hold a file of it open."""
        assert works(["umount", str(self.folder)], ["mount", "-o", "loop", str(self.image), str(self.folder)])


@contextmanager
def disk(folder: Path) -> Iterator[Disk | None]:
    """Make an image in `folder` and mount it; None where this user or this machine can't."""
    made = Disk(folder / "image", folder / "disk")
    made.folder.mkdir(0o700)
    with made.image.open("wb") as file:
        file.truncate(_SIZE)
    here = works(["mkfs.ext4", "-q", str(made.image)], ["mount", "-o", "loop", str(made.image), str(made.folder)])
    try:
        yield made if here else None
    finally:
        if here:
            tool("umount", "-l", str(made.folder))
