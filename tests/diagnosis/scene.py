"""A supplier that signs, and what is received of it, each step of which can be made wrong.

Nothing here is shared with the diagnosis: a scene makes the mistake, the diagnosis must find it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from webhookctl import suppliers
from webhookctl.core import jsontext
from webhookctl.core.deliveries import Delivery
from webhookctl.core.diagnosis import Case, Diagnosis, diagnose
from webhookctl.core.errors import SchemeError, SignatureError
from webhookctl.core.signatures import (
    Encoding,
    Key,
    Kind,
    Scheme,
    Secret,
    SecretEncoding,
    TimestampFormat,
    params_needed,
    verify,
)
from webhookctl.core.signatures.template import Source

NOW: Final = 1_777_645_391_123
URL: Final = "https://shop.example/webhooks/acme?from=acme"
BYTES: Final = bytes(range(0x3B, 0x3B + 32))
"""What an encoded secret decodes to."""
TEXT: Final = "Secret&<Key>%test_0123456789abcdef"
PRIVATE: Final = Ed25519PrivateKey.from_private_bytes(BYTES)
DOCUMENT: Final[Mapping[str, Any]] = {
    "id": "evt_1",
    "event": "order.fulfilled",
    "data": {"reference": "R-1", "link": "https://x.example/a?b=1&c=<2>", "name": "Zoë's Café"},
    "total": 20.0,
    "items": [1, 2.5, None, True],
}
ENCODE: Final[Mapping[Encoding, Callable[[bytes], str]]] = {
    Encoding.HEX: lambda raw: raw.hex(),
    Encoding.BASE64: lambda raw: base64.b64encode(raw).decode(),
    Encoding.BASE64URL: lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
}
TIMESTAMPS: Final[Mapping[TimestampFormat, str]] = {
    TimestampFormat.UNIX: "1777645391",
    TimestampFormat.UNIX_MS: "1777645391123",
    TimestampFormat.RFC3339: "2026-05-01T14:23:11Z",
}


@dataclass(frozen=True)
class Scene:
    """One delivery in the making; makers of mistakes replace a step."""

    name: str
    scheme: Scheme
    key: bytes
    """What the supplier signs with."""
    ours: tuple[bytes, ...]
    """What we have for secrets, as written."""
    document: bytes
    """What is signed, and received unless `mangle` says otherwise."""
    timestamp: str
    """As it is sent."""
    signed_timestamp: str
    message_id: str = "msg_1"
    url: str = URL
    received_url: str = URL
    others: tuple[bytes, ...] = ()
    content: Callable[["Scene"], bytes] | None = None
    digest: Callable[[bytes, bytes], bytes] | None = None
    encode: Callable[[bytes], str] | None = None
    wrap: Callable[[str], str] | None = None
    dress: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] = lambda headers: headers
    mangle: Callable[[bytes], bytes] = lambda body: body
    presets: Mapping[str, Scheme] = field(default_factory=dict)
    now: int = NOW

    @property
    def in_body(self) -> bool:
        return not self.scheme.signature_header and self.scheme.signature_pointer is not None

    @property
    def source(self) -> Source:
        headers = {
            name.key: self.message_id.encode() for template in self.scheme.templates for name in template.headers
        }
        return Source(self.document, headers, self.url, "POST", self.signed_timestamp.encode(), self.key)

    def message(self) -> bytes:
        """Return what the supplier signs."""
        if self.content is not None:
            return self.content(self)
        return (self.scheme.in_body if self.in_body else self.scheme.signed).render(self.source)

    def raw_signature(self) -> bytes:
        scheme = self.scheme
        if self.digest is not None:
            return self.digest(self.key, self.message())
        if scheme.kind is Kind.TOKEN:
            return self.key
        if scheme.kind is Kind.ED25519:
            return PRIVATE.sign(self.message())
        if scheme.kind is Kind.DIGEST:
            return hashlib.new(scheme.algorithm.value, self.message()).digest()
        return hmac.digest(self.key, self.message(), scheme.algorithm.value)

    def written(self) -> str:
        """Return the signature's text without what stands around it."""
        raw = self.raw_signature()
        if self.scheme.kind is Kind.TOKEN and self.encode is None:
            return raw.decode()
        return (self.encode or ENCODE[self.scheme.encoding])(raw)

    def wrapped(self) -> str:
        """Return the header's whole value."""
        scheme, text = self.scheme, self.written()
        if self.wrap is not None:
            return self.wrap(text)
        text = scheme.prefix.decode() + text
        if scheme.signature_key is None:
            return text
        pairs = [(scheme.signature_key.decode(), text)]
        if scheme.timestamp_key is not None:
            pairs.insert(0, (scheme.timestamp_key.decode(), self.timestamp))
        pair, comma = (scheme.pair_separator or b"").decode(), (scheme.list_separator or b"").decode()
        return comma.join(f"{name}{pair}{value}" for name, value in pairs)

    def delivered(self) -> Delivery:
        """Return what is received."""
        scheme, body = self.scheme, self.document
        headers = [(str(name), self.message_id) for template in scheme.templates for name in template.headers]
        headers = [
            pair for pair in headers if not (scheme.timestamp_header and pair[0] == str(scheme.timestamp_header))
        ]
        headers = list(dict.fromkeys(headers))
        if scheme.timestamp_header is not None:
            headers.append((str(scheme.timestamp_header), self.timestamp))
        if self.in_body and scheme.signature_pointer is not None:
            body = jsontext.with_text(body, scheme.signature_pointer, self.wrapped())
        else:
            headers.append((str(scheme.signature_header[0]), self.wrapped()))
        pairs = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in self.dress(headers))
        return Delivery("acme", self.mangle(body), pairs, NOW, b"", url=self.received_url)

    def secrets(self) -> list[Secret]:
        return [Secret(value, f"env:OURS_{number}") for number, value in enumerate(self.ours)]

    def failure(self) -> SignatureError | None:
        """Return how it fails; None where it verifies."""
        keys = list[Key]()
        for secret in self.secrets():
            with suppress(SchemeError):  # one that can't be decoded is a mistake too
                keys += self.scheme.keys([secret], allow_short=True)
        try:
            verify(self.delivered(), self.scheme, keys, now=self.now)
        except SignatureError as error:
            return error
        return None

    def diagnosed(self, failure: SignatureError, **options: int) -> Diagnosis:
        others = [Secret(value, f"env:OTHER_{number}") for number, value in enumerate(self.others)]
        case = Case(self.delivered(), self.scheme, self.secrets(), others, self.presets)
        return diagnose(case, failure, now=self.now, **options)

    def but(self, **changes: Any) -> "Scene":  # noqa: ANN401 - any field of ours
        return replace(self, **changes)


