"""Secrets are read from where they are said to be, or refused unseen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.writing import CANARY
from webhookctl.config import SecretRef
from webhookctl.core.errors import SettingsError


def test_secrets_are_read_from_each_source(tmp_path: Path, secret_file: Path) -> None:
    """A variable, a file beside the settings, an absolute path, a credential: each gives the same secret."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "a.secret").write_text(CANARY)
    (credentials / "a.secret").chmod(0o440)  # as systemd leaves it where it sets an ACL
    environ = {"A": CANARY, "CREDENTIALS_DIRECTORY": str(credentials)}

    for reference in ("env:A", "file:a.secret", f"file:{secret_file}", "credential:a.secret"):
        secret = SecretRef.parse(reference).read(environ, tmp_path)

        assert secret.value == CANARY.encode()
        assert secret.reference == reference
        assert CANARY not in repr(secret)


def test_without_systemd_a_credential_is_the_file_beside_the_settings(tmp_path: Path, secret_file: Path) -> None:
    """One settings file serves the service and the operator's shell; the file's mode counts as ever."""
    reference = SecretRef.parse("credential:a.secret")

    assert reference.read({}, tmp_path).value == CANARY.encode()
    secret_file.chmod(0o644)
    with pytest.raises(SettingsError, match="has mode 0644"):
        reference.read({}, tmp_path)


@pytest.mark.parametrize(
    ("raw", "value"), [(b"s\n", b"s"), (b"s\r\n", b"s"), (b"s", b"s"), (b"a\nb\n", b"a\nb"), (b"\xc3\xa9", b"\xc3\xa9")]
)
def test_one_newline_at_the_end_goes(tmp_path: Path, secret_file: Path, raw: bytes, value: bytes) -> None:
    """The newline that an editor puts there is no part of the secret."""
    secret_file.write_bytes(raw)

    assert SecretRef.parse("file:a.secret").read({}, tmp_path).value == value


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x\n\n", "begins or ends with white space"),
        (b"x\t\n", "begins or ends with white space"),
        (b"\xef\xbb\xbfx", "begins with a byte order mark"),
        (b"x" * 70_000, "holds more than 65536 bytes"),
    ],
)
def test_a_spoilt_secret_file_is_refused(tmp_path: Path, secret_file: Path, raw: bytes, words: str) -> None:
    """What an editor or a wrong path did to a secret is said, before it costs a night."""
    secret_file.write_bytes(raw)

    with pytest.raises(SettingsError, match=f"file:a.secret {words}"):
        SecretRef.parse("file:a.secret").read({}, tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o700, 0o666, 0o4600])
def test_a_secret_file_others_can_reach_is_refused(tmp_path: Path, secret_file: Path, mode: int) -> None:
    """Any mode but 0600 and 0400 is refused with what to do."""
    secret_file.chmod(mode)

    with pytest.raises(SettingsError, match=rf"has mode {mode:04o}; it must be 0600: chmod 600 ") as caught:
        SecretRef.parse("file:a.secret").read({}, tmp_path)
    assert CANARY not in str(caught.value)

    secret_file.chmod(0o400)
    assert SecretRef.parse("file:a.secret").read({}, tmp_path).value == CANARY.encode()


def test_a_strangers_secret_file_is_refused(tmp_path: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the file can change the secret: it must be us or root."""
    owner = secret_file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:  # root's own files are right for everybody, so this one must be another's
        os.chown(secret_file, 4321, -1)

    with pytest.raises(SettingsError, match="belongs to another user"):
        SecretRef.parse("file:a.secret").read({}, tmp_path)


def special_files(folder: Path) -> Iterator[tuple[str, str]]:
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe", 0o600)
    yield "folder", "is a directory"
    yield "pipe", "is no regular file"
    yield "gone", "no such file"


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to and a missing file are each said."""
    for name, words in special_files(tmp_path):
        with pytest.raises(SettingsError, match=words):
            SecretRef.parse(f"file:{name}").read({}, tmp_path)


@pytest.mark.parametrize(
    ("reference", "environ", "words"),
    [
        ("env:NOPE", {}, "env:NOPE is not set"),
        ("env:X", {"X": ""}, "env:X is empty"),
        ("env:X", {"X": "a "}, "env:X begins or ends with white space"),
        ("credential:x", {"CREDENTIALS_DIRECTORY": "gone"}, "add LoadCredential=x:PATH to its unit"),
        (f"credential:{'x' * 300}", {"CREDENTIALS_DIRECTORY": "/"}, "file name too long"),
    ],
)
def test_an_absent_secret_is_said(tmp_path: Path, reference: str, environ: dict[str, str], words: str) -> None:
    """What is not there is named with what to do."""
    with pytest.raises(SettingsError, match=words):
        SecretRef.parse(reference).read(environ, tmp_path)


@pytest.mark.parametrize(
    "written", ["", "env:", "env:1X", "env:A B", "file:", "file:a/", "file:a\0b", "credential:../x", "credential:..", 3]
)
def test_a_crooked_reference_is_refused(written: object) -> None:
    """A reference names exactly one variable, file or credential."""
    with pytest.raises(SettingsError, match=r"^must "):
        SecretRef.parse(written)
