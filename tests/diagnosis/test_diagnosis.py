"""What a diagnosis promises beside finding the mistake."""

import hmac
import json
import os

import pytest

from tests.core.supplier import NOW, SECRET, delivery, key_of, scheme_of
from tests.diagnosis.scene import schemes
from webhookctl.core.deliveries import Delivery
from webhookctl.core.diagnosis import Case, Confidence, Diagnosis, diagnose
from webhookctl.core.diagnosis.recognition import expected, recognise
from webhookctl.core.diagnosis.times import span
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Scheme, Secret, sign, verify

BODY = b'{"event": "order.created", "data": {"reference": "R-1"}}'


def diagnosis(
    received: Delivery, scheme: Scheme, *secrets: Secret, now: int = NOW, presets: bool = False, **options: int
) -> Diagnosis:
    """Verify, fail, and diagnose."""
    with pytest.raises(SignatureError) as raised:
        verify(received, scheme, scheme.keys(secrets or [SECRET], allow_short=True), now=now)
    case = Case(received, scheme, secrets or [SECRET], presets=schemes() if presets else {})
    return diagnose(case, raised.value, now=now, **options)


def names(found: Diagnosis) -> list[str]:
    return [mistake.name for mistake in found.mistakes]


def signature(message: bytes = BODY) -> dict[str, str]:
    return {"X-Sig": hmac.digest(SECRET.value, message, "sha256").hex()}


def test_the_smallest_mistake_is_told() -> None:
    """A newline too many is told as that, though stripping all blanks would undo it too."""
    found = diagnosis(delivery(signature(), BODY + b"\n"), scheme_of())

    assert names(found) == ["body.newline_added"]
    assert found.confidence is Confidence.CERTAIN
    assert found.matched == "env:ACME_SECRET"
    assert found.tried > 1


def test_nothing_explains_another_secret() -> None:
    """Where nothing matches it says so, how much was tried, and claims nothing."""
    found = diagnosis(delivery(signature(), BODY), scheme_of(), Secret(b"quite-another-secret", "env:OTHER"))

    assert (found.confidence, found.mistakes, found.matched) == (Confidence.NONE, (), None)
    assert found.tried > 500
    assert found.untried == 0


