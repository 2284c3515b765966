"""`init`, `config show` and `config check` as an operator meets them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from webhookctl.cli import setup
from webhookctl.config import AlarmSettings, ServeSettings, StoreSettings, SupplierSettings
from webhookctl.config.settings import keys_of
from webhookctl.config.tables import Table
from webhookctl.core.errors import SettingsError, UsageError, WebhookctlError
from webhookctl.core.signatures import Scheme

CANARY = "canary-8d1f6a3c90e7"


@dataclass(frozen=True)
class Globals:
    """What the app hands to its commands."""

    config: Path | None


def run(*words: str, config: Path | None = None, **environ: str) -> Result:
    """Run a command in the app's place; our errors come through as they do to `main`."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def _globals(context: typer.Context) -> None:
        context.obj = Globals(config)

    setup.register(app)
    return CliRunner().invoke(app, list(words), env=environ)


def error_of(result: Result, kind: type[WebhookctlError]) -> str:
    assert isinstance(result.exception, kind)
    return str(result.exception)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder where `init` was run."""
    assert run("init", "--folder", str(tmp_path / "shop")).exit_code == 0
    return tmp_path / "shop"


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_init_writes_settings_key_and_secrets(tmp_path: Path, umask: int) -> None:
    """Settings may be read by others, key and secrets by nobody else, whatever the umask."""
    before = os.umask(umask)
    try:
        run("init", "--folder", str(tmp_path / "shop"))
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "shop").iterdir()}

    private = ("webhookctl.key", "acme.secret", "shop.secret", "admin.token")
    assert modes == {"webhookctl.toml": 0o644} | dict.fromkeys(private, 0o600)
    assert (tmp_path / "shop/shop.secret").read_text().startswith("whsec_")


def test_what_init_wrote_passes_the_check(shop: Path) -> None:
    """A new user runs the check next, and it has nothing to mend."""
    result = run("config", "check", config=shop / "webhookctl.toml")

    assert result.exit_code == 0
    assert result.stderr == ""
    assert "ok store.keys[0]: credential:webhookctl.key" in result.stdout
    assert "ok suppliers.acme.secrets[0]: credential:acme.secret" in result.stdout
    assert "ok actions.deliver.secret: credential:shop.secret" in result.stdout


def test_init_twice_refuses_and_changes_nothing(shop: Path) -> None:
    """What is there stays: a key that is overwritten is lost codes."""
    before = {path.name: path.read_bytes() for path in shop.iterdir()}
    (shop / "acme.secret").unlink()

    sentence = error_of(run("init", "--folder", str(shop)), UsageError)

    assert "webhookctl.key" in sentence
    assert "shop.secret" in sentence
    assert "acme.secret" not in sentence
    del before["acme.secret"]
    assert {path.name: path.read_bytes() for path in shop.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--supplier", "Acme"], "--supplier must be"),
        (["--supplier", "shop"], "not `shop`"),
        (["--preset", "generci"], "--preset generci: "),
        (["--domain", "https://x"], "--domain must be the name of a host"),
    ],
)
def test_init_refuses_in_words(tmp_path: Path, words: list[str], told: str) -> None:
    """A name that would make unusable files is refused before there is any."""
    sentence = error_of(run("init", "--folder", str(tmp_path / "x"), *words), UsageError)

    assert told in sentence
    assert not (tmp_path / "x").exists()


def test_init_refuses_a_folder_of_everybodys(tmp_path: Path) -> None:
    """Where everybody can write, everybody could replace the key."""
    tmp_path.chmod(0o1777)

    assert "can be written to by everybody" in error_of(run("init", "--folder", str(tmp_path)), UsageError)
    assert list(tmp_path.iterdir()) == []


def test_init_prints_results_and_words_apart(tmp_path: Path) -> None:
    """The lines to paste go to stdout, what was written to stderr."""
    result = run("init", "--folder", str(tmp_path / "shop"), "--supplier", "eu-codes")

    assert "https://shop.example/webhooks/eu-codes" in result.stdout
    assert len(result.stderr.splitlines()) == 5
    assert "webhookctl-poll.timer" in result.stdout


def test_show_says_what_holds(shop: Path) -> None:
    """File and environment together, one setting a line; of a secret only whether it is set."""
    (shop / "acme.secret").unlink()

    result = run("config", "show", config=shop / "webhookctl.toml", WEBHOOKCTL_SERVE__LISTEN="127.0.0.1:9999")

    assert "serve.listen\t127.0.0.1:9999" in result.stdout
    assert "suppliers.acme.sla_ms\t900000" in result.stdout
    assert "store.keys[0]\tcredential:webhookctl.key: set\n" in result.stdout
    assert "suppliers.acme.secrets[0]\tcredential:acme.secret: not set: " in result.stdout


def test_show_as_json(shop: Path) -> None:
    """Programs get the same as one JSON object."""
    page = json.loads(run("config", "show", "--json", config=shop / "webhookctl.toml").stdout)

    assert page["store"]["path"] == str(shop / "webhookctl.db")
    assert page["store"]["keys"] == [{"reference": "credential:webhookctl.key", "set": True}]
    assert page["actions"]["deliver"]["repeat"] == "at_least_once"


@pytest.mark.parametrize(
    ("within", "table"),
    [
        (["store"], StoreSettings),
        (["serve"], ServeSettings),
        (["alarms"], AlarmSettings),
        (["suppliers", "acme"], SupplierSettings),
    ],
)
def test_show_leaves_no_setting_out(shop: Path, within: list[str], table: type[Table]) -> None:
    """Each that can be written is shown, whatever it is; of a mapping what was written over the preset's."""
    page = json.loads(run("config", "show", "--json", config=shop / "webhookctl.toml").stdout)
    for name in within:
        page = page[name]

    assert {key.removesuffix("_ms") for key in page} >= {*keys_of(table)} - {"map"} - Scheme.KEYS


