"""What the settings must say beside a scheme is asked for when they are read."""

from pathlib import Path

import pytest

from webhookctl.config import Settings, load
from webhookctl.core.errors import SettingsError
from webhookctl.wiring.in_force import door

HEAD = '[store]\nurl = "sqlite:x.db"\nkeys = ["env:KEY"]\n[suppliers.acme]\nsecrets = ["env:ACME"]\n'
SQUARE = HEAD + 'preset = "square"\n'
URL = "https://shop.example/webhooks/acme"


def settings(folder: Path, text: str) -> Settings:
    file = folder / "webhookctl.toml"
    file.write_text(text)
    return load(file, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SQUARE, "suppliers.acme.url is missing: this supplier signs the address that it posts to"),
        (SQUARE + 'url = "shop.example"', "suppliers.acme.url must be a URL in quotes"),
        (HEAD + 'preset = "midtrans"\nmap = { body = "form" }', "suppliers.acme.map.body must not be form"),
        (
            HEAD + 'preset = "midtrans"\nsigned = "{json:/order_id}"',
            "suppliers.acme.signed must have {secret} in kind digest",
        ),
        (HEAD + 'preset = "stripe"\nsigned = "{body}"', "suppliers.acme.signed leaves out the timestamp"),
        (HEAD + 'preset = "xendit"\ntolerance = "5m"', "suppliers.acme.tolerance is of no use in kind token"),
        (HEAD + 'preset = "github"\nalgorithm = "md5"', "suppliers.acme.algorithm md5 is broken"),
        (HEAD + 'preset = "vip-reseller"', "suppliers.acme.signed has {param:api_id}, and params has no such name"),
    ],
)
def test_what_a_scheme_asks_for(tmp_path: Path, text: str, words: str) -> None:
    """What a scheme can't do without, or would not protect with, is refused with the supplier and the key."""
    with pytest.raises(SettingsError) as raised:
        settings(tmp_path, text)

    assert words in str(raised.value)


def test_the_address_that_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver checks signatures over the address that the settings name, whatever its own is."""
    monkeypatch.setenv("ACME", "square-secret-0123456789")

    assert door(settings(tmp_path, SQUARE + f'url = "{URL}"'), "acme").url == URL
