"""Has each page of a copy the owner that it names?

A store of ours keeps a map of which page belongs to which (sqlite.org/fileformat2.html, 1.8). Where SQLite checks a
table, each page that the table owns must be in the map as its own; here each owner must own as many as the map says.
Together they find what else only a check of all tables at once does: pages that nobody owns any more.
"""

import os
import struct
from collections import Counter
from pathlib import Path
from typing import Final

_HEAD: Final = 100
_SIZE: Final = struct.Struct(">16xH2xB7xI")
"""Of the file's head: the size of a page (1: the largest), how much of its end is not used, how many there are."""
_LARGEST: Final = 1 << 16
_ENTRY: Final = struct.Struct(">BI")
_BELONGS: Final = 5
"""Kind of an entry: a page of a tree, and not its root."""
_NODE: Final = struct.Struct(">B2xH")
"""How a page of a tree begins: its kind, and how many cells it has."""
_INNER: Final = {2, 5}


def first_wrong(copy: Path) -> str:
    """Say which page owns more or fewer than say so; `ok` where none does."""
    with copy.open("rb") as file:
        handle = file.fileno()
        size, unused, pages = _SIZE.unpack_from(os.pread(handle, _HEAD, 0))
        size = _LARGEST if size == 1 else size
        for owner, count in _owners(handle, size, size - unused, pages).items():
            if count != _owned(handle, size, owner):
                return f"Page {owner} does not own the pages that the map says"
    return "ok"


def _owners(handle: int, size: int, usable: int, pages: int) -> Counter[int]:
    """Count the pages of each owner."""
    owners = Counter[int]()
    mapped = usable // _ENTRY.size
    for before in range(1, pages, mapped + 1):
        entries = os.pread(handle, _ENTRY.size * min(mapped, pages - before - 1), before * size)
        whole = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
        owners.update(owner for kind, owner in _ENTRY.iter_unpack(whole) if kind == _BELONGS)
    return owners


def _owned(handle: int, size: int, owner: int) -> int:
    begin = os.pread(handle, _NODE.size, (owner - 1) * size + (_HEAD if owner == 1 else 0)) if owner else b""
    kind, cells = _NODE.unpack(begin) if len(begin) == _NODE.size else (0, 0)
    return cells + 1 if kind in _INNER else 0
