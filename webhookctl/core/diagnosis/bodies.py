"""What may have happened to the body between signing and here."""

import ast
import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, quote, quote_plus, unquote_to_bytes, urlencode

from webhookctl.core import jsontext
from webhookctl.core.diagnosis.findings import Mistake
from webhookctl.core.diagnosis.rewriting import FORMS, Document, Form
from webhookctl.core.jsontext import Pointer

_BOM: Final = b"\xef\xbb\xbf"
_MOST_UNPACKED: Final = 4 * 1024 * 1024
"""Bytes: a small body may unpack to gigabytes."""
_WITHIN: Final = ("data", "payload", "object", "event", "body", "message", "resource", "result", "order")
_SIGNATURES: Final = ("signature", "sign", "sig", "hmac", "hash", "digest", "checksum", "signature_key")
_FORM_FIELDS: Final = (b"payload", b"data", b"json", b"body")
_MOST_FIELDS: Final = 100
_BASE64: Final = re.compile(rb"\s*\"?[A-Za-z0-9+/_-]{2,64}(?:[A-Za-z0-9+/_=\s-]|$)")
_ENCODINGS: Final = {"latin-1": "Latin-1", "cp1252": "Windows-1252"}

Found: TypeAlias = tuple[str, bytes]
"""What the words leave open, and the body that may have been signed."""


@dataclass(slots=True)
class Body:
    """A body, with what several rows of the table need of it."""

    raw: bytes
    signature_pointer: Pointer | None = None
    _document: tuple[Document | None] | None = None

    @property
    def document(self) -> Document | None:
        if self._document is None:
            self._document = (Document.read(self.raw),)
        return self._document[0]


def _added(end: bytes) -> Callable[[Body], Iterator[Found]]:
    def repair(body: Body) -> Iterator[Found]:
        if body.raw.endswith(end):
            yield "", body.raw.removesuffix(end)

    return repair


def _missing(end: bytes) -> Callable[[Body], Iterator[Found]]:
    return lambda body: iter([("", body.raw + end)])


def _to_lf(body: Body) -> Iterator[Found]:
    yield "", body.raw.replace(b"\r\n", b"\n")


def _to_crlf(body: Body) -> Iterator[Found]:
    yield "", body.raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _without_bom(body: Body) -> Iterator[Found]:
    yield "", body.raw.removeprefix(_BOM)


def _with_bom(body: Body) -> Iterator[Found]:
    yield "", _BOM + body.raw


def _stripped(body: Body) -> Iterator[Found]:
    yield from (("", raw) for raw in (body.raw.strip(), body.raw.rstrip(), body.raw.lstrip()))


def _rewritten(form: Form, body: Body) -> Iterator[Found]:
    if body.document is not None:
        yield form.words, body.document.written(form)


def _double_utf8(body: Body) -> Iterator[Found]:
    for encoding in _ENCODINGS:
        once = body.raw.decode().encode(encoding)
        once.decode()  # else it was not encoded twice
        yield "", once


def _latin1_signed(body: Body) -> Iterator[Found]:
    for encoding, name in _ENCODINGS.items():
        yield name, body.raw.decode().encode(encoding)


def _utf8_signed(body: Body) -> Iterator[Found]:
    for encoding, name in _ENCODINGS.items():
        yield name, body.raw.decode(encoding).encode()


def _from_base64(body: Body) -> Iterator[Found]:
    text = body.raw.strip().strip(b'"')
    yield "", base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_" if set(text) & set(b"-_") else None)


def _to_base64(body: Body) -> Iterator[Found]:
    text = base64.b64encode(body.raw)
    yield from (("", form) for form in (text, base64.urlsafe_b64encode(body.raw), text.rstrip(b"=")))


def _from_percent(body: Body) -> Iterator[Found]:
    yield "", unquote_to_bytes(body.raw.replace(b"+", b" "))
    yield "", unquote_to_bytes(body.raw)


def _to_percent(body: Body) -> Iterator[Found]:
    yield from (("", text.encode()) for text in (quote(body.raw, safe=""), quote_plus(body.raw), quote(body.raw)))


def _form_decoded(body: Body) -> Iterator[Found]:
    for write in (quote_plus, partial(quote, safe="")):
        value = write(body.raw).encode()
        yield from ((name.decode(), name + b"=" + value) for name in _FORM_FIELDS)


def _form_value(body: Body) -> Iterator[Found]:
    for field in body.raw.split(b"&", _MOST_FIELDS)[:_MOST_FIELDS]:
        name, _, value = field.replace(b"+", b" ").partition(b"=")
        if name in _FORM_FIELDS:
            yield name.decode(), unquote_to_bytes(value)


def _form_rewritten(body: Body) -> Iterator[Found]:
    if b"=" not in body.raw or body.document is not None:
        return
    fields = parse_qsl(body.raw, keep_blank_values=True, strict_parsing=True, max_num_fields=1000)
    for words, ordered in (("another escaping", fields), ("its fields sorted", sorted(fields))):
        for write in (quote_plus, quote):
            yield words, urlencode(ordered, quote_via=write).encode()
            yield words, urlencode(ordered, quote_via=write).encode().replace(b"%20", b"+")


def _part(body: Body) -> Iterator[Found]:
    if body.document is None:
        return
    compact = next(form for form in FORMS if form.words == "compact")
    for name in _WITHIN:
        span = jsontext.find(body.raw, Pointer(f"/{name}", (name,)))
        if span is not None:
            text = body.raw[span.start : span.end]
            yield f"/{name}", text
            document = Document.read(text)
            if document is not None:
                yield f"/{name}", document.written(compact)


