"""Files put in each other's place at once, so that whoever is cut off leaves either the old or the new."""

import ctypes
import os
from pathlib import Path
from typing import Final

_HERE: Final = -100
"""AT_FDCWD of openat(2): names are looked up from the working folder."""
_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of renameat2(2), which Python does not offer."""


def put_in_place(new: Path, path: Path, kept: Path) -> None:
    """Put `new` at `path`, and what was there at `kept`, a name that nothing has yet."""
    if not path.exists():
        new.rename(path)
    else:
        new.rename(kept)
        if not _exchange(kept, path):
            # Between these two steps the old has two names; it is refused then, and the sentence says what to do.
            kept.rename(new)
            kept.hardlink_to(path)
            new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(one: Path, other: Path) -> bool:
    """Let two files change names in one step; False where the system or the file system can't."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0
