"""Signing anew what came: time and signature change, and nothing else."""

import json

import pytest

from webhookctl import suppliers
from webhookctl.core.deliveries import Delivery, Headers
from webhookctl.core.errors import UsageError
from webhookctl.core.ports.replays import Parcel
from webhookctl.core.signatures import Scheme, Secret, verify
from webhookctl.flows.resend import Signer

OLD, NOW = 1_700_000_000_000, 1_777_000_000_000
SECRET = Secret(b"whsec_" + b"QUJD" * 11, "env:S")


def signer(preset: str) -> Signer:
    scheme = Scheme.parse(suppliers.scheme_of(preset))
    return Signer(preset, scheme, scheme.signing_key(SECRET, allow_short=True))


def proven(made: Signer, headers: Headers, body: bytes) -> bool:
    """Verify as the receiver does, now."""
    delivery = Delivery("acme", body, tuple((name.lower(), value) for name, value in headers), NOW, b"")
    return verify(delivery, made.scheme, made.scheme.keys([SECRET], allow_short=True), now=NOW).matched == "env:S"


def test_the_id_of_the_event_stays() -> None:
    """Whoever has seen it knows it again; the time is new."""
    came = ((b"svix-id", b"msg_1"), (b"svix-timestamp", b"1700000000"), (b"svix-signature", b"v1,old"))
    made = signer("svix")
    headers, body = made.signed(Parcel(1, "1", "acme", came, b'{"a": 1}', "event-id"), now=NOW)

    given = dict(headers)
    assert (given[b"svix-id"], given[b"svix-timestamp"], body) == (b"msg_1", b"1777000000", b'{"a": 1}')
    assert proven(made, headers, body)


def test_without_an_id_ours_stands_in() -> None:
    """A scheme that signs an id needs one."""
    headers, _ = signer("svix").signed(Parcel(1, "1", "acme", (), b"{}", "event-id"), now=NOW)

    assert dict(headers)[b"svix-id"] == b"event-id"


def test_a_time_in_the_body_is_new_too() -> None:
    """Where signature and time stand in the body only those two change there."""
    came = b'{ "signature": {"timestamp": "%d", "token": "t", "signature": "old"}, "event-data":{"id":"7"} }'
    made = signer("mailgun")
    headers, body = made.signed(Parcel(1, "1", "acme", (), came % (OLD // 1000)), now=NOW)

    before, after = json.loads(came % (OLD // 1000)), json.loads(body)
    assert headers == ()
    assert after["signature"].pop("timestamp") == str(NOW // 1000)
    assert after["signature"].pop("signature") != before["signature"].pop("signature")
    del before["signature"]["timestamp"]
    assert (after, body[:3], body[-2:]) == (before, b'{ "', b" }")
    assert proven(made, (), body)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"signature": 1}'])
def test_what_has_no_place_for_a_signature_is_told(body: bytes) -> None:
    """As a sentence that quotes nothing of it."""
    with pytest.raises(UsageError, match="can't be signed by this scheme"):
        signer("mailgun").signed(Parcel(1, "1", "acme", (), body), now=NOW)


def test_a_signature_that_came_in_the_body_goes_in_the_body() -> None:
    """Where the scheme knows both places."""
    came = b'{"event": "order.created", "signature": "sha256=old"}'
    made = signer("generic")
    headers, body = made.signed(Parcel(1, "1", "acme", ((b"content-type", b"application/json"),), came), now=NOW)

    assert headers == ()
    assert json.loads(body)["signature"] != "sha256=old"
    assert proven(made, headers, body)
