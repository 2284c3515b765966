"""How the secret that we have may differ from the key that was used."""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from webhookctl.core.diagnosis.findings import Mistake
from webhookctl.core.signatures import Scheme, SecretEncoding

_BOM: Final = b"\xef\xbb\xbf"
_ENDS: Final = {b"\n": "a newline", b"\r\n": "CR LF", b" ": "a blank"}
_QUOTES: Final = (b'"', b"'")
_PREFIX: Final = re.compile(rb"[a-z]{2,8}_(?:(?:live|test)_)?")
_NAME: Final = re.compile(rb"(?:export )?[A-Za-z_][A-Za-z0-9_]*= ?")
_PREFIXES: Final = (b"whsec_",)

Found: TypeAlias = tuple[str, bytes]


def _stripped(text: bytes) -> Iterator[Found]:
    yield "", text.strip()
    yield "", text.removesuffix(b"\n").removesuffix(b"\r")


def _unstripped(text: bytes) -> Iterator[Found]:
    yield from ((words, text + end) for end, words in _ENDS.items())


def _unquoted(text: bytes) -> Iterator[Found]:
    if text[:1] in _QUOTES and text[-1:] == text[:1]:
        yield "", text[1:-1]


def _quoted(text: bytes) -> Iterator[Found]:
    yield from (("quotes", quote + text + quote) for quote in _QUOTES)


def _behind_name(text: bytes) -> Iterator[Found]:
    name = _NAME.match(text)
    if name:
        yield "", text[name.end() :].strip().strip(b"\"'")


def _without_bom(text: bytes) -> Iterator[Found]:
    yield "", text.removeprefix(_BOM)


def _halved(text: bytes) -> Iterator[Found]:
    half = len(text) // 2
    if half and text[:half] == text[-half:]:
        yield "", text[:half]


def _test_for_live(text: bytes) -> Iterator[Found]:
    for ours, theirs in ((b"test", b"live"), (b"live", b"test")):
        if ours in text:
            yield f"ours is of {ours.decode()}", text.replace(ours, theirs)


TEXTS: Final[Mapping[str, Callable[[bytes], Iterator[Found]]]] = {
    "secret.blanks_around": _stripped,
    "secret.quotes_around": _unquoted,
    "secret.twice": _halved,
    "secret.name_in_front": _behind_name,
    "secret.bom": _without_bom,
    "secret.padding_missing": lambda text: iter([("", text + b"=" * (-len(_behind_prefix(text)) % 4))]),
    "secret.blanks_missing": _unstripped,
    "secret.url_escaped": lambda text: iter([("", unquote_to_bytes(text))]),
    "secret.html_escaped": lambda text: iter([("", html.unescape(text.decode()).encode())]),
    "secret.quotes_missing": _quoted,
    "secret.upper_case": lambda text: iter([("", text.upper())]),
    "secret.lower_case": lambda text: iter([("", text.lower())]),
    "secret.url_unescaped": lambda text: iter([("", quote(text, safe="").encode())]),
    "secret.html_unescaped": lambda text: iter([("", html.escape(text.decode()).encode())]),
    "secret.test_for_live": _test_for_live,
}
"""From the text of our secret to the text that was meant; raises ValueError where this can't have happened."""


def _behind_prefix(text: bytes) -> bytes:
    prefix = _PREFIX.match(text)
    return text[prefix.end() :] if prefix else text


def _base64(text: bytes) -> bytes:
    text = _behind_prefix(text).translate(bytes.maketrans(b"-_", b"+/"))
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)


def _without_prefix(text: bytes) -> Iterator[Found]:
    prefix = _PREFIX.match(text)
    if prefix:
        # Of a prefix that is not known to be one, the letters are the secret's own.
        yield prefix[0].decode() if prefix[0] in _PREFIXES else "…_", text[prefix.end() :]


def _encoded(text: bytes) -> Iterator[Found]:
    yield "base64", base64.b64encode(text)
    yield "hex", text.hex().encode()


KEYS: Final[Mapping[str, Callable[[bytes], Iterator[Found]]]] = {
    "secret.text": lambda text: iter([("", text)]),
    "secret.base64": lambda text: iter([("", _base64(text))]),
    "secret.hex": lambda text: iter([("", binascii.unhexlify(_behind_prefix(text)))]),
    "secret.prefix_cut": _without_prefix,
    "secret.prefix_missing": lambda text: iter([(prefix.decode(), prefix + text) for prefix in _PREFIXES]),
    "secret.encoded": _encoded,
}
"""From the text of our secret to the key, against what the scheme says; raises ValueError likewise."""

_DECODE: Final[Mapping[SecretEncoding, Callable[[bytes], bytes]]] = {
    SecretEncoding.UTF8: lambda text: text,
    SecretEncoding.BASE64: lambda text: binascii.a2b_base64(text, strict_mode=True),
    SecretEncoding.HEX: binascii.unhexlify,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of a secret becomes a key by a scheme."""

    encoding: SecretEncoding
    prefix: bytes

    @classmethod
    def of(cls, scheme: Scheme) -> "Reading":
        return cls(scheme.secret_encoding, scheme.secret_prefix)

    def key(self, text: bytes) -> bytes | None:
        """Return None where it can't be read so."""
        try:
            return _DECODE[self.encoding](text.removeprefix(self.prefix)) or None
        except ValueError:
            return None

    def single(self, text: bytes) -> Iterator[tuple[Mistake, bytes]]:
        """Return the keys that one mistake would lead to."""
        for mistake, meant in _variants(TEXTS, text):
            key = self.key(meant)
            if key:
                yield mistake, key
        yield from _variants(KEYS, text)

    def double(self, text: bytes) -> Iterator[tuple[tuple[Mistake, Mistake], bytes]]:
        """Return the keys that a mistake in the text and one in reading it would lead to."""
        for first, meant in _variants(TEXTS, text):
            for second, key in _variants(KEYS, meant):
                yield (first, second), key


def _variants(table: Mapping[str, Callable[[bytes], Iterator[Found]]], text: bytes) -> Iterator[tuple[Mistake, bytes]]:
    for name, repair in table.items():
        try:
            found = [(Mistake(name, detail), value) for detail, value in repair(text)]
        except ValueError:
            continue
        yield from ((mistake, value) for mistake, value in found if value)