def test_show_without_settings_shows_the_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no file, the demo's settings are shown, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    result = run("config", "show", "--json")

    assert json.loads(result.stdout)["demo"] is True
    assert "There is no settings file" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_without_settings_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to check: `init` is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert "run `webhookctl init`" in error_of(run("config", "check"), SettingsError)


def append(shop: Path, text: str) -> Path:
    path = shop / "webhookctl.toml"
    path.write_text(path.read_text() + text)
    return path


def break_key(shop: Path) -> None:
    (shop / "webhookctl.key").write_text(CANARY)


def break_secret(shop: Path) -> None:
    (shop / "acme.secret").write_text("canary")


def break_shop_secret(shop: Path) -> None:
    (shop / "shop.secret").write_text(f"whsec_{CANARY}!")


def break_command(shop: Path) -> None:
    append(shop, '[actions.refund]\ncommand = ["/nowhere/refund"]\n')


def break_certificate(shop: Path) -> None:
    path = append(shop, "")
    path.write_text(path.read_text().replace("# tls_", "tls_"))


def break_certificate_text(shop: Path) -> None:
    break_certificate(shop)
    for name in ("cert.pem", "key.pem"):
        (shop / name).write_text(CANARY)


def break_mode(shop: Path) -> None:
    (shop / "webhookctl.toml").chmod(0o666)


@pytest.mark.parametrize(
    ("breaker", "told"),
    [
        (break_key, "store.keys[0]: "),
        (break_secret, "suppliers.acme.secrets[0]: "),
        (break_shop_secret, "actions.deliver.secret: "),
        (break_command, "actions.refund.command: /nowhere/refund is not there"),
        (break_certificate, "serve.tls_cert: "),
        (break_certificate_text, "both must be PEM files, the certificate first in its own"),
        (break_mode, "settings: "),
    ],
    ids=lambda value: getattr(value, "__name__", "told"),
)
def test_check_says_what_will_not_work(shop: Path, breaker: object, told: str) -> None:
    """Each thing that will fail at work fails in the check, with exit code 3 and no secret in its words."""
    assert callable(breaker)
    breaker(shop)

    result = run("config", "check", config=shop / "webhookctl.toml")
    as_json = run("config", "check", "--json", config=shop / "webhookctl.toml")

    assert (result.exit_code, as_json.exit_code) == (3, 3)
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [each["ok"] for each in json.loads(as_json.stdout)].count(False) == 1
    assert "canary" not in result.output + as_json.output


def test_check_notes_what_travels_in_clear(shop: Path) -> None:
    """Codes over plain HTTP to another machine are no fault and no secret either: it is said."""
    path = shop / "webhookctl.toml"
    path.write_text(path.read_text().replace("http://127.0.0.1:8000", "http://shop.internal"))

    result = run("config", "check", config=path)

    assert result.exit_code == 0
    assert "actions.deliver.http: what it says, codes too, goes to another machine unencrypted" in result.stderr


def test_help_costs_no_heavy_import() -> None:
    """`--help` and completion do not pay for pydantic, cryptography or a server."""
    script = "import sys, webhookctl.cli.setup; print({'pydantic', 'cryptography', 'httpx'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert done.stdout == "set()\n"
