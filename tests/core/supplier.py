"""A supplier to test with: what it signs, and how it is refused."""

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from webhookctl import suppliers
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Key, Kind, Scheme, Secret, SecretEncoding, sign, verify
from webhookctl.suppliers.schema import with_params

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "signature_vectors.json").read_text("utf-8"))
NOW = 1_750_000_000_000
URL = "https://shop.example/webhooks/acme"
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


# What each preset takes: a secret and what it is checked with, a body that its scheme and mapping find their way in.

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_PAYLOAD = {
    "event": "order.fulfilled",
    "type": "order.fulfilled",
    "timestamp": NOW // 1000,
    "data": {
        "reference": "R-1",
        "order_id": "S-1",
        "status": "fulfilled",
        "items": [{"sku": "steam", "code": "AAAA-BBBB", "pin": None}],
    },
}
_ADYEN = {
    "pspReference": "7914073381342284",
    "merchantAccountCode": "Acme",
    "merchantReference": "R-1",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
    "additionalData": {},
}
_PAYLOADS: dict[str, Any] = {
    "adyen-item": {"live": "false", "notificationItems": [{"NotificationRequestItem": _ADYEN}]},
    "mailgun": {"signature": {"token": "0123456789abcdef"}, "event-data": {"event": "delivered", "id": "R-1"}},
    "midtrans": {
        "order_id": "R-1",
        "status_code": "200",
        "gross_amount": "100000.00",
        "transaction_status": "settlement",
        "transaction_id": "S-1",
    },
}


def payload_for(name: str) -> bytes:
    """Return a body such as the preset `name` is made for, not yet signed."""
    return json.dumps(_PAYLOADS.get(name, _PAYLOAD), indent=1).encode()


def secrets_for(scheme: Scheme) -> tuple[Secret, Secret]:
    """Return what the supplier signs with and what we check with, written as the scheme wants it."""
    if scheme.kind is not Kind.ED25519:
        secret = Secret(_written(b"preset-secret-0123456789", scheme.secret_prefix, scheme), "env:S")
        return secret, secret
    public = PRIVATE.public_key().public_bytes_raw()
    private_prefix = scheme.secret_prefix.replace(b"pk", b"sk")
    return (
        Secret(_written(PRIVATE.private_bytes_raw(), private_prefix, scheme), "env:S"),
        Secret(_written(public, scheme.secret_prefix, scheme), "env:S"),
    )


def _written(value: bytes, prefix: bytes, scheme: Scheme) -> bytes:
    match scheme.secret_encoding:
        case SecretEncoding.HEX:
            return prefix + value.hex().encode()
        case SecretEncoding.BASE64:
            return prefix + base64.b64encode(value)
        case SecretEncoding.UTF8:
            return value


def signed_by(name: str, *, in_body: bool = False) -> tuple[Scheme, tuple[Key, ...], Delivery]:
    """Return a valid delivery of the preset `name`, made at `NOW`, with its scheme and keys."""
    scheme = Scheme.parse(with_params(suppliers.scheme_of(name)))
    ours, theirs = secrets_for(scheme)
    key = None if scheme.kind is Kind.NONE else scheme.signing_key(ours)
    body = payload_for(name)
    signed = sign(scheme, key, body=body, now=NOW, message_id="msg_1", url=URL, in_body=in_body)
    return scheme, scheme.keys([theirs]), delivery(signed.headers, signed.body, URL)
