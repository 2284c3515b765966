"""A scheme or a secret that could not protect is refused when the settings are read."""

import base64

import pytest

from tests.core.supplier import LISTED, STAMPED, key_of, scheme_of
from webhookctl.core.errors import SchemeError
from webhookctl.core.signatures import Key, Scheme, Secret

DIGEST: dict[str, object] = {"kind": "digest", "signature_header": "X", "signed": "{secret}{body}"}
ED25519: dict[str, object] = {"kind": "ed25519", "signature_header": "X", "secret_encoding": "hex"}

# Rule 2: refused when the settings are read. Each row: what is written, the key to mend, words of the sentence.
REFUSED: list[tuple[dict[str, object], str, str]] = [
    ({}, "signature_header", "is missing"),
    ({"kind": "rsa"}, "kind", "must be hmac or token or digest or ed25519 or none; it is 'rsa'"),
    ({"kind": None}, "kind", "a text in quotes"),
    ({"signature_heder": "X"}, "signature_heder", "did you mean signature_header?"),
    ({"zzz": "X"}, "zzz", "a scheme has kind, signature_header"),
    ({"signature_header": []}, "signature_header", "names no header"),
    ({"signature_header": ["X", "a b"]}, "signature_header", "it is 'a b'"),
    ({"signature_header": ["X", 7]}, "signature_header", "a text in quotes"),
    ({"signature_header": "X-Sig:"}, "signature_header", "the name of a header"),
    ({"signature_pointer": "signature"}, "signature_pointer", "a JSON Pointer"),
    ({"signature_header": "X", "algorithm": "crc32"}, "algorithm", "sha1 or sha256 or sha512 or md5; it is 'crc32'"),
    ({"signature_header": "X", "encoding": "base32"}, "encoding", "hex or base64 or base64url"),
    ({"signature_header": "X", "prefix": "ü"}, "prefix", "plain ASCII"),
    ({"signature_header": "X", "prefix_required": "no"}, "prefix_required", "true or false"),
    ({"signature_header": "X", "list_separator": "|"}, "list_separator", "',' or ';' or ' '"),
    ({"signature_header": "X", "signature_key": "v1"}, "signature_key", "without list_separator and pair_separator"),
    (LISTED | {"signature_key": " "}, "signature_key", "must not be empty"),
    (LISTED | {"list_separator": ",", "pair_separator": ","}, "pair_separator", "another sign"),
    (LISTED | {"timestamp_key": "v1"}, "timestamp_key", "different items"),
    ({"signature_header": "X", "pair_separator": "="}, "pair_separator", "needs signature_key"),
    ({"signature_header": "X", "timestamp_key": "t", "signed": "{timestamp}"}, "timestamp_key", "of no use"),
    (STAMPED | {"signed": "{body}"}, "signed", "make an old delivery look new"),
    (STAMPED | {"signature_pointer": "/s", "signed_in_body": "{body-without:/s}"}, "signed_in_body", "an old delivery"),
    (LISTED | {"timestamp_header": "X-Time"}, "timestamp_header", "exclude one another"),
    ({"signature_header": "X", "signed": "{timestamp}{body}"}, "timestamp_header", "nothing says where it stands"),
    ({"signature_header": "X", "tolerance": "5m"}, "tolerance", "of no use without timestamp_header"),
    (STAMPED | {"tolerance": 300}, "tolerance", "a duration in quotes"),
    (STAMPED | {"tolerance": "5 minutes"}, "tolerance", "a duration in quotes"),
    (STAMPED | {"tolerance": False}, "tolerance", "a duration in quotes"),
    ({"signature_header": "X", "timestamp_format": "unix"}, "timestamp_format", "of no use"),
    ({"signature_header": "X", "timestamp_pointer": "/t", "signed": "{json:/a}"}, "signed", "an old delivery"),
    (
        {"signature_header": "X", "timestamp_pointer": "/t/u", "signed": "{body-without:/t}"},
        "signed",
        "an old delivery",
    ),
    ({"signature_header": "X", "signed_in_body": "{body}"}, "signed_in_body", "without signature_pointer"),
    ({"signature_pointer": "/signature"}, "signed_in_body", "can't sign itself"),
    ({"signature_pointer": "/s", "signed": "{body-without:/t}"}, "signed_in_body", "can't sign itself"),
    ({"signature_pointer": "/s", "signed": "{json:/s}"}, "signed_in_body", "can't sign itself"),
    ({"signature_header": "X", "signed": "v0:{method}"}, "signed", "nothing of the delivery"),
    ({"signature_header": "X", "signed": ""}, "signed", "nothing of the delivery"),
    ({"signature_header": "X", "signed": "{secret}{body}"}, "signed", "must not contain {secret}"),
    ({"signature_header": "X", "signed": "{boddy}"}, "signed", "did you mean {body}?"),
    ({"signature_header": "X", "signed": "{}{body}"}, "signed", "unknown {}"),
    ({"signature_header": "X", "signed": "{body"}, "signed", "a brace without its partner"),
    ({"signature_header": "X", "signed": "{body}}"}, "signed", "a brace without its partner"),
    ({"signature_header": "X", "signed": "{body:x}"}, "signed", "incomplete or too long"),
    ({"signature_header": "X", "signed": "{json}"}, "signed", "incomplete or too long"),
    ({"signature_header": "X", "signed": "{json:a}"}, "signed", "belongs a JSON Pointer"),
    ({"signature_header": "X", "signed": "{header:a b}"}, "signed", "belongs a header's name"),
    ({"signature_header": "X", "signed": "{param:id}{body}"}, "signed", "set params.id"),
    ({"signature_header": "X", "signed": "{param:idd}{body}", "params": {"id": "1"}}, "signed", "did you mean id?"),
    ({"signature_header": "X", "params": {"id": 1}}, "params", "params.id must be a text"),
    ({"signature_header": "X", "params": "id"}, "params", "a table"),
    ({"signature_header": "X", "event_id_header": "X-Id"}, "event_id_header", "anybody could change it"),
    ({"signature_header": "X", "single_item": "items"}, "single_item", "a JSON Pointer"),
    ({"signature_header": "X", "algorithm": "md5"}, "algorithm", "in kind digest only"),
    (ED25519 | {"algorithm": "sha512"}, "algorithm", "of no use in kind ed25519"),
    ({"kind": "ed25519", "signature_header": "X"}, "secret_encoding", "how the public key is written"),
    (ED25519 | {"signed": "{url}"}, "signed", "nothing of the delivery"),
    (ED25519 | {"signed": "{secret}{body}"}, "signed", "must not contain {secret}"),
    ({"signature_pointer": "/s", "signed_in_body": "{secret}{json:/a}"}, "signed_in_body", "not contain {secret}"),
    ({"kind": "digest", "signature_header": "X"}, "signed", "anybody can compute"),
    (DIGEST | {"signature_pointer": "/s", "signed_in_body": "{body-without:/s}"}, "signed", "anybody can compute"),
    ({"kind": "digest", "signed": "{secret}"}, "signature_header", "is missing"),
    ({"kind": "token"}, "signature_header", "is missing"),
    ({"kind": "none", "signature_header": "X"}, "signature_header", "of no use in kind none"),
    ({"kind": "none", "tolerance": 0}, "tolerance", "of no use in kind none"),
]


