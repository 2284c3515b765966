"""Orders as the shop writes them: a JSON object, a line of JSON, a row of CSV."""

import csv
import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhookctl.core import spelling
from webhookctl.core.errors import SettingsError, UsageError
from webhookctl.core.orders import Paid, Registration, paid

KEYS: Final = ("reference", "supplier", "order_id", "sku", "paid", "sla")
"""Of an object."""
COLUMNS: Final = ("reference", "supplier", "order_id", "sku", "amount", "currency", "sla")
"""Of a CSV file, in any order; only the first must be there."""
_BETWEEN_SKUS: Final = "|"
_DELIMITERS: Final = ",;\t"
_MOST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One order of a file, or why it can't be read."""

    number: int
    """Where it begins in the file, from 1."""
    reference: str
    """As far as it is known, cut short."""
    said: Registration | str
    size: int
    """How many bytes of the file were read for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How orders are read."""

    suppliers: Collection[str]
    duration: Callable[[object], int]
    """Reads "15m" to milliseconds; raises `SettingsError`."""
    default: str | None = None
    """The supplier of an order that names none."""

    def order(self, written: object) -> Registration:
        """Read an object of `KEYS`; raises `ValueError` with a sentence for whoever wrote it."""
        if not isinstance(written, dict):
            raise ValueError("an order is a JSON object")  # noqa: TRY004 - it is what was written that is wrong
        for key in written:
            if key not in KEYS:
                raise ValueError(f"{key!r} is no key of an order" + spelling.behind(str(key), KEYS, "'{}'"))
        supplier = _text(written, "supplier") or self.default
        if supplier is None:
            raise ValueError("it names no supplier")
        if supplier not in self.suppliers:
            raise ValueError(f"there is no supplier {_short(supplier)!r} in the settings")
        return Registration(
            supplier,
            _text(written, "reference") or "",
            _text(written, "order_id"),
            _skus(written.get("sku")),
            _paid(written.get("paid")),
            self._sla(_text(written, "sla")),
        )

    def row(self, cells: Mapping[str, str]) -> Registration:
        """Read a row of `COLUMNS`."""
        written: dict[str, Any] = {key: cells[key] for key in KEYS if cells.get(key)}
        if "sku" in written:
            written["sku"] = [sku.strip() for sku in written["sku"].split(_BETWEEN_SKUS)]
        if cells.get("amount") or cells.get("currency"):
            written["paid"] = {"amount": cells.get("amount", ""), "currency": cells.get("currency", "")}
        return self.order(written)

    def _sla(self, text: str | None) -> int | None:
        try:
            return None if text is None else self.duration(text)
        except SettingsError as error:
            raise ValueError(f"the sla {error}") from None


def parse(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON strictly, numbers in their own digits: 19.90 stays that. Raises `ValueError`."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg}, column {error.colno})") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def read_jsonl(lines: Iterable[bytes], reading: Reading) -> Iterator[Line]:
    """Read a JSON object per line; blank lines are passed over."""
    for number, raw in enumerate(lines, 1):
        if not (text := _decoded(raw, number)).strip():
            continue
        reference = ""
        try:
            written = parse(text)
            reference = _reference_in(written)
            yield Line(number, reference, reading.order(written), len(raw))
        except ValueError as error:
            yield Line(number, reference, str(error), len(raw))


def read_csv(lines: Iterable[bytes], reading: Reading) -> Iterator[Line]:
    """Read a row per order; the first row names the columns, separated by commas, semicolons or tabs.

    A byte order mark, CRLF and blanks round a cell are passed over; a quote that is never closed spoils its own line
    alone. Raises `UsageError` where the first row is no such row.
    """
    source = _Source(iter(lines))
    head = next(source, "")
    delimiter = max(_DELIMITERS, key=head.count)
    columns = _columns(_first_row(head, delimiter))
    rows = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.begin_row()
        number = source.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            source.give_back_all_but_one()
            yield Line(number, "", f"it can't be read: {error}", source.taken())
            continue
        if any(cell.strip() for cell in cells):
            yield _row(number, cells, columns, reading, source.taken())


def _first_row(head: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([head], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UsageError(f"The first row can't be read: {error}.") from None


@dataclass(slots=True)
class _Source:
    """Lines as text, of which those of the present row can be given back."""

    lines: Iterator[bytes]
    number: int = 0
    """Of the line that was read last."""
    _bytes: int = 0
    _row: list[bytes] = field(default_factory=list)
    _given_back: deque[bytes] = field(default_factory=deque)

    def taken(self) -> int:
        """Return how many bytes were read since this was asked last."""
        taken, self._bytes = self._bytes, 0
        return taken

    def begin_row(self) -> None:
        self._row = []

    def give_back_all_but_one(self) -> None:
        """Have the row end with its first line."""
        self._given_back.extendleft(reversed(self._row[1:]))
        self.number -= len(self._row[1:])
        self._bytes -= sum(map(len, self._row[1:]))
        del self._row[1:]

    def __iter__(self) -> "_Source":
        return self

    def __next__(self) -> str:
        raw = self._given_back.popleft() if self._given_back else next(self.lines)
        self.number += 1
        self._bytes += len(raw)
        self._row.append(raw)
        return _decoded(raw, self.number)


def _row(number: int, cells: list[str], columns: list[str], reading: Reading, size: int) -> Line:
    named = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
    reference = _short(named.get("reference", ""))
    if len(cells) > len(columns):
        return Line(number, reference, f"it has {len(cells)} cells, the first row {len(columns)}", size)
    try:
        return Line(number, reference, reading.row(named), size)
    except ValueError as error:
        return Line(number, reference, str(error), size)


def _columns(cells: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    if "reference" not in columns:
        raise UsageError(f"The first row must name the columns, of which `reference` is one: {','.join(COLUMNS)}.")
    if unknown := [name for name in columns if name not in COLUMNS]:
        hint = spelling.nearest(unknown[0], COLUMNS) or f"there are {', '.join(COLUMNS)}."
        raise UsageError(f"The first row names a column {_short(unknown[0])!r} that no order has: {hint}")
    if len(set(columns)) < len(columns):
        raise UsageError("The first row names a column twice.")
    return columns


def _decoded(raw: bytes, number: int) -> str:
    if number == 1:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UsageError("The file is UTF-16: save it as UTF-8.")
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    # What is no UTF-8 is refused with its line, by what is said of names.
    return raw.decode("utf-8", "surrogateescape")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in it")
    return members


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _reference_in(written: object) -> str:
    reference = written.get("reference") if isinstance(written, dict) else None
    return _short(reference) if isinstance(reference, str) else ""


def _text(written: Mapping[str, Any], key: str) -> str | None:
    value = written.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"the {key.replace('_', ' ')} must be a text")  # noqa: TRY004 - as above
    return value


def _skus(written: object) -> tuple[str, ...]:
    skus = [written] if isinstance(written, str) else written or []
    if not isinstance(skus, list) or not all(isinstance(sku, str) for sku in skus):
        raise ValueError("the sku must be a text, or a list of texts")
    return tuple(skus)


def _paid(written: object) -> Paid | None:
    if written is None:
        return None
    if not isinstance(written, dict) or set(written) - {"amount", "currency"}:
        raise ValueError("paid must be an object with amount and currency")
    return paid(_text(written, "amount") or "", _text(written, "currency") or "")


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