def _signature_pointers(body: Body) -> Iterator[Pointer]:
    if body.signature_pointer is not None:
        yield body.signature_pointer
    yield from (Pointer(f"/{name}", (name,)) for name in _SIGNATURES)


def _signature_cut(body: Body) -> Iterator[Found]:
    for pointer in _signature_pointers(body):
        yield str(pointer), jsontext.without(body.raw, pointer)


def _signature_emptied(body: Body) -> Iterator[Found]:
    for pointer in _signature_pointers(body):
        span = jsontext.find(body.raw, pointer)
        if span is not None:
            for empty in (b'""', b"null"):
                yield str(pointer), body.raw[: span.start] + empty + body.raw[span.end :]


def _unpacked(body: Body) -> Iterator[Found]:
    # 32 + 15: gzip or zlib by its head; -15: deflate without one.
    for words, bits in (("gzip", 32 + 15), ("deflate", -15)):
        if bits > 0 and body.raw[:1] not in {b"\x1f", b"\x78"}:
            continue
        unpacker = zlib.decompressobj(bits)
        raw = unpacker.decompress(body.raw, _MOST_UNPACKED)
        if unpacker.eof:
            yield words, raw
            return


def _from_json_string(body: Body) -> Iterator[Found]:
    value = json.loads(body.raw) if body.raw.lstrip()[:1] == b'"' else None
    if isinstance(value, str):
        yield "", value.encode("utf-8", "surrogatepass")


def _to_json_string(body: Body) -> Iterator[Found]:
    text = body.raw.decode()
    yield "", json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
    yield "", json.dumps(text).encode()


def _python_literal(body: Body) -> Iterator[Found]:
    text = body.raw.strip()
    if text[:2] in {b"b'", b'b"'}:
        value = ast.literal_eval(text.decode())
        if isinstance(value, bytes):
            yield "", value


def _nothing(_: Body) -> Iterator[Found]:
    yield "", b""


def _always(_: bytes) -> bool:
    return True


def _begins(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda raw: raw[:64].lstrip().startswith(signs)


def _is_base64(raw: bytes) -> bool:
    return _BASE64.match(raw) is not None


def _is_form(raw: bytes) -> bool:
    return b"=" in raw and not _is_json(raw)


_is_json = _begins(b"{", b"[")


@dataclass(frozen=True, slots=True)
class Row:
    """One mistake: from the body we have to those that may have been signed."""

    name: str
    repair: Callable[[Body], Iterable[Found]]
    """Raises ValueError (or its kin) where this can't have happened."""
    cost: int = 2
    """Of a byte, in bytes through SHA-256."""
    applies: Callable[[bytes], bool] = _always
    """A look that costs nothing."""
    cost_of_item: int = 0
    """Of each comma beside that."""

    def price(self, raw: bytes) -> int:
        """Say what it costs to try this on `raw`, in bytes through SHA-256."""
        return self.cost * len(raw) + (self.cost_of_item * raw.count(b",") if self.cost_of_item else 0)

    def variants(self, body: Body) -> Iterator[tuple[Mistake, bytes]]:
        """Return what may have been signed, with what it would mean; nothing where this can't have happened."""
        try:
            for detail, raw in self.repair(body):
                yield Mistake(self.name, detail), raw
        except (ValueError, SyntaxError, RecursionError, MemoryError, zlib.error):
            return


_SIMPLE: Final[Sequence[Row]] = (
    Row("body.newline_added", _added(b"\n")),
    Row("body.newline_missing", _missing(b"\n")),
    Row("body.crlf_added", _added(b"\r\n")),
    Row("body.crlf_missing", _missing(b"\r\n")),
    Row("body.crlf_became_lf", _to_crlf, 5),
    Row("body.lf_became_crlf", _to_lf, 4),
    Row("body.bom_added", _without_bom),
    Row("body.bom_missing", _with_bom),
    Row("body.blanks_around", _stripped, 4),
    Row("body.base64", _from_base64, 20, _is_base64),
    Row("body.json_string", _from_json_string, 10, _begins(b'"')),
    Row("body.python_literal", _python_literal, 60, _begins(b"b'", b'b"')),
    Row("body.percent", _from_percent, 300, lambda raw: b"%" in raw),
    Row("body.form_value_signed", _form_value, 150, _is_form),
    Row("body.double_utf8", _double_utf8, 8),
    Row("body.utf8_signed", _utf8_signed, 8),
    Row("body.latin1_signed", _latin1_signed, 6),
    Row("body.signature_cut", _signature_cut, 10, _is_json),
    Row("body.signature_emptied", _signature_emptied, 10, _is_json),
    Row("body.part_signed", _part, 40, _is_json, 1500),
    Row("body.gzip", _unpacked, 20),
    Row("body.empty_signed", _nothing, 0),
)
_LIKELY_FORMS: Final = 12
_LAST: Final[Sequence[Row]] = (
    Row("body.base64_signed", _to_base64, 6),
    Row("body.json_string_signed", _to_json_string, 10),
    Row("body.form_rewritten", _form_rewritten, 350, _is_form),
    Row("body.percent_signed", _to_percent, 220),
    Row("body.form_decoded", _form_decoded, 150),
)


def _forms(forms: Iterable[Form]) -> list[Row]:
    return [
        Row("body.json_rewritten", partial(_rewritten, form), 30, _is_json, 3000 if form.numbers else 1500)
        for form in forms
    ]


ROWS: Final[Sequence[Row]] = (*_SIMPLE, *_forms(FORMS[:_LIKELY_FORMS]), *_LAST, *_forms(FORMS[_LIKELY_FORMS:]))
"""The likely and the cheap ones first."""
