"""What the suppliers' own libraries sign is accepted, and with one byte of it changed refused."""

import base64
import json
import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

import pytest
import standardwebhooks
import stripe
import svix
from slack_sdk.signature import SignatureVerifier

from tests.core.supplier import BODY, delivery
from webhookctl import suppliers
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.signatures import Scheme, Secret, sign, verify

TEXT = "library-secret-0123456789"
WHSEC = "whsec_" + base64.b64encode(TEXT.encode()).decode()
_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
NOW = datetime.now(UTC).replace(microsecond=0)
"""The libraries look at the clock themselves."""
SECONDS = int(NOW.timestamp())

Signer: TypeAlias = Callable[[str], dict[str, str]]
Checker: TypeAlias = Callable[[bytes, Mapping[str, str]], object]


def by_standardwebhooks(body: str) -> dict[str, str]:
    signature = standardwebhooks.Webhook(WHSEC).sign("msg_1", NOW, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS), "webhook-signature": signature}


def by_svix(body: str) -> dict[str, str]:
    signature = svix.Webhook(WHSEC).sign("msg_1", NOW, body)
    return {"svix-id": "msg_1", "svix-timestamp": str(SECONDS), "svix-signature": signature}


def by_stripe(body: str) -> dict[str, str]:
    header: str = stripe.WebhookSignature.generate_signature_header(body, TEXT, SECONDS)
    return {"Stripe-Signature": header}


def by_slack(body: str) -> dict[str, str]:
    signature = SignatureVerifier(TEXT).generate_signature(timestamp=str(SECONDS), body=body)
    return {"X-Slack-Request-Timestamp": str(SECONDS), "X-Slack-Signature": str(signature)}


def check_with_standardwebhooks(body: bytes, headers: Mapping[str, str]) -> None:
    standardwebhooks.Webhook(WHSEC).verify(body, dict(headers), json_parse=False)


def check_with_slack(body: bytes, headers: Mapping[str, str]) -> None:
    assert SignatureVerifier(TEXT).is_valid_request(body, headers)


LIBRARIES: list[tuple[str, str, Signer, Checker]] = [
    ("standard-webhooks", WHSEC, by_standardwebhooks, check_with_standardwebhooks),
    ("svix", WHSEC, by_svix, lambda body, headers: svix.Webhook(WHSEC).verify(body, dict(headers))),
    (
        "stripe",
        TEXT,
        by_stripe,
        lambda body, headers: stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], TEXT, 300),
    ),
    ("slack", TEXT, by_slack, check_with_slack),
]


@pytest.mark.parametrize(("name", "secret", "signed_by", "check"), LIBRARIES, ids=[name for name, *_ in LIBRARIES])
@pytest.mark.parametrize("body", [BODY.decode(), json.dumps({"café": "☕\u2028"}, ensure_ascii=False), "", "\r\n "])
def test_libraries_agree(name: str, secret: str, signed_by: Signer, check: Checker, body: str) -> None:
    """What a library signs we accept, what is changed we refuse, and what we sign the library accepts."""
    scheme = Scheme.parse(suppliers.scheme_of(name))
    keys = scheme.keys([Secret(secret.encode(), "env:S")])
    headers = signed_by(body)
    now = SECONDS * 1000

    assert verify(delivery(headers, body.encode()), scheme, keys, now=now).matched == "env:S"
    with pytest.raises(SignatureError) as raised:
        verify(delivery(headers, body.encode() + b" "), scheme, keys, now=now)
    assert raised.value.reason is Reason.MISMATCH
    check(body.encode(), sign(scheme, keys[0], body=body.encode(), now=now, message_id="msg_2").headers)


@pytest.mark.parametrize(("name", "secret", "signed_by", "check"), LIBRARIES, ids=[name for name, *_ in LIBRARIES])
def test_each_changed_letter(name: str, secret: str, signed_by: Signer, check: Checker) -> None:
    """Whichever letter of whichever header is another one, the delivery is refused."""
    scheme = Scheme.parse(suppliers.scheme_of(name))
    keys = scheme.keys([Secret(secret.encode(), "env:S")])
    headers = signed_by("{}")
    check(b"{}", headers)

    for header, value in headers.items():
        for place, letter in enumerate(value):
            for other in {"0", "1", _neighbour(letter)} - {letter}:
                changed = value[:place] + other + value[place + 1 :]
                with pytest.raises(SignatureError):
                    verify(delivery(headers | {header: changed}, b"{}"), scheme, keys, now=SECONDS * 1000)


def _neighbour(letter: str) -> str:
    """Return the base64 letter that differs by its last bit alone, of which the last letter of all means nothing."""
    place = _BASE64.find(letter)
    return _BASE64[place ^ 1] if place >= 0 else "0"
