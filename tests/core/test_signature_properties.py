"""Whatever anybody sends, only what was signed is verified, and nothing but a `SignatureError` is raised."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.core.supplier import NOW, delivery, secrets_for
from webhookctl import suppliers
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SchemeError, SignatureError, UsageError
from webhookctl.core.signatures import Kind, Scheme, sign, verify
from webhookctl.suppliers.schema import with_params


def presets() -> list[Scheme]:
    return [Scheme.parse(with_params(suppliers.scheme_of(name))) for name in suppliers.names()]


KINDS: dict[Kind, tuple[str, dict[str, object], set[str]]] = {
    Kind.HMAC: ("", {}, set()),
    Kind.DIGEST: ("{secret}", {"kind": "digest"}, set()),
    Kind.ED25519: ("", {"kind": "ed25519", "secret_encoding": "hex"}, {"algorithm"}),
}
"""What each kind that signs has to have: text in its templates, keys, and keys that it must not have."""


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    """Any scheme that `parse` lets through: pieces that often go together."""
    kind = draw(st.sampled_from([*Kind]))
    if kind in KINDS:
        text, keys, unused = KINDS[kind]
        signing = draw(signing_keys(text))
        return _parsed({key: value for key, value in signing.items() if key not in unused} | keys)
    place = draw(st.sampled_from([{"signature_header": "X-Sig"}, {"signature_pointer": "/s"}]))
    prefix = {"prefix": draw(st.sampled_from(["", "Bearer "])), "prefix_required": draw(st.booleans())}
    return _parsed({"kind": "token", **place, **prefix} if kind is Kind.TOKEN else {"kind": "none"})


def _parsed(table: dict[str, object]) -> Scheme:
    try:
        return Scheme.parse(table)
    except SchemeError:
        assume(False)
        raise


@st.composite
def signing_keys(draw: st.DrawFn, secret: str) -> dict[str, object]:
    table: dict[str, object] = {"encoding": draw(st.sampled_from(["hex", "base64", "base64url"]))}
    table["algorithm"] = draw(st.sampled_from(["md5", "sha1", "sha256", "sha512"]))
    table["prefix"] = draw(st.sampled_from(["", "v0="]))
    table["prefix_required"] = draw(st.booleans())
    pieces = ["{body}", ".", "{url}", "{method}", "{json:/a}", "{json:/a/0/b}", "{header:X-Id}", "{body-without:/a}"]
    signed = draw(st.lists(st.sampled_from(pieces), max_size=4).map("".join)) + "{json:/c}" + secret
    if draw(st.booleans()):
        table |= {"list_separator": draw(st.sampled_from([",", ";", " "]))}
        if draw(st.booleans()):
            table |= {"pair_separator": draw(st.sampled_from("=,")), "signature_key": "v1"}
    if place := draw(st.sampled_from(["", "timestamp_header", "timestamp_key", "timestamp_pointer"])):
        table[place] = {"timestamp_header": "X-Time", "timestamp_key": "t", "timestamp_pointer": "/t"}[place]
        formats = ["unix"] if place == "timestamp_pointer" else ["unix", "unix_ms", "rfc3339"]
        table["timestamp_format"] = draw(st.sampled_from(formats))
        signed = "{timestamp}" + signed
    if draw(st.booleans()):
        table |= {"signature_pointer": "/s", "signed_in_body": signed.replace("{body}", "{body-without:/s}")}
        table["signed_in_body"] = str(table["signed_in_body"]).replace("{body-without:/a}", "")
    if "signature_pointer" not in table or draw(st.booleans()):
        table["signature_header"] = draw(st.sampled_from(["X-Sig", ["X-Sig", "X-Other"]]))
    if draw(st.booleans()):
        table["single_item"] = "/a"
    return table | {"signed": signed}


ITEMS = st.sampled_from(
    [b"v1", b"t", b"=", b",", b" ", b";", b"v0=", b"sha256=", b"0" * 64, b"AAAA", b"1750000000", b"\xff"]
)
header_values = st.binary() | st.lists(ITEMS, max_size=100).map(b"".join)
SCRAPS = [
    b'"s"',
    b'"signature"',
    b'"a"',
    b'"t"',
    b":",
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"1750000000",
    b'"',
    b"\\",
    b"\xff",
]
bodies = st.binary() | st.lists(st.sampled_from(SCRAPS)).map(b"".join)


URLS = st.text() | st.just("https://x.example")


@given(schemes(), st.data(), bodies, st.integers(), URLS)
def test_any_headers_and_body(scheme: Scheme, data: st.DataObject, body: bytes, now: int, url: str) -> None:
    """For all schemes, headers and bodies `verify` raises `SignatureError`, as nobody signed them."""
    assert_nothing_else(scheme, data, body, now, url)


@pytest.mark.parametrize("name", suppliers.names())
@settings(max_examples=25)
@given(st.data(), bodies, st.integers(), URLS)
def test_any_delivery_to_a_preset(name: str, data: st.DataObject, body: bytes, now: int, url: str) -> None:
    """For all headers and bodies, by each preset that is shipped, `verify` raises `SignatureError` and nothing else."""
    assert_nothing_else(Scheme.parse(with_params(suppliers.scheme_of(name))), data, body, now, url)


def assert_nothing_else(scheme: Scheme, data: st.DataObject, body: bytes, now: int, url: str) -> None:
    names = st.sampled_from([*sorted(scheme.headers), b"host"]) | st.binary()
    headers = data.draw(st.lists(st.tuples(names, header_values), max_size=6))
    received = Delivery("acme", body, tuple(headers), NOW, b"", method=data.draw(st.text()), url=url)
    keys = scheme.keys([secrets_for(scheme)[1]] * 2)

    if scheme.kind is Kind.NONE:
        assert verify(received, scheme, keys, now=now).matched == "none"
    else:
        with pytest.raises(SignatureError) as raised:
            verify(received, scheme, keys, now=now)
        assert str(raised.value).isprintable()


@given(st.sampled_from(presets()) | schemes(), st.data(), st.booleans())
def test_a_changed_byte(scheme: Scheme, data: st.DataObject, in_body: bool) -> None:  # noqa: FBT001 - hypothesis calls it
    """What `sign` makes is accepted; with a byte of it changed that is signed it is not, and nothing else is raised."""
    in_body = in_body and scheme.signature_pointer is not None
    payload = json.dumps({"a": [{"b": data.draw(st.text())}], "c": 1, "t": NOW // 1000}).encode()
    private, public = secrets_for(scheme)
    keys = scheme.keys([public])
    key = scheme.signing_key(private)
    try:
        signed = sign(scheme, key, body=payload, now=NOW, message_id="m1", url="https://x.example/y", in_body=in_body)
    except UsageError:
        assume(False)
        raise
    received = delivery(signed.headers, signed.body, "https://x.example/y")
    changed = bytearray(signed.body)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        verify(delivery(signed.headers, bytes(changed), received.url), scheme, keys, now=NOW)
        forged = True
    except SignatureError:
        forged = False

    assert verify(received, scheme, keys, now=NOW).matched == ("none" if scheme.kind is Kind.NONE else "env:S")
    proven = scheme.kind in KINDS and "body" in scheme.signed.names and signed.body == payload
    assert not (forged and proven)
