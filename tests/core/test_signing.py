"""What is signed as a supplier would sign it verifies; what can't be is refused in words."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.core.supplier import BODY, NOW, OLD_SECRET, SECRET, delivery, key_of, mac, scheme_of
from webhookctl import suppliers
from webhookctl.core.errors import SchemeError, UsageError
from webhookctl.core.signatures import Scheme, Secret, sign, verify


def test_another_library_agrees() -> None:
    """An independent implementation of Standard Webhooks accepts ours, and we accept its."""
    written = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    scheme = Scheme.parse(suppliers.scheme_of("standard-webhooks"))
    key = key_of(scheme, Secret(written.encode(), "env:S"))
    moment = datetime.now(UTC)
    now = int(moment.timestamp() * 1000)
    signed = sign(scheme, key, body=BODY, now=now, message_id="msg_1")
    theirs = Webhook(written).sign("msg_2", moment, BODY.decode())
    headers = {"webhook-id": "msg_2", "webhook-timestamp": str(now // 1000), "webhook-signature": theirs}

    assert Webhook(written).verify(signed.body, signed.headers) == json.loads(BODY)
    assert verify(delivery(headers), scheme, [key], now=now).event_id == b"msg_2"


@pytest.mark.parametrize(
    ("table", "arguments", "words"),
    [
        ({}, {"in_body": True}, "no place in the body"),
        ({"signed": "{header:X-Id}{body}"}, {}, "needs a message id"),
        ({"signed": "{header:X-Id}{body}"}, {"message_id": "a\r\nX-Evil: 1"}, "printable ASCII"),
        ({"signed": "{url}{body}"}, {}, "set the public URL"),
        ({"timestamp_pointer": "/none/t"}, {}, "no object that /none/t could stand in"),
        ({"signature_pointer": "/none/s", "signed_in_body": "{json:/event}"}, {"in_body": True}, "no object that"),
    ],
)
def test_what_can_not_be_signed(table: dict[str, object], arguments: dict[str, Any], words: str) -> None:
    """Where the scheme can't be kept to, `sign` says so in words."""
    scheme = scheme_of(**table)
    with pytest.raises(UsageError, match=words):
        sign(scheme, key_of(scheme), body=BODY, now=NOW, **arguments)


def test_signing_again_replaces_the_member() -> None:
    """A payload that carries a signature gets the new one in its place."""
    scheme = Scheme.parse(suppliers.scheme_of("generic"))
    once = sign(scheme, key_of(scheme, OLD_SECRET), body=BODY, now=NOW, in_body=True)
    twice = sign(scheme, key_of(scheme), body=once.body, now=NOW, in_body=True)

    assert twice == sign(scheme, key_of(scheme), body=BODY, now=NOW, in_body=True)
    assert twice.headers == {}
    assert json.loads(twice.body)["signature"] == "sha256=" + mac(BODY)


def test_a_scheme_without_a_header_signs_in_the_body() -> None:
    """Where the scheme knows no header the signature goes into the body unasked, a timestamp there being kept."""
    scheme = Scheme.parse(
        {"signature_pointer": "/sig/value", "timestamp_pointer": "/sig/time", "signed": "{timestamp}{json:/a}"}
    )
    signed = sign(scheme, key_of(scheme), body=b'{"a":"x","sig":{"time":"1750000000"}}', now=0)
    odd = sign(scheme, key_of(scheme), body=b'{"a":"x","sig":{"time":"\xff"}}', now=0)

    assert mac(b"\xffx").encode() in odd.body
    assert json.loads(signed.body)["sig"]["value"] == mac(b"1750000000x")
    assert verify(delivery({}, signed.body), scheme, scheme.keys([SECRET]), now=NOW)


def test_a_public_key_signs_nothing() -> None:
    """Who names it for signing is told that it is the wrong half, not that it is written wrongly."""
    scheme = Scheme.parse(suppliers.scheme_of("standard-webhooks-ed25519"))
    public = Secret(b"whpk_" + base64.b64encode(bytes(32)), "env:PUBLIC")

    with pytest.raises(SchemeError, match="env:PUBLIC is a public key"):
        scheme.signing_key(public)