@pytest.mark.parametrize(("table", "key", "words"), REFUSED)
def test_contradictions(table: dict[str, object], key: str, words: str) -> None:
    """A scheme that can't hold, or would not protect, is refused with the key to mend and what is wrong."""
    with pytest.raises(SchemeError) as raised:
        Scheme.parse(table)

    assert raised.value.key.split(".")[0] == key
    assert words in str(raised.value)
    assert str(raised.value).startswith(key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("algorithm", "sha256"),
        ("encoding", "hex"),
        ("signed", "{body}"),
        ("list_separator", ","),
        ("timestamp_header", "X-Time"),
        ("tolerance", "5m"),
        ("secret_encoding", "hex"),
        ("event_id_header", "X-Id"),
        ("single_item", "/items"),
    ],
)
def test_keys_that_protect_nothing(key: str, value: str) -> None:
    """Beside a token a key that speaks of signatures would only be believed to protect: it is refused."""
    with pytest.raises(SchemeError, match=f"{key} is of no use in kind token") as raised:
        Scheme.parse({"kind": "token", "signature_header": "X", key: value})

    assert raised.value.key == key


@pytest.mark.parametrize(
    "table",
    [
        {"timestamp_pointer": "/t"},
        {"timestamp_pointer": "/t", "signed": "{json:/t}{json:/a}"},
        {"timestamp_pointer": "/t", "signed": "{body-without:/s}"},
        {"signed": "{timestamp}{body}", "timestamp_header": "X-Time", "tolerance": 0},
        {"signed": "{header:X-Id}{body}", "event_id_header": "x-id"},
    ],
)
def test_timestamps_that_are_signed(table: dict[str, object]) -> None:
    """A timestamp within the signed bytes is as good as one that is named."""
    assert scheme_of(**table).signature_header[0].written == "X-Sig"


