"""Does the journal (-wal) still hold all that was committed to it?

SQLite takes of a journal what comes before its first fault, and says nothing of what comes after: commits that were
acknowledged would be gone without a word. What it held is told by SQLite's own index of it (-shm), which outlives a
killed process; and by itself, where sound commits lie behind the fault. (sqlite.org/fileformat2.html, section 4;
sqlite.org/walformat.html, section 2.) Looked at only where nobody uses the store: it is written from both ends.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

_Sum: TypeAlias = tuple[int, int]

_HEAD: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""And the order of bytes in which its sums are made."""
_INDEX: Final = struct.Struct("=3IBBHII2I2I2I")
_IN_FILE: Final = struct.Struct("=I")
_SUMMED: Final = 8
"""Bytes of a frame's head that its sum covers."""
_MASK: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class _Known:
    """What SQLite's index says of the journal."""

    salts: tuple[int, int]
    frames: int
    in_file: int
    """As many of them are in the store's own file."""

    @property
    def missing(self) -> int:
        """As many of them are not."""
        return max(self.frames - self.in_file, 0)

    @property
    def is_all_in_file(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Journal:
    content: bytes
    order: str
    page: int
    salts: tuple[int, int]
    sum: _Sum

    @property
    def frames(self) -> int:
        return (len(self.content) - _HEAD.size) // self.size

    @property
    def size(self) -> int:
        return _FRAME.size + self.page

    def head(self, number: int) -> tuple[int, tuple[int, int], _Sum]:
        """Return what a frame says: the pages of the store after this commit, or 0; its salts; its sum."""
        _, pages, *rest = _FRAME.unpack_from(self.content, _HEAD.size + number * self.size)
        return pages, (rest[0], rest[1]), (rest[2], rest[3])

    def is_sound(self, number: int, before: _Sum) -> bool:
        """Say whether a frame is whole, and follows upon one of this sum."""
        at = _HEAD.size + number * self.size
        _, salts, sum_ = self.head(number)
        summed = self.content[at : at + _SUMMED] + self.content[at + _FRAME.size : at + self.size]
        return salts == self.salts and sum_ == _sum(summed, before, self.order)


def what_is_lost(path: Path) -> str | None:
    """Say what is wrong with the journal of the store at `path`; None: nothing that was committed is missing."""
    index = path.with_name(f"{path.name}-shm")
    known = _known(index)
    try:
        content = path.with_name(f"{path.name}-wal").read_bytes()
    except FileNotFoundError:
        return _missed(index)
    except OSError:  # what can't be read is SQLite's to say
        return None
    return _faulty(content, known)


def _missed(index: Path) -> str | None:
    """Say what a journal that is not there held; SQLite takes it away once all is in the file, and its index before."""
    known = _known(index)
    return None if known is None or known.is_all_in_file else f"is gone, and held {known.missing} pages more"


def _faulty(content: bytes, known: _Known | None) -> str | None:
    journal = _read(content)
    if journal is None:
        if known is not None:
            return None if known.is_all_in_file else "does not begin as it should"
        return "does not begin as it should" if len(content) > _HEAD.size and any(content) else None
    whole, sound = _sound(journal)
    if known is not None and known.salts == journal.salts:
        if whole < known.frames and not known.is_all_in_file:
            return f"holds {whole} whole pages, and held {known.frames}"
        return None
    return "is damaged in its midst: commits follow upon what can't be read" if _goes_on(journal, sound) else None


def _read(content: bytes) -> _Journal | None:
    if len(content) < _HEAD.size:
        return None
    magic, _, page, _, *rest = _HEAD.unpack_from(content)
    order = _MAGIC.get(magic)
    if order is None or page < 512 or page & (page - 1) or page > 1 << 16:  # noqa: PLR2004 - SQLite's smallest page
        return None
    sum_ = (rest[2], rest[3])
    if _sum(content[:24], (0, 0), order) != sum_:
        return None
    return _Journal(content, order, page, (rest[0], rest[1]), sum_)


def _sound(journal: _Journal) -> tuple[int, int]:
    """Return how many frames belong to whole commits from the start, and how many are sound beside."""
    whole = number = 0
    before = journal.sum
    while number < journal.frames and journal.is_sound(number, before):
        pages, _, before = journal.head(number)
        number += 1
        if pages:
            whole = number
    return whole, number


def _goes_on(journal: _Journal, first_bad: int) -> bool:
    """Say whether a commit lies behind the fault that another followed: it had been synced before that was written."""
    return any(
        pages and salts == journal.salts and journal.is_sound(number + 1, sum_)
        for number, (pages, salts, sum_) in _heads(journal, first_bad)
        if number + 1 < journal.frames
    )


def _heads(journal: _Journal, first: int) -> Iterator[tuple[int, tuple[int, tuple[int, int], _Sum]]]:
    return ((number, journal.head(number)) for number in range(first, journal.frames))


def _sum(content: bytes, before: _Sum, order: str) -> _Sum:
    first, second = before
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second


def _known(index: Path) -> _Known | None:
    """Read SQLite's index of the journal; None where there is none, or somebody was killed while writing it."""
    try:
        with index.open("rb") as file:
            head = file.read(2 * _INDEX.size + _IN_FILE.size)
    except OSError:
        return None
    if len(head) < 2 * _INDEX.size + _IN_FILE.size or head[: _INDEX.size] != head[_INDEX.size : 2 * _INDEX.size]:
        return None
    fields = _INDEX.unpack_from(head)
    if not fields[3]:
        return None
    salts = struct.unpack(">2I", struct.pack("=2I", *fields[10:12]))  # as they stand in the journal
    return _Known((salts[0], salts[1]), fields[6], _IN_FILE.unpack_from(head, 2 * _INDEX.size)[0])
