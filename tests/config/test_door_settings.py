"""The keys that say how a supplier comes in: read, laid over the preset's, refused where they contradict others."""

from pathlib import Path

import pytest

from webhookctl import suppliers
from webhookctl.config import Settings, load
from webhookctl.config.door_settings import path_secret
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ConfirmRule
from webhookctl.core.quarantine import Bounds
from webhookctl.core.signatures import Secret
from webhookctl.wiring.in_force import door

STORE = '[store]\nurl = "sqlite:shop.db"\nkeys = ["file:webhookctl.key"]\n'
ACME = '[suppliers.acme]\nsecrets = ["env:ACME"]\n'
GENERIC = ACME + 'preset = "generic"\n'
MAP = 'map = { reference = "/ref", event_type = "/type", status = "/status" }\n'
UNSIGNED = '[suppliers.acme]\nkind = "none"\n' + MAP
SIGNED = ACME + 'signature_header = "X-Sig"\n'


def read(folder: Path, text: str) -> Settings:
    path = folder / "webhookctl.toml"
    path.write_text(STORE + text)
    return load(path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GENERIC, {"ack_status": 200, "ack_body": "", "head_ok": False, "allow_ips": (), "challenge": None}),
        (GENERIC + "ack_status = 204", {"ack_status": 204}),
        (GENERIC + 'ack_body = \'{"response":"success"}\'', {"ack_type": "application/json"}),
        (GENERIC + 'ack_body = "OK"', {"ack_body": "OK", "ack_type": "text/plain"}),
        (ACME + 'preset = "kinguin"', {"ack_status": 204}),
        (ACME + 'preset = "kinguin"\nack_status = 200', {"ack_status": 200}),
        (ACME + 'preset = "slack"', {"challenge": "slack"}),
        (GENERIC + 'challenge = { get = "d41d8" }', {"challenge": ("d41d8",)}),
    ],
)
def test_what_is_set_wins_over_the_preset(tmp_path: Path, text: str, says: dict[str, object]) -> None:
    """Else what the preset says, else the default."""
    acme = read(tmp_path, text).suppliers["acme"]

    assert {key: getattr(acme, key) for key in says} == says


MAPPED = SIGNED + MAP
TWO_PLACES = MAPPED.replace('"/status"', '["/status", "header:X-Status"]')
DIGEST = ACME + MAP + 'kind = "digest"\nsignature_header = "X-Sig"\nalgorithm = "md5"\n'