@cache
def schemes() -> Mapping[str, Scheme]:
    """Return every preset's scheme."""
    found = {}
    for name in suppliers.names():
        table = suppliers.scheme_of(name)
        params = dict.fromkeys(params_needed(table), "param-1")
        found[name] = Scheme.parse({**table, "params": params | dict(table.get("params", {}))} if params else table)
    return found


def presets() -> Sequence[str]:
    """Return the names of those that prove anything."""
    return [name for name, scheme in schemes().items() if scheme.kind is not Kind.NONE]


def secret_text(scheme: Scheme) -> tuple[bytes, bytes]:
    """Return a secret as this scheme has it written, and the key that it is."""
    if scheme.kind is Kind.ED25519:
        value = PRIVATE.public_key().public_bytes_raw()
    else:
        value = BYTES if scheme.secret_encoding is not SecretEncoding.UTF8 else TEXT.encode()
    written = {
        SecretEncoding.UTF8: value,
        SecretEncoding.HEX: value.hex().encode(),
        SecretEncoding.BASE64: base64.b64encode(value),
    }[scheme.secret_encoding]
    return scheme.secret_prefix + written, value


def document_for(scheme: Scheme, timestamp: str) -> bytes:
    """Return a body that has all that this scheme reads in one."""
    document = json.loads(json.dumps(DOCUMENT))
    pointers = [pointer for template in scheme.templates for pointer in template.fields]
    places = {pointer: f"text-{number}" for number, pointer in enumerate(pointers)}
    if scheme.timestamp_pointer is not None:
        places[scheme.timestamp_pointer] = timestamp
    if scheme.signature_pointer is not None and not scheme.signature_header:
        places[scheme.signature_pointer] = ""
    for pointer, text in places.items():
        put(document, pointer.tokens, text)
    return json.dumps(document, ensure_ascii=False).encode()


def put(value: Any, tokens: Sequence[str], text: str) -> None:  # noqa: ANN401 - any JSON value
    *path, last = tokens
    for token, following in zip(path, tokens[1:], strict=True):
        empty: Any = [] if following.isdigit() else {}
        if isinstance(value, list):
            if len(value) <= int(token):
                value.append(empty)
            value = value[int(token)]
        else:
            if not isinstance(value.get(token), dict | list):
                value[token] = empty
            value = value[token]
    value[last] = text


@cache
def scene(name: str) -> Scene:
    """Return a valid delivery of the preset."""
    scheme = schemes()[name]
    ours, key = secret_text(scheme)
    timestamp = TIMESTAMPS[scheme.timestamp_format]
    document = document_for(scheme, timestamp)
    return Scene(name, scheme, key, (ours,), document, timestamp, timestamp, presets=schemes())