@pytest.mark.parametrize(
    ("table", "value", "words"),
    [
        ({}, b"", "is empty"),
        ({}, b" \n", "is empty"),
        ({}, b"hunter2-hunter2", "is 15 bytes long"),
        ({"secret_encoding": "hex"}, b"abcdefgh" * 4, "is not hex"),
        ({"secret_encoding": "hex"}, b"0" * 31, "is not hex"),
        ({"secret_encoding": "hex"}, b"00 " * 16, "is not hex"),
        ({"secret_encoding": "hex"}, b"0a" * 15, "is 15 bytes long"),
        ({"secret_encoding": "base64"}, b"whsec_AAECAwQFBgcICQoLDA0ODw==", "is not base64"),
        ({"secret_encoding": "base64"}, b"AAECAwQFBgcICQoLDA0ODw", "is not base64"),
        ({"secret_encoding": "base64", "secret_prefix": "whsec_"}, b"whsec_?", "is not base64 behind 'whsec_'"),
        ({"secret_encoding": "base64", "secret_prefix": "whsec_"}, b"whsec_", "is empty"),
        ({"secret_encoding": "base64"}, b"\xff" * 20, "is not base64"),
    ],
)
def test_secrets_that_are_none(table: dict[str, object], value: bytes, words: str) -> None:
    """An empty, short or undecodable secret is refused by its reference, and its value stays unsaid."""
    with pytest.raises(SchemeError, match=words) as raised:
        scheme_of(**table).keys([Secret(value, "env:BAD")])

    assert raised.value.key == "secrets"
    assert "env:BAD" in str(raised.value)
    assert len(value.strip()) < 2 or value.decode("latin-1") not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"0a" * 31, "is 31 bytes long, and a public key of Ed25519 has 32"),
        (b"0a" * 64, "is 64 bytes long, and a public key"),
        (b"zz" * 32, "is not hex"),
        (b"", "is empty"),
    ],
)
def test_public_keys_that_are_none(value: bytes, words: str) -> None:
    """A public key of another length than Ed25519's is refused, `allow_short` or not."""
    with pytest.raises(SchemeError, match=words) as raised:
        Scheme.parse(ED25519).keys([Secret(value, "env:BAD")], allow_short=True)

    assert raised.value.key == "secrets"


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize(
    "point",
    [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        *(bytes([low]) + b"\xff" * 30 + b"\x7f" for low in (0xEC, 0xED, 0xEE)),
    ],
    ids=lambda point: point.hex()[:4],
)
def test_public_keys_that_anybody_can_sign_for(point: bytes, sign: int) -> None:
    """A key of zeros, and each that a made-up signature is good under, is refused."""
    value = point[:-1] + bytes([point[-1] ^ sign])
    forged = b"\x01" + bytes(63)

    assert any(Key(value, "env:BAD").has_signed(bytes([message]), forged) for message in range(200))
    with pytest.raises(SchemeError, match="env:BAD is a public key that anybody can sign for"):
        Scheme.parse(ED25519).keys([Secret(value.hex().encode(), "env:BAD")])


def test_private_keys() -> None:
    """A private key is taken alone or with the public one behind it, under its own prefix, and nothing else is."""
    scheme = Scheme.parse(ED25519 | {"secret_encoding": "base64", "secret_prefix": "whpk_"})
    seed = bytes(range(32))
    alone, both = (b"whsk_" + base64.b64encode(value) for value in (seed, seed + bytes(32)))

    assert scheme.signing_key(Secret(alone, "env:S")).value == seed
    assert scheme.signing_key(Secret(both, "env:S")).value == seed
    with pytest.raises(SchemeError, match="a private key of Ed25519 has 32"):
        scheme.signing_key(Secret(base64.b64encode(seed + seed[:1]), "env:S"))


def test_no_secrets_where_nothing_is_signed() -> None:
    """Kind `none` has no keys; each other kind refuses to be without one."""
    assert Scheme.parse({"kind": "none"}).keys([]) == ()
    for table in (DIGEST, ED25519, {"kind": "token", "signature_header": "X"}):
        with pytest.raises(SchemeError, match="secrets is empty"):
            Scheme.parse(table).keys([])


def test_short_secrets_where_allowed() -> None:
    """`allow_short` lets a short secret through, an empty one never; no secret at all is refused."""
    assert scheme_of().keys([Secret(b"hush", "env:S")], allow_short=True)[0].value == b"hush"
    for secrets in ([], [Secret(b"", "env:S")]):
        with pytest.raises(SchemeError):
            scheme_of().keys(secrets, allow_short=True)


def test_secrets_are_not_shown() -> None:
    """Printing secrets, keys or schemes shows references only."""
    secret = Secret(b"hunter2-hunter2-hunter2", "env:ACME_SECRET")
    key = key_of(scheme_of(), secret)

    for shown in (repr(secret), str(secret), repr(key), str(key), f"{[secret, key]}"):
        assert "hunter2" not in shown
        assert "env:ACME_SECRET" in shown
