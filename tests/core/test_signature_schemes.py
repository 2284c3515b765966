"""A scheme or a secret that could not protect is refused when the settings are read."""

import pytest

from tests.core.supplier import LISTED, STAMPED, key_of, scheme_of
from webhookctl.core.errors import SchemeError
from webhookctl.core.signatures import Scheme, Secret

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
]


@pytest.mark.parametrize(("table", "key", "words"), REFUSED)
def test_contradictions(table: dict[str, object], key: str, words: str) -> None:
    """A scheme that can't hold, or would not protect, is refused with the key to mend and what is wrong."""
    with pytest.raises(SchemeError) as raised:
        Scheme.parse(table)

    assert raised.value.key.split(".")[0] == key
    assert words in str(raised.value)


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
