"""Only what the supplier signed is verified, and whatever else has its reason."""

import ast
import base64
import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from tests.core.supplier import (
    BODY,
    LISTED,
    NOW,
    OLD_SECRET,
    SECRET,
    STAMPED,
    VECTORS,
    delivery,
    key_of,
    mac,
    refusal,
    scheme_of,
)
from webhookctl import suppliers
from webhookctl.core import signatures
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.signatures import Scheme, Secret, sign, verify
from webhookctl.suppliers.schema import with_params


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['preset']}: {vector['name']}")
def test_vectors(vector: dict[str, Any]) -> None:
    """Deliveries made by the rules that suppliers document are told from their changed copies."""
    scheme = Scheme.parse(vector["scheme"])
    keys = scheme.keys([Secret(vector["secret"].encode(), "env:VECTOR")], allow_short=True)
    received = delivery(vector["headers"], base64.b64decode(vector["body_base64"]))
    now = vector.get("now", 0) * 1000

    if vector["valid"]:
        assert verify(received, scheme, keys, now=now).matched == "env:VECTOR"
    else:
        with pytest.raises(SignatureError):
            verify(received, scheme, keys, now=now)


def test_vectors_fit_the_presets() -> None:
    """The presets are the very schemes that the vectors were made for."""
    assert len(VECTORS) == 62
    for vector in VECTORS:
        if vector["preset"] in suppliers.names():
            # An event id is no part of the vectors; params are the shop's; zendit's header is of the shop's choice.
            left_out = {"event_id_header", "params", *(["signature_header"] if vector["preset"] == "zendit" else [])}
            written = {key: value for key, value in vector["scheme"].items() if key not in left_out}
            preset = with_params(suppliers.scheme_of(vector["preset"]))
            assert Scheme.parse({**preset, **written}) == Scheme.parse(preset)


# Rule 1: the bytes received.


def test_nothing_is_parsed_and_printed_again() -> None:
    """Body and timestamp go into the hash as they came, be they no UTF-8, no JSON, or with leading zeros."""
    scheme = Scheme.parse(STAMPED)
    body = b'\xff\x00{"a": 1.0, "a": 1}\r\n'
    headers = {"X-Time": "001750000000", "X-Sig": mac(b"001750000000." + body)}

    assert verify(delivery(headers, body), scheme, scheme.keys([SECRET]), now=NOW).delivery.body == body


# Rule 3: timestamps.


@pytest.mark.parametrize("form", ["unix", "unix_ms", "rfc3339"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nan",
        "inf",
        "1e9",
        "1750000000.0",
        "+1750000000",
        "-1750000000",
        "1_750_000_000",
        "0x684eb500",
        " 1750000000",
        "1750000000 ",
        "9" * 400,
        "1" * 16,
        "\u0661\u0667\u0665".encode().decode("latin-1"),
        "²",
        "2025-06-15T15:06:40",
        "2025-06-15",
        "2025-W24-7T15:06:40Z",
        "2025-13-15T15:06:40Z",
        "2025-06-15T15:06:40+99:99",
        "0000-06-15T15:06:40Z",
        "Sun, 15 Jun 2025 15:06:40 GMT",
    ],
)
def test_timestamps_that_are_none(form: str, text: str) -> None:
    """What is not exactly the format is malformed, though it be signed, and though the window be off."""
    headers = {"X-Time": text, "X-Sig": mac(text.encode("latin-1") + b"." + BODY)}

    for tolerance in ("5m", "0"):
        scheme = Scheme.parse(STAMPED | {"timestamp_format": form, "tolerance": tolerance})
        assert refusal(scheme, delivery(headers)).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("unix", "1750000000"),
        ("unix", "001750000000"),
        ("unix_ms", "1750000000000"),
        ("rfc3339", "2025-06-15T15:06:40Z"),
        ("rfc3339", "2025-06-15t15:06:40.000000000z"),
        ("rfc3339", "2025-06-15 17:06:40.000+02:00"),
    ],
)
def test_the_window(form: str, text: str) -> None:
    """To both sides the window's last millisecond is within, the next is not, and the error has the skew."""
    scheme = Scheme.parse(STAMPED | {"timestamp_format": form, "tolerance": "1m30s"})
    received = delivery({"X-Time": text, "X-Sig": mac(text.encode() + b"." + BODY)})

    for skew in (-90_000, 0, 90_000):
        assert verify(received, scheme, scheme.keys([SECRET]), now=NOW + skew).matched == "env:ACME_SECRET"
    old, early = refusal(scheme, received, NOW + 90_001), refusal(scheme, received, NOW - 90_001)
    assert (old.reason, old.skew_ms) == (Reason.TOO_OLD, 90_001)
    assert (early.reason, early.skew_ms) == (Reason.IN_FUTURE, -90_001)
    assert "90.001 s in the future, and 90 s are allowed" in str(early)


