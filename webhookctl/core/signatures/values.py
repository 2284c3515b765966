"""What may be written under each key of a scheme."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from webhookctl.core.errors import SchemeError
from webhookctl.core.jsontext import Pointer
from webhookctl.core.signatures.keys import SecretEncoding
from webhookctl.core.signatures.template import HeaderName
from webhookctl.core.signatures.timestamps import TimestampFormat


class Kind(StrEnum):
    """What proves a delivery."""

    HMAC = "hmac"
    """A MAC over the delivery, under a secret that both sides know."""
    TOKEN = "token"  # noqa: S105 - a kind, not a token
    """The secret itself comes along: it proves the sender, and nothing of what is said."""
    DIGEST = "digest"
    """A plain hash over fields of the delivery with the secret among them."""
    ED25519 = "ed25519"
    """A signature over the delivery; we have the public key only."""
    NONE = "none"
    """Nothing proves it: whoever knows the address may say anything."""


class Algorithm(StrEnum):
    """The hash, under the HMAC or plain."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"
    MD5 = "md5"
    """Of kind `digest` only: there are suppliers who know no better."""


class Encoding(StrEnum):
    """How a signature's bytes are written."""

    HEX = "hex"
    BASE64 = "base64"
    BASE64URL = "base64url"


Reader: TypeAlias = Callable[[str, object], Any]
"""From the key and what stands there to its value; raises `SchemeError`."""

_UNITS: Final[Mapping[str, int]] = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_DURATION: Final = re.compile(r"0|(?:[0-9]{1,9}(?:ms|s|m|h|d|w))+")
_PART: Final = re.compile(r"([0-9]+)([a-z]+)")


def _text(key: str, written: object) -> str:
    if not isinstance(written, str):
        raise SchemeError(key, f"{key} must be a text in quotes")
    return written


def _literal(key: str, written: object) -> bytes:
    text = _text(key, written)
    if not text.isascii():
        raise SchemeError(key, f"{key} must be plain ASCII")
    return text.encode()


def _word(key: str, written: object) -> bytes:
    word = _literal(key, written)
    if not word.strip():
        raise SchemeError(key, f"{key} must not be empty")
    return word


def _flag(key: str, written: object) -> bool:
    if not isinstance(written, bool):
        raise SchemeError(key, f"{key} must be true or false")
    return written


def _choice(choices: type[StrEnum]) -> Reader:
    def read(key: str, written: object) -> StrEnum:
        try:
            return choices(_text(key, written))
        except ValueError:
            raise SchemeError(key, f"{key} must be {_or(choices)}; it is {written!r}") from None

    return read


def _separator(*choices: str) -> Reader:
    def read(key: str, written: object) -> bytes:
        if written not in choices:
            raise SchemeError(key, f"{key} must be {_or(map(repr, choices))}; it is {written!r}")
        return str(written).encode()

    return read


def _or(choices: Any) -> str:  # noqa: ANN401 - any iterable of texts, an enum's class too
    return " or ".join(choices)


def _pointer(key: str, written: object) -> Pointer:
    try:
        return Pointer.parse(_text(key, written))
    except ValueError:
        raise SchemeError(key, f"{key} must be a JSON Pointer, such as /signature; it is {written!r}") from None


def _header_name(key: str, written: object) -> HeaderName:
    try:
        return HeaderName.parse(_text(key, written))
    except ValueError:
        raise SchemeError(key, f"{key} must be the name of a header; it is {written!r}") from None


def _header_names(key: str, written: object) -> tuple[HeaderName, ...]:
    names = written if isinstance(written, (list, tuple)) else [written]
    if not names:
        raise SchemeError(key, f"{key} names no header")
    return tuple(_header_name(key, name) for name in names)


def _duration(key: str, written: object) -> int:
    if written == 0 and not isinstance(written, bool):
        return 0
    if not isinstance(written, str) or not _DURATION.fullmatch(written):
        raise SchemeError(key, f'{key} must be a duration in quotes, such as "5m" or "300s", or "0" for no limit')
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(written))


def _params(key: str, written: object) -> dict[str, str]:
    if not isinstance(written, Mapping):
        raise SchemeError(key, f"{key} must be a table of names and texts")
    return {name: _text(f"{key}.{name}", text) for name, text in written.items()}


READERS: Final[Mapping[str, Reader]] = {
    "kind": _choice(Kind),
    "signature_header": _header_names,
    "signature_pointer": _pointer,
    "algorithm": _choice(Algorithm),
    "encoding": _choice(Encoding),
    "prefix": _literal,
    "prefix_required": _flag,
    "list_separator": _separator(",", ";", " "),
    "pair_separator": _separator("=", ","),
    "signature_key": _word,
    "signed": _text,
    "signed_in_body": _text,
    "timestamp_header": _header_name,
    "timestamp_key": _word,
    "timestamp_pointer": _pointer,
    "timestamp_format": _choice(TimestampFormat),
    "tolerance": _duration,
    "secret_encoding": _choice(SecretEncoding),
    "secret_prefix": _literal,
    "event_id_header": _header_name,
    "single_item": _pointer,
    "params": _params,
}
"""Every key of a scheme, and how its value is read."""