@pytest.mark.parametrize(
    ("text", "confirm"),
    [
        (GENERIC, "none"),
        (GENERIC + 'confirm = "poll"', "poll"),
        (MAPPED, "none"),
        (MAPPED + 'signed = "{json:/ref}"', "poll"),
        (MAPPED + 'signed = "{json:/ref}.{json:/status}"', "none"),
        (MAPPED + 'signed = "{json:/ref}"\nconfirm = "none"', "none"),
        (TWO_PLACES + 'signed = "{json:/ref}.{json:/status}"', "poll"),
        (TWO_PLACES + 'signed = "{body}"', "poll"),
        (TWO_PLACES + 'signed = "{header:x-status}.{body}"', "none"),
        (MAPPED + 'signed = "{body-without:/sig}"', "none"),
        (DIGEST + 'signed = "{json:/ref}{secret}"', "poll"),
        (DIGEST + 'signed = "{body}{secret}"', "none"),
        (MAPPED + 'kind = "token"', "poll"),
        (MAPPED + 'kind = "token"\nconfirm = "none"', "none"),
        (UNSIGNED + 'path_secret = "env:PATH_SECRET"', "poll"),
    ],
)
def test_what_is_not_signed_is_a_hint(tmp_path: Path, text: str, confirm: str) -> None:
    """Unless the operator says otherwise, an order is asked for wherever its status could be somebody else's word."""
    assert read(tmp_path, text).suppliers["acme"].policy.confirm == ConfirmRule(confirm)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (UNSIGNED, "suppliers.acme.path_secret is missing: this supplier signs nothing"),
        (UNSIGNED + 'path_secret = "env:P"\nconfirm = "none"', 'suppliers.acme.confirm must be "poll"'),
        (UNSIGNED + 'path_secret = "env:P"\nsecrets = ["env:S"]', "suppliers.acme.secrets are of no use"),
        (UNSIGNED + 'path_secret = "env:P"\nchallenge = "zoom"', "suppliers.acme.challenge can't be answered"),
        (UNSIGNED + "path_secret = []", "suppliers.acme.path_secret must have at least one"),
        (UNSIGNED + 'path_secret = "hunter2"', "suppliers.acme.path_secret[0] must be a reference"),
        ('[suppliers.acme]\npreset = "generic"', "suppliers.acme.secrets is missing: say where"),
        (GENERIC + 'ack_status = 204\nack_body = "OK"', "suppliers.acme.ack_body must be empty with ack_status = 204"),
        (GENERIC + "ack_status = 500", "suppliers.acme.ack_status must be 200, 201, 202 or 204"),
        (GENERIC + "ack_status = true", "suppliers.acme.ack_status must be 200"),
        (GENERIC + 'ack_body = "\\u0007"', "suppliers.acme.ack_body must be a text"),
        (GENERIC + 'challenge = "github"', "suppliers.acme.challenge must be 'slack' or 'zoom', or {"),
        (GENERIC + 'challenge = { get = "\\n" }', "suppliers.acme.challenge must be"),
        (GENERIC + 'challenge = { get = "x", post = "x" }', "suppliers.acme.challenge must be"),
        (GENERIC + 'allow_ips = ["203.0.113.7/24"]', "suppliers.acme.allow_ips must be a list of addresses"),
        (GENERIC + 'confirm = "yes"', "suppliers.acme.confirm must be 'none' or 'poll'"),
        (GENERIC + "allow_ip = []", "suppliers.acme.allow_ip is not known; did you mean suppliers.acme.allow_ips?"),
        (GENERIC + "[quarantine]\nrow = 1", "quarantine.row is not known; did you mean quarantine.rows?"),
        (GENERIC + "[quarantine]\nrows = 0", "quarantine.rows must be a whole number"),
        (GENERIC + '[quarantine]\nbytes = "1KiB"', "quarantine.bytes must be at least 1MiB"),
        (GENERIC + '[quarantine]\nkeep = "0s"', "quarantine.keep must be longer than nothing"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """In words that name the key, and never repeat what may be a secret."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_how_much_is_kept(tmp_path: Path) -> None:
    """Ten thousand, and half of them from one sender, unless something else is said."""
    assert read(tmp_path, GENERIC).quarantine.bounds == Bounds()
    said = '[quarantine]\nrows = 9\nbytes = "2MiB"\nkeep = "1h"\n'
    assert read(tmp_path, GENERIC + said).quarantine.bounds == Bounds(9, 2 << 20, 5, 3_600_000)
    assert read(tmp_path, GENERIC + said + "per_sender = 3").quarantine.bounds.bytes_per_sender == (2 << 20) // 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "is empty"),
        (b"a secret with blanks", "can't stand in a path"),
        (b"slashes/are/no/part/of/it", "can't stand in a path"),
        (b"percent%41signs-neither", "can't stand in a path"),
        (b"too-short", "is 9 bytes long, and 16 are needed"),
    ],
)
def test_a_secret_that_can_not_stand_in_a_path(value: bytes, words: str) -> None:
    """Refused by its reference, before anybody is told to post to it."""
    with pytest.raises(SettingsError) as caught:
        path_secret(Secret(value, "env:PATH_SECRET"))

    assert f"the secret env:PATH_SECRET {words}" in str(caught.value)
    assert not value or value.decode() not in str(caught.value)


def test_a_door_is_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings say is what the receiver gets."""
    monkeypatch.setenv("P1", "new-path-secret-0123")
    monkeypatch.setenv("P2", "short")
    text = UNSIGNED + 'allow_ips = ["203.0.113.0/24"]\nack_body = "OK"\nchallenge = { get = "d41d8" }\n'
    made = door(read(tmp_path, text + 'path_secret = ["env:P1"]'), "acme")
    short = read(tmp_path, text + 'path_secret = ["env:P1", "env:P2"]')

    assert [str(network) for network in made.allowed] == ["203.0.113.0/24"]
    assert [secret.reference for secret in made.path_secrets] == ["env:P1"]
    assert (made.keys, made.stored.wire.endswith(b"\r\n\r\nOK"), made.challenge) == ((), True, None)
    assert made.on_get
    assert made.on_get.wire.endswith(b"\r\n\r\nd41d8")
    with pytest.raises(SettingsError, match=r"suppliers.acme: the secret env:P2 is 5 bytes long"):
        door(short, "acme")


@pytest.mark.parametrize("name", [name for name in suppliers.names() if suppliers.preset(name).get("kind") == "none"])
def test_presets_that_sign_nothing_want_a_path_or_addresses(tmp_path: Path, name: str) -> None:
    """Three lines are enough, and two are refused."""
    with pytest.raises(SettingsError, match="path_secret is missing"):
        read(tmp_path, f'[suppliers.acme]\npreset = "{name}"\n')

    acme = read(tmp_path, f'[suppliers.acme]\npreset = "{name}"\npath_secret = "env:P"\n').suppliers["acme"]
    assert (acme.secrets, acme.policy.confirm) == ((), ConfirmRule.POLL)
