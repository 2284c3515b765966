"""How rows stand on a terminal: beside each other, or each as a block where it is too narrow.

Laid out by hand: Rich needs a minute, and most of a gigabyte, for the hundred thousand rows that a list may have.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from textwrap import TextWrapper
from typing import Final

_GAP: Final = "   "
_EDGE: Final = " "


def cells(text: str) -> int:
    """Return how many cells of the terminal it takes: two for each character of some alphabets."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], Iterator[str]] | None:
    """Return the heading's lines, and rule and rows, every word in one piece; None where there is no room for that.

    Broken letter by letter nobody reads or copies it.
    """
    ones = list(zip(columns, *rows, strict=True))
    narrowest = [max(map(_longest_word, one)) for one in ones]
    room = width - len(_GAP) * (len(columns) - 1) - 2 * len(_EDGE)
    if sum(narrowest) > room:
        return None
    widths = _fitted([max(map(cells, one)) for one in ones], narrowest, room)
    rule = _EDGE + "─" * (sum(widths) + len(_GAP) * (len(columns) - 1) + len(_EDGE))
    return list(_lines(columns, widths)), chain([rule], (line for row in rows for line in _lines(row, widths)))


def block(columns: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """Yield a line or more for each name and value."""
    longest = max(map(len, columns))
    for name, value in zip(columns, row, strict=True):
        yield from field(f"{name:<{longest}}  ", value, width)


def field(name: str, value: str, width: int) -> list[str]:
    """Return a name and its value, which goes on below itself; a word that is too long the terminal breaks."""
    if _longest_word(value) > width - len(name):
        return [f"{name}{value}"]
    wrapper = TextWrapper(width, subsequent_indent=" " * len(name), break_on_hyphens=False)
    return wrapper.wrap(f"{name}{value}") or [name]


def _fitted(widest: Iterable[int], narrowest: Sequence[int], room: int) -> list[int]:
    """Return how wide the columns are, together as wide as `room` at most: the widest give way first."""
    widths = [min(one, room) for one in widest]
    while sum(widths) > room:
        _, at = max((one, at) for at, (one, least) in enumerate(zip(widths, narrowest, strict=True)) if one > least)
        widths[at] -= 1
    return widths


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    sizes = list(map(cells, row))
    if all(size <= width for size, width in zip(sizes, widths, strict=True)):
        yield _joined(row, sizes, widths)
        return
    parts = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    for line in zip_longest(*parts, fillvalue=""):
        yield _joined(line, list(map(cells, line)), widths)


def _joined(row: Iterable[str], sizes: Iterable[int], widths: Iterable[int]) -> str:
    padded = (cell + " " * (width - size) for cell, size, width in zip(row, sizes, widths, strict=True))
    return f"{_EDGE}{_GAP.join(padded)}".rstrip()


def _wrapped(cell: str, width: int) -> list[str]:
    """Cut at blanks; each word has room."""
    lines = [""]
    for word in cell.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if cells(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _longest_word(cell: str) -> int:
    return max(map(cells, cell.split()), default=1)