@pytest.mark.parametrize("headers", [{}, {"X-Sig": ""}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_where_nothing_is_signed_no_secret_is_blamed(headers: dict[str, str]) -> None:
    """Without a signature no variant could match: that is what is said, not that the secret is another one."""
    assert diagnosis(delivery(headers, BODY), scheme_of()).is_unsigned
    assert not diagnosis(delivery({"X-Sig": "00" * 30}, BODY), scheme_of()).is_unsigned
    assert not diagnosis(delivery({"X-Other": "00" * 32}, BODY), scheme_of()).is_unsigned


@pytest.mark.parametrize("kind", ["json", "noise", "numbers", "brackets", "percent"])
def test_a_large_body_is_not_searched_without_end(kind: str) -> None:
    """The budget of bytes is kept to, whatever the body is made of, and what was left untried is counted."""
    size = 64 * 1024
    body = {
        "json": json.dumps([{"sku": "steam", "n": number * 1.5} for number in range(size // 30)]).encode(),
        "noise": os.urandom(size),
        "numbers": b"[" + b"1.5," * (size // 4) + b"1]",
        "brackets": b"[" + b"[]," * (size // 3) + b"1]",
        "percent": b"payload=" + b"%7B" * (size // 3),
    }[kind]
    headers = {"X-Sig": "00" * 32}
    small = diagnosis(delivery(headers, body), scheme_of(), budget=20 * size)
    large = diagnosis(delivery(headers, body), scheme_of(), budget=2_000 * size)

    assert small.untried > 0
    assert 1 <= small.tried < large.tried
    assert small.tried <= 40


def test_a_mistake_costs_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the secret nor a signature stands in what is said, however it is printed."""
    secrets = [SECRET, Secret(b"Secret-Of-Another", "env:OTHER")]
    found = diagnosis(delivery(signature(BODY), BODY + b" \n"), scheme_of(), *secrets)
    case = Case(delivery(signature(BODY), BODY), scheme_of(), secrets)
    print(found, case, [(one.what, one.advice) for one in found.mistakes])  # noqa: T201 - what it would show

    shown = capsys.readouterr().out
    assert SECRET.value.decode() not in shown
    assert "Secret-Of-Another" not in shown
    assert signature(BODY)["X-Sig"] not in shown


def test_advice_names_the_framework() -> None:
    """Who rewrote the body is told how to read it raw in what he is likely to use."""
    found = diagnosis(delivery(signature(), json.dumps(json.loads(BODY), indent=2).encode()), scheme_of())

    assert names(found) == ["body.json_rewritten"]
    for words in ("request.get_data()", "express.raw(", "request.body", "await request.body()", "php://input"):
        assert words in found.mistakes[0].advice


def test_another_scheme_altogether() -> None:
    """A delivery that another preset fits is told by its name."""
    stripe = schemes()["stripe"]
    signed = sign(stripe, key_of(stripe), body=BODY, now=NOW)
    found = diagnosis(delivery(signed.headers, BODY), scheme_of(), presets=True)

    assert names(found) == ["scheme.other"]
    assert "--preset stripe" in found.mistakes[0].advice


def test_good_but_for_what_was_said() -> None:
    """Where the signature is good and only what verify said is wrong, that is said, and nothing invented."""
    scheme = scheme_of(timestamp_header="X-Time", signed="{timestamp}{body}")
    found = diagnosis(delivery({**signature(b"soon" + BODY), "X-Time": "soon"}, BODY), scheme)

    assert names(found) == ["scheme.but_for_that"]


def test_a_method_in_lower_case() -> None:
    """A scheme that signs the method is told when it was signed in lower case."""
    found = diagnosis(delivery(signature(b"post" + BODY), BODY), scheme_of(signed="{method}{body}"))

    assert names(found) == ["signed.method"]
    assert "post" in found.mistakes[0].what


@pytest.mark.parametrize(
    ("skew_ms", "name", "words"),
    [
        (3_600_000 + 20_000, "time.local", "1 h behind"),
        (-2 * 3_600_000, "time.local", "2 h ahead"),
        (19_800_000, "time.local", "5.5 h behind"),
        (3_000_000, "time.old", "50 minutes old"),
        (-400_000, "time.future", "6.67 minutes in the future"),
        (5 * 86_400_000, "time.old", "5 days old"),
    ],
)
def test_only_the_time_is_off(skew_ms: int, name: str, words: str) -> None:
    """Of a good signature only the clock is told, with its direction; that is likely, not proven."""
    scheme = scheme_of(timestamp_header="X-Time", signed="{timestamp}{body}")
    when = str((NOW - skew_ms) // 1000)
    found = diagnosis(delivery({**signature(when.encode() + BODY), "X-Time": when}, BODY), scheme)

    assert (names(found), found.confidence) == ([name], Confidence.LIKELY)
    assert words in found.mistakes[0].what


@pytest.mark.parametrize(
    ("body", "headers", "secret", "name"),
    [
        (b"", {}, SECRET.value, "body.empty"),
        (b"[object Object]", {}, SECRET.value, "body.object_printed"),
        (b"{'event': 'order.created'}", {}, SECRET.value, "body.dict_printed"),
        (b'{"a": 1', {}, SECRET.value, "body.cut"),
        (b'{"a": 1}', {"Content-Length": "20"}, SECRET.value, "body.cut"),
        (b'{"a": "\xef\xbf\xbd"}', {}, SECRET.value, "body.replaced"),
        (BODY, {}, b"your-webhook-secret", "secret.placeholder"),
        (BODY, {}, b"sk_live_0123456789abcdef", "secret.api_key"),
    ],
)
def test_what_only_looks_wrong(body: bytes, headers: dict[str, str], secret: bytes, name: str) -> None:
    """What nothing proves is told as likely, when it can be seen."""
    found = diagnosis(delivery({"X-Sig": "00" * 32, **headers}, body), scheme_of(), Secret(secret, "env:S"))

    assert (names(found), found.confidence) == ([name], Confidence.LIKELY)


@pytest.mark.parametrize(
    "name", [name for name, one in schemes().items() if one.kind == "hmac" and one.signature_header]
)
def test_schemes_are_recognised(name: str) -> None:
    """By its headers a delivery is known as its preset's, or as one that signs the same way."""
    scheme = schemes()[name]
    written = {"utf8": b"0123456789abcdef", "hex": b"00" * 16, "base64": b"MDEyMzQ1Njc4OWFiY2RlZg=="}
    key = scheme.keys([Secret(written[scheme.secret_encoding], "env:S")])[0]
    signed = sign(scheme, key, body=BODY, now=NOW, message_id="m", url="https://shop.example/")
    best, *_ = recognise(delivery(signed.headers, signed.body), schemes())

    assert verify(delivery(signed.headers, signed.body, "https://shop.example/"), schemes()[best], [key], now=NOW)


def test_nothing_is_recognised_where_nothing_is_signed() -> None:
    """Headers without any signature are nobody's."""
    assert recognise(delivery({"Content-Type": "application/json"}, BODY), schemes()) == []


def test_the_expected_signature() -> None:
    """What would have to be there is worked out only when asked for."""
    assert expected(delivery({}, BODY), scheme_of(), SECRET.value) == hmac.digest(SECRET.value, BODY, "sha256")


def test_spans() -> None:
    """A span is told in the unit that fits."""
    assert [span(ms) for ms in (5, 1_000, 90_000, 86_400_000, 10**12)] == [
        *("5 ms", "1 second", "1.5 minutes", "1 day", "11574 days")
    ]
