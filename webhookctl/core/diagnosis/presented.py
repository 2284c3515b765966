"""Where the signature may stand, and how it may be written."""

import binascii
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from webhookctl.core.diagnosis.case import LONGEST_VALUE, MOST_ITEMS, Case
from webhookctl.core.diagnosis.findings import Mistake, Mistakes
from webhookctl.core.jsontext import Pointer
from webhookctl.core.signatures import Encoding, Kind

SHORTEST: Final = 8
"""Bytes. What is cut shorter could match by chance."""
_MOST: Final = 1_000
_MANY: Final = (Mistake("header.other"),) * 9
_TEXT: Final = re.compile(rb"[A-Za-z0-9+/_-]{11,}={0,2}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_SEPARATORS: Final = (b",", b";", b" ")
_NAMED: Final = re.compile(rb"[A-Za-z0-9_-]{1,20}[=:,]$")
"""A name and a sign in front of a signature."""
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_MEMBERS: Final = (
    "/signature",
    "/sign",
    "/sig",
    "/hmac",
    "/hash",
    "/digest",
    "/signature_key",
    "/token",
    "/secretKey",
    "/signature/signature",
    "/additionalData/hmacSignature",
)
_BEFORE_TOKENS: Final = (b"Bearer ", b"Token ", b"Basic ")


def presented(case: Case) -> dict[bytes, Mistakes]:
    """Return every text of the delivery that may be its signature: decoded, with what it takes for mistakes."""
    found: dict[bytes, Mistakes] = {}
    read = _tokens if case.scheme.kind is Kind.TOKEN else _signatures
    places = _places(case)
    twice = sum(at_home for _, at_home in places.values()) > 1
    for place, (value, at_home) in places.items():
        elsewhere = () if at_home else (Mistake("header.other", place),)
        doubled = (Mistake("header.twice", place),) if at_home and twice else ()
        for decoded, mistakes in read(case, value, at_home=at_home):
            told = elsewhere + doubled + mistakes
            # Of several explanations of the same bytes the smallest is kept.
            if decoded and len(found) < _MOST and len(found.get(decoded, _MANY)) > len(told):
                found[decoded] = told
    return found


def _places(case: Case) -> dict[str, tuple[bytes, bool]]:
    """Return each text of the delivery by where it stands, and whether that is where the scheme looks."""
    scheme = case.scheme
    found: dict[str, tuple[bytes, bool]] = {}
    home = next((name.key for name in scheme.signature_header if case.header(name.key) is not None), None)
    for name, value in case.delivery.headers[: 4 * MOST_ITEMS]:
        place = f"the header {name.decode('latin-1')}"
        found[f"{place}, the second of that name" if place in found else place] = (value[:LONGEST_VALUE], name == home)
    if scheme.signature_pointer is not None:
        text = case.pointed(scheme.signature_pointer)
        if text is not None:
            found[f"{scheme.signature_pointer} of the body"] = (text[:LONGEST_VALUE], home is None)
    if case.delivery.body.lstrip()[:1] == b"{":
        for written in _MEMBERS:
            text = case.pointed(Pointer.parse(written))
            if text is not None:
                found.setdefault(f"{written} of the body", (text[:LONGEST_VALUE], False))
    return found


def _tokens(case: Case, value: bytes, *, at_home: bool) -> Iterator[tuple[bytes, Mistakes]]:
    """Return what may be the token: the text itself, or what is left of it."""
    text, prefix = value.strip(), case.scheme.prefix
    yield text.removeprefix(prefix), () if text.startswith(prefix) or not at_home else _missing(prefix)
    for before in _BEFORE_TOKENS:
        if text.startswith(before):
            yield text[len(before) :], (Mistake("header.prefix_other", before.decode().strip()),)
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return
    yield decoded, (Mistake("digest.encoding", "base64"),)


def _missing(prefix: bytes) -> Mistakes:
    return (Mistake("header.prefix_missing", prefix.decode()),)


def _signatures(case: Case, value: bytes, *, at_home: bool) -> Iterator[tuple[bytes, Mistakes]]:
    for text in islice(_TEXT.finditer(value), MOST_ITEMS):
        begin = max(value.rfind(sign, 0, text.start()) for sign in _SEPARATORS) + 1
        for start in {text.start(), begin, *_behind_signs(value, begin, text.end())}:
            form = _form(case, value, start, text.end()) if at_home else ()
            for decoded, mistakes in _decoded(value[start : text.end()], case.scheme.encoding):
                yield decoded, (*form, *mistakes)


def _behind_signs(value: bytes, begin: int, end: int) -> Iterator[int]:
    """Return where a signature may begin behind a name: not at an equals sign that only fills up base64."""
    for sign in (b"=", b":"):
        at = value.find(sign, begin, end - SHORTEST)
        if at >= 0:
            yield at + 1


def _form(case: Case, value: bytes, start: int, end: int) -> Mistakes:
    """Return what is wrong with how a signature stands in its header, compared with what the scheme says."""
    scheme = case.scheme
    expected = (scheme.signature_key or b"") + (scheme.pair_separator or b"") + scheme.prefix
    before = value[:start].lstrip()
    named = _NAMED.search(before)
    lead = expected if expected and before.endswith(expected) else named[0] if named else b""
    alone = not before.removesuffix(lead).strip() and not value[end:].strip()
    joined = () if alone or scheme.list_separator is not None else (Mistake("header.joined"),)
    if lead == expected or not (lead or scheme.prefix_required):
        return joined
    if not lead:
        return (*_missing(expected), *joined)
    return (Mistake("header.prefix_other", lead.decode()), *joined)


def _decoded(text: bytes, stated: Encoding) -> Iterator[tuple[bytes, Mistakes]]:
    """Return what `text` is in each encoding; another one than the scheme's is a mistake."""

    def told(encoding: Encoding) -> Mistakes:
        return () if encoding is stated else (Mistake("digest.encoding", encoding.value),)

    if _HEX.fullmatch(text):
        yield binascii.unhexlify(text[: len(text) // 2 * 2]), told(Encoding.HEX)
    safe = text.translate(_URL_SAFE)
    # base64url's reader takes base64 too, but not the other way about.
    encoding = Encoding.BASE64URL if safe != text or stated is Encoding.BASE64URL else Encoding.BASE64
    bare = safe.rstrip(b"=")
    # Of a text that is cut short, four signs at a time tell whole bytes; of one sign left over nothing can be told.
    bare = bare[:-1] if len(bare) % 4 == 1 else bare
    try:
        value = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
    except ValueError:
        return
    yield value, told(encoding)
    if _HEX.fullmatch(value) and len(value) % 2 == 0:
        yield binascii.unhexlify(value), (Mistake("digest.hex_in_base64"),)
