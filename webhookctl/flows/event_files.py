"""Events as lines of a file: written for others to read, and read back to the byte.

A line of JSON is what `events list --json` shows of an event; where codes are revealed, the request too:

    {"form": 1, "id": 17, "delivery_id": "0190…", "received_at": "2026-05-01T12:00:00.000+00:00", "supplier": "acme", …,
     "method": "POST", "url": "", "headers": [["content-type", "application/json"]], "event_id": null,
     "body_base64": "eyJ9"}

Headers and the event's id are bytes, written as Latin-1: each byte is the character of its number.
"""

import base64
import binascii
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, BinaryIO, Final
from uuid import UUID

from webhookctl.core.deliveries import HEADER_NAME, Delivery, Via
from webhookctl.core.events import StoredEvent
from webhookctl.core.redaction import guarded, printable
from webhookctl.flows.report import Row, event_row

FORM: Final = 1
LONGEST_LINE: Final = 64 << 20
_COLUMNS: Final = tuple(event_row(StoredEvent(0, "", 0, Via.WEBHOOK, "", "", (), b"")))
_BODY_COLUMNS: Final = ("body", "body_base64")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Form(StrEnum):
    """What a file of events is made of."""

    JSONL = "jsonl"
    CSV = "csv"


def written(form: Form, events: Sequence[StoredEvent], *, reveal: bool) -> bytes:
    """Write `events` as lines; the requests themselves only where `reveal` says so."""
    if form is Form.JSONL:
        return b"".join(_json_line(event, reveal=reveal) for event in events)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(_csv_row(event, reveal=reveal) for event in events)
    return text.getvalue().encode("utf-8", "backslashreplace")


def heading(form: Form, *, reveal: bool) -> bytes:
    """Return what stands before the first line."""
    if form is Form.JSONL:
        return b""
    return (",".join((*_COLUMNS, *(_BODY_COLUMNS if reveal else ()))) + "\n").encode()


def _json_line(event: StoredEvent, *, reveal: bool) -> bytes:
    row: Row = {"form": FORM, **event_row(event)}
    if reveal:
        row |= {"unreadable": event.unreadable} if event.unreadable else _request(event)
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _request(event: StoredEvent) -> Row:
    return {
        "method": event.method,
        "url": event.url,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in event.headers],
        "event_id": None if event.event_id is None else event.event_id.decode("latin-1"),
        "body_base64": base64.b64encode(event.body).decode(),
    }


def _csv_row(event: StoredEvent, *, reveal: bool) -> list[str]:
    known = ["" if value is None else guarded(printable(str(value))) for value in event_row(event).values()]
    return [*known, *_body_cells(event.body)] if reveal else known


def _body_cells(body: bytes) -> tuple[str, str]:
    """Return the body as text where it is one, else in base64."""
    try:
        return guarded(body.decode()), ""
    except UnicodeDecodeError:
        return "", base64.b64encode(body).decode()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as a file says that it came; nothing in it is proven."""

    delivery: Delivery = field(repr=False)
    """`via` is how the file says that it was learned."""
    event_id: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, and what it says; a text is why it can't be read."""

    number: int
    size: int
    said: Recorded | str = field(repr=False)


def read(stream: BinaryIO) -> Iterator[Line]:
    """Read a file line by line; blank ones are passed over, and one that is too long spoils itself alone."""
    number = 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        size = len(raw)
        if size == LONGEST_LINE and not raw.endswith(b"\n"):
            while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                size += len(more)
            yield Line(number, size + len(more), f"it is longer than {LONGEST_LINE >> 20} MiB")
        elif raw.strip():
            yield Line(number, size, _said(raw))


def _said(raw: bytes) -> Recorded | str:
    try:
        return _recorded(json.loads(raw))
    except json.JSONDecodeError as error:
        cut = "" if raw.endswith(b"\n") else "; the file seems to be cut off here"
        return f"it is no JSON ({error.msg}, column {error.colno}){cut}"
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return str(error)


def _recorded(said: Any) -> Recorded:  # noqa: ANN401 - any JSON value
    """Raise `ValueError` with a sentence for whatever no export has written."""
    if not isinstance(said, dict) or "form" not in said:
        raise ValueError("it is no line of `events export --format jsonl`")
    if said["form"] != FORM:
        raise ValueError("it was written by a newer webhookctl: upgrade webhookctl")
    if "body_base64" not in said:
        raise ValueError("it was exported without the request: export with --reveal")
    delivery = Delivery(
        supplier=_plain(said, "supplier"),
        body=_body(said),
        headers=_headers(said),
        received_at=_moment(said),
        delivery_id=_delivery_id(said),
        via=_via(said),
        method=_plain(said, "method"),
        url=_plain(said, "url"),
    )
    event_id = None if said.get("event_id") is None else _bytes(_text(said, "event_id"), "event_id")
    return Recorded(delivery, event_id)


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if isinstance(value, str):
        return value
    raise ValueError(f"its {name} is missing, or is no text")


def _plain(said: dict[str, Any], name: str) -> str:
    if not (value := _text(said, name)).isascii():
        raise ValueError(f"its {name} holds more than ASCII")
    return value


def _bytes(text: str, name: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"its {name} holds more than bytes") from None


def _body(said: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_plain(said, "body_base64"), validate=True)
    except binascii.Error:
        raise ValueError("its body_base64 is no base64") from None


def _headers(said: dict[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    pairs = said.get("headers")
    if not isinstance(pairs, list) or not all(_is_header(pair) for pair in pairs):
        raise ValueError("its headers are missing, or are no pairs of name and value")
    return tuple((_bytes(name.lower(), "headers"), _bytes(value, "headers")) for name, value in pairs)


def _is_header(pair: object) -> bool:
    match pair:
        case [str(name), str(value)]:
            return HEADER_NAME.fullmatch(name) is not None and not {"\r", "\n", "\0"} & {*value}
    return False


def _moment(said: dict[str, Any]) -> int:
    try:
        return (datetime.fromisoformat(_text(said, "received_at")) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError, TypeError):
        raise ValueError("its received_at is no time with an offset") from None


def _delivery_id(said: dict[str, Any]) -> bytes:
    try:
        return UUID(_text(said, "delivery_id")).bytes
    except ValueError:
        raise ValueError("its delivery_id is no UUID") from None


def _via(said: dict[str, Any]) -> Via:
    try:
        return Via(_text(said, "via"))
    except ValueError:
        raise ValueError("its via is not known") from None
