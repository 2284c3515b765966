"""Headers that carry a token are shown masked, whatever the supplier calls them."""

import pytest

from webhookctl.core.redaction import redact_header

# Each is a supplier's, or in wide use; what carries the token, or is made with it.
CARRIERS = [
    b"Authorization",
    b"Proxy-Authorization",
    b"Cookie",
    b"X-Event-Secret",
    b"RequestVerificationToken",
    b"X-Callback-Token",
    b"X-Client-Signature",
    b"X-Apigames-Authorization",
    b"X-Auth-Key",
    b"X-Api-Key",
    b"apikey",
    b"X-Webhook-Key",
    b"X-Shopify-Hmac-Sha256",
    b"X-Signed-Payload-Sig",
    b"X-VERIFY",
    b"webhook-signature",
    b"X-Password",
    b"X-Session-Id",
]


@pytest.mark.parametrize("name", CARRIERS)
def test_what_carries_a_token_is_masked(name: bytes) -> None:
    """In either case of its letters."""
    assert "CANARY" not in redact_header(name, b"CANARY-0123456789")
    assert "CANARY" not in redact_header(name.lower(), b"CANARY-0123456789")


@pytest.mark.parametrize("name", [b"content-type", b"user-agent", b"webhook-id", b"x-event-name", b"x-forwarded-for"])
def test_the_others_are_shown(name: bytes) -> None:
    """They tell what happened; what could act on a terminal is escaped."""
    assert redact_header(name, b"seen\x1b[2J") == "seen\\x1b[2J"


def test_a_suppliers_own_header_is_masked() -> None:
    """One that the settings name, though nothing about it looks like it."""
    assert redact_header(b"X-Zendit-Door", b"CANARY-0123456789", {b"x-zendit-door"}) == "•••••-89"
