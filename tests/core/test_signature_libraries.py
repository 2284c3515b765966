"""What the suppliers' own libraries sign is accepted, and with one byte of it changed refused."""

import base64
import json
import string
import time
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

Signer: TypeAlias = Callable[[str, int], dict[str, str]]
"""Signs a body at a moment, in seconds since 1970."""
Checker: TypeAlias = Callable[[bytes, Mapping[str, str]], object]


def by_standardwebhooks(body: str, moment: int) -> dict[str, str]:
    signature = standardwebhooks.Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(moment, UTC), body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signature}


def by_svix(body: str, moment: int) -> dict[str, str]:
    signature = svix.Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(moment, UTC), body)
    return {"svix-id": "msg_1", "svix-timestamp": str(moment), "svix-signature": signature}


def by_stripe(body: str, moment: int) -> dict[str, str]:
    header: str = stripe.WebhookSignature.generate_signature_header(body, TEXT, moment)
    return {"Stripe-Signature": header}


def by_slack(body: str, moment: int) -> dict[str, str]:
    signature = SignatureVerifier(TEXT).generate_signature(timestamp=str(moment), body=body)
    return {"X-Slack-Request-Timestamp": str(moment), "X-Slack-Signature": str(signature)}


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
    moment = int(time.time())  # the libraries look at the clock themselves
    headers = signed_by(body, moment)
    now = moment * 1000

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
    moment = int(time.time())
    headers = signed_by("{}", moment)
    check(b"{}", headers)

    for header, value in headers.items():
        for place, letter in enumerate(value):
            for other in {"0", "1", _neighbour(letter)} - {letter}:
                changed = value[:place] + other + value[place + 1 :]
                with pytest.raises(SignatureError):
                    verify(delivery(headers | {header: changed}, b"{}"), scheme, keys, now=moment * 1000)


def _neighbour(letter: str) -> str:
    """Return the base64 letter that differs by its last bit alone, of which the last letter of all means nothing."""
    place = _BASE64.find(letter)
    return _BASE64[place ^ 1] if place >= 0 else "0"