def test_the_window_is_off() -> None:
    """With tolerance 0 a good signature is good for ever."""
    scheme = Scheme.parse(STAMPED | {"tolerance": "0"})
    received = delivery({"X-Time": "1", "X-Sig": mac(b"1." + BODY)})

    assert verify(received, scheme, scheme.keys([SECRET]), now=NOW).matched == "env:ACME_SECRET"


def test_only_a_good_signature_is_too_old() -> None:
    """A forger's old timestamp is a mismatch: `too_old` speaks of a clock or a replay only."""
    scheme = Scheme.parse(STAMPED)

    assert refusal(scheme, delivery({"X-Time": "1", "X-Sig": mac(b"2." + BODY)})).reason is Reason.MISMATCH


def test_missing_timestamps() -> None:
    """No timestamp where the scheme has one: rejected, wherever it should stand."""
    header, item = Scheme.parse(STAMPED), Scheme.parse(LISTED)
    pointer = scheme_of(timestamp_pointer="/t")

    assert refusal(header, delivery({"X-Sig": mac(b"." + BODY)})).reason is Reason.MISSING_HEADER
    assert refusal(item, delivery({"X-Sig": "v1=" + mac(b"." + BODY)})).reason is Reason.MALFORMED
    assert refusal(pointer, delivery({"X-Sig": mac(BODY)})).reason is Reason.MALFORMED
    assert refusal(pointer, delivery({"X-Sig": mac(b"{")}, b"{")).reason is Reason.MALFORMED


# Rule 4: blanks.


@pytest.mark.parametrize("pad", [" ", "\n", "\t ", "\r\n"])
def test_blanks_around_are_stripped(pad: str) -> None:
    """Blanks and newlines around the value and around its items do not count."""
    plain, listed = scheme_of(), Scheme.parse(LISTED)
    items = f"{pad}t=1750000000{pad},{pad}v1={mac(b'1750000000.' + BODY)}{pad}"

    assert verify(delivery({"X-Sig": pad + mac(BODY) + pad}), plain, plain.keys([SECRET]), now=NOW)
    assert verify(delivery({"X-Sig": items}), listed, listed.keys([SECRET]), now=NOW)


# Rule 6: all signatures, all secrets.


@pytest.mark.parametrize("place", range(3))
def test_each_secret_may_match(place: int) -> None:
    """Any secret may match, and the answer names it by its reference: that is how a secret is rotated."""
    secrets = [Secret(f"secret-number-{number}-0123".encode(), f"env:S{number}") for number in range(3)]
    scheme = scheme_of()

    verified = verify(delivery({"X-Sig": mac(BODY, secrets[place])}), scheme, scheme.keys(secrets), now=NOW)

    assert verified == Verified(verified.delivery, f"env:S{place}")


