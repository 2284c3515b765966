"""`suppliers list` and `show`: what is shipped, and that it can be copied into the settings as it stands."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from webhookctl import config, suppliers
from webhookctl.cli import app
from webhookctl.cli.preset_page import COLUMNS, row, settings_text
from webhookctl.config import Settings
from webhookctl.core.errors import UsageError

README = Path(__file__).parent.parent.parent / "README.md"
STORE = '[store]\nurl = "sqlite:shop.db"\nkeys = ["env:KEY"]\n'
_REFERENCE = re.compile(r'"(env:[A-Z0-9_]+)"')


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["suppliers", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def load(folder: Path, text: str) -> Settings:
    (folder / "webhookctl.toml").write_text(STORE + text)
    return config.load(folder / "webhookctl.toml", {})


@pytest.mark.parametrize("name", suppliers.names())
def test_a_preset_printed_into_the_settings_works(tmp_path: Path, name: str) -> None:
    """It says the same as naming the preset, with the same secrets."""
    text = settings_text(name)
    printed = load(tmp_path, text).suppliers[name]
    preset = suppliers.preset(name)
    named = f'[suppliers.{name}]\npreset = "{name}"\n'
    named += f'path_secret = "env:{_variable(name)}_PATH"\n' if preset["kind"] == "none" else ""
    named += f'secrets = ["env:{_variable(name)}_SECRET"]\n' if preset["kind"] != "none" else ""
    named += "\n".join(re.findall(r"^url = .*\n", text, re.MULTILINE))
    named += _table_of(text, f"suppliers.{name}.params")
    base_url = re.search(r"^base_url = .*\n", text, re.MULTILINE)
    named += f"[suppliers.{name}.api]\n{base_url[0]}" if base_url else ""
    named += _table_of(text, f"suppliers.{name}.api.auth")

    by_name = load(tmp_path, named).suppliers[name]

    assert printed.preset is None
    assert printed.scheme == by_name.scheme
    assert printed.mapping == by_name.mapping
    assert printed.policy == by_name.policy
    assert printed.asked == by_name.asked
    assert (printed.asked is not None) == ("api" in preset)
    same = ("secrets", "path_secret", "head_ok", "ack_status", "ack_body", "allow_ips", "challenge")
    assert {key: getattr(printed, key) for key in same} == {key: getattr(by_name, key) for key in same}


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _table_of(text: str, name: str) -> str:
    """Return one table of a TOML text as it stands there; nothing where there is none."""
    found = re.search(rf"^\[{re.escape(name)}\]\n(?:[^\[\n].*\n)*", text, re.MULTILINE)
    return found[0] if found else ""


def test_what_is_printed_names_no_secret() -> None:
    """Each place of a secret is a reference to a variable that the operator sets."""
    printed = shown("show", "reloadly", "--toml")

    assert _REFERENCE.findall(printed) == [
        "env:RELOADLY_SECRET",
        "env:RELOADLY_API_CLIENT_ID",
        "env:RELOADLY_API_CLIENT_SECRET",
    ]
    assert printed.startswith("# Reloadly")
    assert printed == settings_text("reloadly")


def test_the_list() -> None:
    """One line for each preset, or as JSON all that is known of each."""
    lines = [line.split("\t") for line in shown("list").splitlines()]
    pages = json.loads(shown("list", "--json"))

    assert tuple(lines[0]) == COLUMNS
    assert [line[0] for line in lines[1:]] == suppliers.names()
    assert [page["preset"] for page in pages] == suppliers.names()
    assert json.loads(shown("show", "runa", "--json")) in pages


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kinguin", ["a hint: the order is asked for", "documented", "then its codes", "204", "/orderExternalId"]),
        ("apigames", ["unconfirmed", "a hint: a person decides", "held for a person", "the whole body"]),
        ("digiflazz", ["believed", "in the webhook", "hmac sha1 hex in X-Hub-Signature", "/data/buyer_last_saldo"]),
        ("bitrefill", ["none: a secret in the path", "GET /orders/{order_id}", "/orders/*"]),
        ("airalo", ["answered 200", "/request_id or /data/request_id"]),
        ("runa", ["5 s, 5 min", "by asking"]),
        ("tremendous", ["event id", "occurred at"]),
        ("digiflazz", ["/hook_id"]),
        ("giftbills", ['{"response":"success"}']),
    ],
)
def test_a_page(name: str, words: list[str]) -> None:
    """It says how a supplier signs, what is believed, how it is asked, and how sure all that is."""
    page = shown("show", name)

    assert [word for word in words if word not in page] == []


def test_an_unknown_preset() -> None:
    """The nearest right name is told."""
    with pytest.raises(UsageError, match="did you mean kinguin"):
        CliRunner().invoke(app, ["suppliers", "show", "kingiun"], catch_exceptions=False)


def test_the_readmes_table_is_made_from_the_presets() -> None:
    """It has each preset, suppliers and schemes alike, and says of it what `suppliers list` says."""
    section = README.read_text("utf-8").split("<!-- table of suppliers", 1)[1]
    lines = [line for line in section.split("\n\n", 1)[0].splitlines() if line.startswith("|")]

    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert lines[2:] == [readme_line(name) for name in suppliers.names()]


def readme_line(name: str) -> str:
    return f"| {' | '.join(row(name))} |"
