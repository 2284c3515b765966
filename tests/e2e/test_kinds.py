"""Suppliers that prove themselves in other ways than an HMAC, from the settings to the store."""

from pathlib import Path

import pytest

from tests.e2e.program import Program, free_port
from webhookctl.config import load
from webhookctl.core.errors import UpstreamError, UsageError
from webhookctl.flows.send import Sending, Sent
from webhookctl.wiring import sending

SETTINGS = """
[store]
url = "sqlite:webhookctl.db"
keys = ["env:KEY"]
[serve]
listen = "127.0.0.1:{port}"
[suppliers.token]
preset = "xendit"
secrets = ["env:TOKEN"]
[suppliers.digest]
kind = "digest"
algorithm = "sha512"
signature_header = "X-Sign"
signed = "{{param:member}}:{{secret}}:{{json:/data/reference}}"
params = {{ member = "M1" }}
secrets = ["env:TOKEN"]
map = {{ reference = "/data/reference", event_type = "/event" }}
[suppliers.url]
preset = "square"
secrets = ["env:TOKEN"]
url = "https://shop.example/webhooks/url"
[suppliers.key]
preset = "discord"
secrets = ["env:PUBLIC"]
[suppliers.nothing]
kind = "none"
path_secret = "env:PATH_SECRET"
map = {{ reference = "/data/reference", event_type = "/event" }}
"""
PAYLOAD = b'{"event":"order.created","data":{"reference":"R-1"}}'
PATH_SECRET = "a-secret-in-the-path-0123456789"


ENVIRON = {"KEY": "0a" * 32, "TOKEN": "token-0123456789-abcdef", "PUBLIC": "3b" * 32, "PATH_SECRET": PATH_SECRET}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    (tmp_path / "webhookctl.toml").write_text(SETTINGS.format(port=free_port()))
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return Program(tmp_path)


def statuses(program: Program, supplier: str, *, tamper: bool = False) -> list[int]:
    """Play `supplier` with the secrets of this process, and return how it was answered."""
    settings = load(program.folder / "webhookctl.toml", {})
    sent = list[Sent]()
    sending.send(settings, Sending(PAYLOAD, {}, fresh=False, tamper=tamper), sent.append, supplier=supplier, url=None)
    return [one.status for one in sent]


def test_each_kind_is_played_and_received(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """`send` plays whoever it has the secret of, `serve` takes it in, and refuses it from others."""
    with program.serve("--no-worker"):
        for supplier in ("token", "digest", "url", "nothing"):
            assert statuses(program, supplier) == [200]
        assert statuses(program, "url", tamper=True) == [400]
        with pytest.raises(UsageError, match="a private key, which only the supplier has"):
            statuses(program, "key")
        monkeypatch.setenv("TOKEN", "another-0123456789-abcdef")
        monkeypatch.setenv("PATH_SECRET", "another-in-the-path-0123456789")
        for supplier in ("token", "digest", "url", "nothing"):
            assert statuses(program, supplier) == [400]
        kept = program.json("events", "list")

    assert sorted(event["supplier"] for event in kept) == ["digest", "nothing", "token", "url"]


def test_a_path_secret_is_not_told(program: Program) -> None:
    """Where nobody listens, the sentence names the address without the secret in its path."""
    with pytest.raises(UpstreamError, match=r"/webhooks/nothing/… ") as raised:
        statuses(program, "nothing")

    assert PATH_SECRET not in str(raised.value)