def test_every_pair_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """All signatures meet all secrets, in constant time each, though the first pair matches."""
    compared: list[tuple[object, object]] = []
    compare_digest = hmac.compare_digest

    def counted(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare_digest(left, right)

    scheme = Scheme.parse(LISTED | {"tolerance": "0"})
    good = mac(b"1." + BODY)
    monkeypatch.setattr(hmac, "compare_digest", counted)
    keys = scheme.keys([SECRET, OLD_SECRET])
    received = delivery({"X-Sig": f"t=1,v1={good},v1={'0' * 64},v1={good},v0={'1' * 64}"})

    assert verify(received, scheme, keys, now=NOW).matched == "env:ACME_SECRET"
    assert len(compared) == 6


def test_signatures_are_never_compared_as_text() -> None:
    """No == or != touches a secret or digest: it would tell by its time how much of a guess is right."""
    sides = [
        ast.unparse(side)
        for file in Path(signatures.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Compare) and any(isinstance(sign, (ast.Eq, ast.NotEq)) for sign in node.ops)
        for side in (node.left, *node.comparators)
    ]

    assert "len(value)" in sides
    assert not [side for side in sides if re.search("sig|mac|secret|token|digest", side, re.IGNORECASE)]


def test_too_many_signatures() -> None:
    """A list longer than any supplier's is malformed, so that nobody makes us hash for nothing."""
    scheme = Scheme.parse(LISTED)
    good = "t=1750000000,v1=" + mac(b"1750000000." + BODY)

    assert verify(delivery({"X-Sig": good + ",v1=00" * 62}), scheme, scheme.keys([SECRET]), now=NOW)
    assert "more than 64 items" in str(refusal(scheme, delivery({"X-Sig": good + ",v1=00" * 63})))


# Rule 7: reasons.


@pytest.mark.parametrize(
    ("table", "headers", "reason", "words"),
    [
        ({}, {}, Reason.MISSING_HEADER, "no header X-Sig"),
        ({}, {"X-Acme-Signature": "0"}, Reason.MISSING_HEADER, "It has x-acme-signature: is that the one"),
        ({}, {"X-Sig": ""}, Reason.MALFORMED, "no signature of sha256 in hex"),
        ({}, {"X-Sig": "0" * 63}, Reason.MALFORMED, "In the header X-Sig stands no signature"),
        ({}, {"X-Sig": "0" * 62}, Reason.MALFORMED, "no signature"),
        ({}, {"X-Sig": "0" * 66}, Reason.MALFORMED, "no signature"),
        ({}, {"X-Sig": "ü" * 64}, Reason.MALFORMED, "no signature"),
        ({}, {"X-Sig": "0" * 64}, Reason.MISMATCH, "(env:ACME_SECRET, env:ACME_SECRET_OLD)"),
        ({"prefix": "sha256="}, {"X-Sig": "0" * 64}, Reason.MALFORMED, "behind 'sha256='"),
        ({"encoding": "base64"}, {"X-Sig": "A*" * 22}, Reason.MALFORMED, "in base64"),
        ({"encoding": "base64"}, {"X-Sig": "-" * 43 + "="}, Reason.MALFORMED, "in base64"),
        ({"encoding": "base64"}, {"X-Sig": "*" + "A" * 43 + "="}, Reason.MALFORMED, "in base64"),
        ({"algorithm": "sha512"}, {"X-Sig": "0" * 64}, Reason.MALFORMED, "sha512"),
        (LISTED, {"X-Sig": "t=1,v0=" + "0" * 64}, Reason.UNKNOWN_KEY, "no v1"),
        (LISTED, {"X-Sig": "0" * 64}, Reason.UNKNOWN_KEY, "no v1"),
        (LISTED, {"X-Sig": "t=1,t=1750000000,v1=" + "0" * 64}, Reason.MALFORMED, "several timestamps"),
        ({"signed": "{header:X-Id}{body}"}, {"X-Sig": "0" * 64}, Reason.MISSING_HEADER, "no header X-Id"),
        ({"signed": "{url}{body}"}, {"X-Sig": "0" * 64}, Reason.MALFORMED, "set the public URL"),
        ({"signed": "{json:/data}"}, {"X-Sig": "0" * 64}, Reason.MALFORMED, "holds an object"),
    ],
)
def test_reasons(table: dict[str, object], headers: dict[str, str], reason: Reason, words: str) -> None:
    """Each way of not being proven has its reason and a sentence, without secret or expected signature."""
    error = refusal(scheme_of(**table), delivery(headers))

    assert error.reason is reason
    assert words in str(error)
    assert SECRET.value.decode() not in str(error)
    assert mac(BODY) not in str(error)


def test_a_header_that_stands_twice() -> None:
    """Of two values of one header nobody knows which counts: not the signature's, not one that it covers."""
    scheme = scheme_of(signed="{header:X-Id}{body}")
    good = ((b"x-sig", mac(b"1" + BODY).encode()), (b"x-id", b"1"))

    assert verify(Delivery("acme", BODY, good, NOW, b""), scheme, scheme.keys([SECRET]), now=NOW)
    for more in good:
        assert refusal(scheme, Delivery("acme", BODY, (*good, more), NOW, b"")).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.MISSING_HEADER),
        (b"hello", Reason.MISSING_HEADER),
        (b'{"a":1}', Reason.MISSING_HEADER),
        (b'{"signature":null}', Reason.MISSING_HEADER),
        (b'{"signature":"","a":1}', Reason.MALFORMED),
        (b'{"signature":7,"a":1}', Reason.MALFORMED),
        (b'{"signature":"' + b"0" * 64 + b'"}', Reason.MISMATCH),
        (b'{"signature":"' + b"0" * 64 + b'","signature":"x"}', Reason.MALFORMED),
    ],
)
def test_signatures_in_the_body(body: bytes, reason: Reason) -> None:
    """Without a header the member is looked for, and a bad one has its reason too."""
    assert refusal(Scheme.parse(suppliers.scheme_of("generic")), delivery({}, body)).reason is reason


