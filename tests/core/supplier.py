"""A supplier to test with: what it signs, and how it is refused."""

import hmac

import pytest

from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Key, Scheme, Secret, verify

NOW = 1_750_000_000_000
SECRET = Secret(b"acme-secret-0123456789", "env:ACME_SECRET")
OLD_SECRET = Secret(b"the-old-one-0123456789", "env:ACME_SECRET_OLD")
BODY = b'{"event":"order.created","data":{"reference":"R-1"}}'
STAMPED: dict[str, object] = {"signature_header": "X-Sig", "timestamp_header": "X-Time", "signed": "{timestamp}.{body}"}
LISTED: dict[str, object] = {
    "signature_header": "X-Sig",
    "list_separator": ",",
    "pair_separator": "=",
    "signature_key": "v1",
    "timestamp_key": "t",
    "signed": "{timestamp}.{body}",
}


def scheme_of(**table: object) -> Scheme:
    return Scheme.parse({"signature_header": "X-Sig"} | table)


def delivery(headers: dict[str, str] | None = None, body: bytes = BODY, url: str = "") -> Delivery:
    pairs = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items())
    return Delivery("acme", body, pairs, NOW, b"", url=url)


def mac(message: bytes, secret: Secret = SECRET, algorithm: str = "sha256") -> str:
    return hmac.digest(secret.value, message, algorithm).hex()


def key_of(scheme: Scheme, secret: Secret = SECRET) -> Key:
    return scheme.keys([secret])[0]


def refusal(scheme: Scheme, received: Delivery, now: int = NOW) -> SignatureError:
    with pytest.raises(SignatureError) as raised:
        verify(received, scheme, scheme.keys([SECRET, OLD_SECRET]), now=now)
    return raised.value
