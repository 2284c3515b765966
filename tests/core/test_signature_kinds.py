"""What proves a delivery that carries no MAC: a token, a digest, a public key, or nothing."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.core.supplier import BODY, NOW, OLD_SECRET, PRIVATE, SECRET, delivery, refusal, signed_by
from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import Reason, SignatureError, UsageError
from webhookctl.core.signatures import Key, PrivateKey, Scheme, Secret, sign, verify

TOKEN = Scheme.parse({"kind": "token", "signature_header": "X-Token"})
IN_BODY = Scheme.parse({"kind": "token", "signature_pointer": "/auth/token"})
BEARER = Scheme.parse({"kind": "token", "signature_header": "Authorization", "prefix": "Bearer "})
DIGEST: dict[str, object] = {"kind": "digest", "signature_header": "X-Sign", "algorithm": "md5"}
ED25519 = Scheme.parse(
    {"kind": "ed25519", "signature_header": "X-Sig", "secret_encoding": "hex", "signed": "{url}{body}"}
)
PUBLIC = Secret(PRIVATE.public_key().public_bytes_raw().hex().encode(), "env:PUBLIC")
OTHER = Secret(Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex().encode(), "env:OTHER")
ITEM = b'{"NotificationRequestItem":{}}'


# Tokens.


def test_tokens() -> None:
    """The secret itself proves the sender, in a header or the body, and any of several secrets does."""
    text = OLD_SECRET.value.decode()
    body = f'{{"auth":{{"token":"{text}"}}}}'.encode()

    for scheme, received in [
        (TOKEN, delivery({"X-Token": text})),
        (TOKEN, delivery({"x-token": f" {text}\n"})),
        (BEARER, delivery({"Authorization": f"Bearer {text}"})),
        (IN_BODY, delivery({}, body)),
    ]:
        keys = scheme.keys([SECRET, OLD_SECRET])
        assert verify(received, scheme, keys, now=NOW) == Verified(received, "env:ACME_SECRET_OLD")


@pytest.mark.parametrize(
    ("scheme", "headers", "body", "reason", "words"),
    [
        (TOKEN, {}, BODY, Reason.MISSING_HEADER, "has no token: no header X-Token"),
        (TOKEN, {"X-Secret": "x"}, BODY, Reason.MISSING_HEADER, "It has x-secret: is that the one to name"),
        (TOKEN, {"X-Token": ""}, BODY, Reason.MALFORMED, "In the header X-Token stands no token."),
        (TOKEN, {"X-Token": "acme"}, BODY, Reason.MISMATCH, "is none of ours (env:ACME_SECRET, env:ACME_SECRET_OLD)"),
        (TOKEN, {"X-Token": SECRET.value.decode() + "x"}, BODY, Reason.MISMATCH, "none of ours"),
        (TOKEN, {"X-Token": SECRET.value.decode()[:-1]}, BODY, Reason.MISMATCH, "none of ours"),
        (TOKEN, {"X-Token": SECRET.value.decode().upper()}, BODY, Reason.MISMATCH, "none of ours"),
        (TOKEN, {"X-Token": "é"}, BODY, Reason.MISMATCH, "none of ours"),
        (BEARER, {"Authorization": SECRET.value.decode()}, BODY, Reason.MALFORMED, "no token behind 'Bearer '"),
        (BEARER, {"Authorization": "Bearer "}, BODY, Reason.MALFORMED, "no token behind 'Bearer '"),
        (IN_BODY, {}, BODY, Reason.MISSING_HEADER, "Nor does /auth/token stand in the body"),
        (IN_BODY, {}, b'{"auth":{"token":""}}', Reason.MALFORMED, "/auth/token of the body stands no token"),
        (IN_BODY, {}, b'{"auth":{"token":"a","token":"b"}}', Reason.MALFORMED, "stands twice"),
    ],
)
def test_tokens_that_are_none(scheme: Scheme, headers: dict[str, str], body: bytes, reason: Reason, words: str) -> None:
    """A token is ours to the last letter or is refused, and no sentence repeats it."""
    error = refusal(scheme, delivery(headers, body))

    assert error.reason is reason
    assert words in str(error)
    assert SECRET.value.decode() not in str(error)


def test_tokens_beyond_ascii() -> None:
    """A token is compared in bytes: UTF-8 in the body as in a header."""
    secret = Secret("geheimnis-für-händler".encode(), "env:S")
    in_header = sign(TOKEN, TOKEN.signing_key(secret), body=BODY, now=NOW)
    in_body = sign(IN_BODY, IN_BODY.signing_key(secret), body=b'{"auth":{}}', now=NOW)

    assert verify(delivery(in_header.headers), TOKEN, TOKEN.keys([secret]), now=NOW).matched == "env:S"
    assert verify(delivery({}, in_body.body), IN_BODY, IN_BODY.keys([secret]), now=NOW).matched == "env:S"


# Digests.


@pytest.mark.parametrize(
    ("signed", "message"),
    [
        ("{param:id}{secret}", "M1acme-secret-0123456789"),
        ("{param:id}:{secret}:{json:/data/reference}", "M1:acme-secret-0123456789:R-1"),
        ("{body}{secret}", BODY.decode() + "acme-secret-0123456789"),
    ],
)
@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_digests(signed: str, message: str, algorithm: str) -> None:
    """A plain hash with the secret in the text proves what is in the text, for whichever secret it was made with."""
    scheme = Scheme.parse(DIGEST | {"signed": signed, "algorithm": algorithm, "params": {"id": "M1"}})
    keys = scheme.keys([OLD_SECRET, SECRET])
    digest = hashlib.new(algorithm, message.encode()).hexdigest()

    assert verify(delivery({"X-Sign": digest}), scheme, keys, now=NOW).matched == "env:ACME_SECRET"
    assert sign(scheme, keys[1], body=BODY, now=NOW).headers == {"X-Sign": digest}
    assert refusal(scheme, delivery({"X-Sign": "0" * len(digest)})).reason is Reason.MISMATCH
    assert refusal(scheme, delivery({"X-Sign": digest[:-2]})).reason is Reason.MALFORMED


# Ed25519.


def test_public_keys() -> None:
    """What the private key signed is proven by any of our public keys; not a byte may be another."""
    message = b"https://shop.example/hook" + BODY
    signature = PRIVATE.sign(message).hex()
    keys = ED25519.keys([OTHER, PUBLIC])
    received = delivery({"X-Sig": signature}, url="https://shop.example/hook")

    assert verify(received, ED25519, keys, now=NOW).matched == "env:PUBLIC"
    for changed in (
        received._replace(body=BODY + b" "),
        received._replace(url="https://shop.example/hooks"),
        delivery({"X-Sig": "0" * 128}, url="https://shop.example/hook"),
        delivery({"X-Sig": "f" * 128}, url="https://shop.example/hook"),
    ):
        with pytest.raises(SignatureError, match=r"with any public key we have \(env:OTHER, env:PUBLIC\)") as raised:
            verify(changed, ED25519, keys, now=NOW)
        assert raised.value.reason is Reason.MISMATCH


def test_signatures_of_another_length() -> None:
    """An Ed25519 signature has 64 bytes; what has not is no signature at all."""
    received = delivery({"X-Sig": "0" * 126}, url="https://shop.example/hook")
    with pytest.raises(SignatureError, match="no signature of ed25519 in hex"):
        verify(received, ED25519, ED25519.keys([PUBLIC]), now=NOW)


def test_public_keys_sign_nothing() -> None:
    """Only with the private key can the supplier be played: the public one is refused in words."""
    private = PrivateKey(PRIVATE.private_bytes_raw(), "env:PRIVATE")
    signed = sign(ED25519, private, body=BODY, now=NOW, url="https://shop.example/hook")
    received = delivery(signed.headers, url="https://shop.example/hook")

    assert verify(received, ED25519, ED25519.keys([PUBLIC]), now=NOW).matched == "env:PUBLIC"
    with pytest.raises(UsageError, match="a private key, which only the supplier has"):
        sign(ED25519, Key(private.value, "env:PRIVATE"), body=BODY, now=NOW, url="https://shop.example/hook")


# Nothing.


def test_nothing_is_signed() -> None:
    """Kind `none` takes whatever comes, says so where a secret's name would stand, and is played without a secret."""
    scheme = Scheme.parse({"kind": "none"})
    signed = sign(scheme, None, body=b"\xff", now=NOW)

    assert verify(delivery({}, b"\xff"), scheme, (), now=NOW).matched == "none"
    assert (signed.headers, signed.body) == ({}, b"\xff")


def test_signing_without_a_secret() -> None:
    """Every other kind refuses to sign without a secret."""
    for scheme in (TOKEN, Scheme.parse(DIGEST | {"signed": "{secret}"}), ED25519):
        with pytest.raises(UsageError, match="needs a secret"):
            sign(scheme, None, body=BODY, now=NOW)


# One item only.


@pytest.mark.parametrize("more", [ITEM, b"null", b'{"a":{},"a":{}}', b",".join([ITEM] * 5000)])
def test_more_items_than_are_signed(more: bytes) -> None:
    """Only the first item's signature is checked, so a delivery of several is refused as a whole."""
    scheme, keys, good = signed_by("adyen-item")
    end = good.body.rindex(b"]")
    several = good._replace(body=good.body[:end] + b"," + more + good.body[end:])

    assert verify(good, scheme, keys, now=NOW).matched == "env:S"
    assert verify(several, replace(scheme, single_item=None), keys, now=NOW).matched == "env:S"
    with pytest.raises(SignatureError, match="more than one item, and only the first is signed") as raised:
        verify(several, scheme, keys, now=NOW)
    assert raised.value.reason is Reason.MALFORMED