def test_the_header_goes_before_the_body() -> None:
    """Where a header is present the member in the body counts for nothing, and the first named header counts."""
    scheme = Scheme.parse(suppliers.scheme_of("generic"))
    in_body = sign(scheme, key_of(scheme), body=BODY, now=NOW, in_body=True).body
    both = {"Webhook-Signature": "0" * 64, "X-Signature": mac(in_body)}

    assert verify(delivery({}, in_body), scheme, scheme.keys([SECRET]), now=NOW)
    assert verify(delivery(both, in_body), scheme, scheme.keys([SECRET]), now=NOW)
    assert refusal(scheme, delivery({"X-Signature": "0" * 64}, in_body)).reason is Reason.MISMATCH
    assert refusal(scheme, delivery({"X-Signature": ""}, in_body)).reason is Reason.MALFORMED


# Rule 8: the event id.


def test_event_ids() -> None:
    """Only a header that is signed tells one event from another, and an empty one would make all events the same."""
    scheme = Scheme.parse(suppliers.scheme_of("standard-webhooks") | {"secret_encoding": "utf8"})
    signed = sign(scheme, key_of(scheme), body=BODY, now=NOW, message_id="msg_1")
    without = {"webhook-id": "", "webhook-timestamp": "1750000000"}
    digest = hmac.digest(SECRET.value, b".1750000000." + BODY, "sha256")
    without["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    keys = scheme.keys([SECRET])

    assert verify(delivery(signed.headers), scheme, keys, now=NOW).event_id == b"msg_1"
    assert verify(delivery(without), scheme, keys, now=NOW).event_id is None
    assert refusal(scheme, delivery(signed.headers | {"webhook-id": "msg_2"})).reason is Reason.MISMATCH


# What the templates put where.


@pytest.mark.parametrize(
    ("signed", "message"),
    [
        ("{body}", BODY),
        ("v0:{timestamp}:{body}", b"v0:1750000000:" + BODY),
        ("{body}:{timestamp}", BODY + b":1750000000"),
        ("{timestamp}{url}{body}", b"1750000000https://shop.example/hook" + BODY),
        ("{timestamp}{method} {body}", b"1750000000POST " + BODY),
        ("{timestamp}{param:id}/{json:/data/reference}", b"1750000000M1/R-1"),
        ("{timestamp}{json:/none}|{json:/event}", b"1750000000|order.created"),
        ("{timestamp}{body-without:/data}", b'1750000000{"event":"order.created"}'),
        ("{timestamp}{body-without:/none}", b"1750000000" + BODY),
        ("{header:X-Id}.{timestamp}", b"\xe9 .1750000000"),
    ],
)
def test_templates(signed: str, message: bytes) -> None:
    """Each placeholder stands for the bytes that came."""
    stamp = {"timestamp_header": "X-Time"} if "{timestamp}" in signed else {}
    scheme = scheme_of(signed=signed, params={"id": "M1"}, **stamp)
    headers = {"X-Sig": mac(message), "X-Time": "1750000000", "X-Id": "é "}
    received = delivery(headers, url="https://shop.example/hook")

    assert verify(received, scheme, scheme.keys([SECRET]), now=NOW).matched == "env:ACME_SECRET"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64", "base64url"])
def test_algorithms_and_encodings(algorithm: str, encoding: str) -> None:
    """Decoded bytes are compared: the case of hex and the padding of base64 do not count."""
    scheme = scheme_of(algorithm=algorithm, encoding=encoding)
    signed = sign(scheme, key_of(scheme), body=BODY, now=NOW).headers["X-Sig"]
    other = signed.upper() if encoding == "hex" else signed.rstrip("=")

    for text in (signed, other):
        assert verify(delivery({"X-Sig": text}), scheme, scheme.keys([SECRET]), now=NOW)
