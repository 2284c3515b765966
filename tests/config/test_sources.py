"""Flags, environment and file: what is set where, and which of them holds."""

from pathlib import Path

import pytest

from tests.config.writing import ACME, CANARY, loaded, refusal
from webhookctl.config import find, load
from webhookctl.core.errors import SettingsError


def test_environment_wins_over_file_and_flags_over_both(file: Path) -> None:
    """Flags, environment, file: the first that says something holds."""
    file.write_text(ACME + '[serve]\nlisten = "127.0.0.1:1"\ngrace = "1s"\nmax_body = "1MiB"')
    environ = {"WEBHOOKCTL_SERVE__LISTEN": "127.0.0.1:2", "WEBHOOKCTL_SERVE__GRACE": "2s"}

    settings = load(file, environ, {"serve.listen": "127.0.0.1:3"})

    assert settings.serve.listen.port == 3
    assert settings.serve.grace == 2000
    assert settings.serve.max_body == 1024 * 1024


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOKCTL_SUPPLIERS__ACME_EU__SECRETS", '["env:A", "env:B"]'),
        ("WEBHOOKCTL_SUPPLIERS__ACME_EU__ALLOW_SHORT", "true"),
        ("WEBHOOKCTL_SERVE__LISTEN", "[::1]:8700"),
        ("WEBHOOKCTL_ACTIONS__ALERT__COMMAND", '["/bin/true"]'),
    ],
)
def test_environment_reaches_every_kind_of_value(file: Path, name: str, value: str) -> None:
    """Lists and booleans are written as in TOML; a hyphen in a supplier's name is an underscore."""
    text = ACME.replace("acme", "acme-eu") + "[actions.alert]\n" + ("" if "COMMAND" in name else "log = true")
    settings = loaded(file, text, **{name: value})

    acme = settings.suppliers["acme-eu"]
    seen = {
        "SECRETS": list(map(str, acme.secrets)) == ["env:A", "env:B"],
        "SHORT": acme.allow_short,
        "LISTEN": settings.serve.listen.host == "::1",
        "COMMAND": settings.actions.alert.command == ("/bin/true",),
    }
    assert seen[name.rpartition("_")[2]]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "WEBHOOKCTL_STORE_URL",
            "x",
            "variable WEBHOOKCTL_STORE_URL is no setting; did you mean WEBHOOKCTL_STORE__URL?",
        ),
        ("WEBHOOKCTL_SERVE__LISTN", "x", "did you mean WEBHOOKCTL_SERVE__LISTEN?"),
        ("WEBHOOKCTL_SUPPLIERS__ACME__SEKRETS", "x", "did you mean WEBHOOKCTL_SUPPLIERS__ACME__SECRETS?"),
        ("WEBHOOKCTL_SERVE__LISTEN", CANARY, "serve.listen (set by WEBHOOKCTL_SERVE__LISTEN) must be an address"),
        (
            "WEBHOOKCTL_STORE__KEYS",
            f'["{CANARY}"]',
            "store.keys[0] (set by WEBHOOKCTL_STORE__KEYS) must be a reference",
        ),
        ("WEBHOOKCTL_STORE__URL__X", "x", "WEBHOOKCTL_STORE__URL__X sets store.url.x, but url holds no other settings"),
        ("WEBHOOKCTL_", "x", "the environment variable WEBHOOKCTL_ is no setting"),
    ],
)
def test_a_mistyped_variable_is_refused(file: Path, name: str, value: str, words: str) -> None:
    """A variable of ours that means nothing is refused with the nearest right one, its value unseen."""
    sentence = refusal(file, ACME, **{name: value})

    assert words in sentence
    assert CANARY not in sentence


@pytest.mark.parametrize(
    "variable",
    [
        "WEBHOOKCTL_CONFIG=x.toml",
        "WEBHOOKCTL_TRACEBACK=1",
        "WEBHOOKCTL_REFERENCE=ORD-1",
        "WEBHOOKCTL_SERVICE_HOST=10.0.0.1",
        "WEBHOOKCTL_PORT=tcp://10.0.0.1:8700",
        "WEBHOOKCTL_PORT_8700_TCP_ADDR=10.0.0.1",
        "WEBHOOKCTL_ACME_SECRET=x",
    ],
)
def test_variables_that_are_no_settings_pass(file: Path, variable: str) -> None:
    """The command line's own, a handler's, Kubernetes' and those that hold a referenced secret are left alone."""
    name, _, value = variable.partition("=")

    settings = loaded(file, ACME.replace("env:ACME", "env:WEBHOOKCTL_ACME_SECRET"), **{name: value})

    assert list(settings.suppliers) == ["acme"]


def test_finds_the_nearest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config, WEBHOOKCTL_CONFIG, the working folder, the user's, the system's: the first that there is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    flag, named, cwd = tmp_path / "flag.toml", tmp_path / "named.toml", tmp_path / "cwd"
    user, system = tmp_path / "user/webhookctl/webhookctl.toml", tmp_path / "etc/webhookctl.toml"
    files = [flag, named, cwd / "webhookctl.toml", user, system]
    for each in files:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()

    found = []
    for number in range(5):
        environ = {"WEBHOOKCTL_CONFIG": str(named)} if number < 2 else {}
        found.append(find(flag if number < 1 else None, environ, cwd, system=system))
        files[number].unlink()

    assert found == files
    assert find(None, {"WEBHOOKCTL_CONFIG": ""}, cwd, system=system) is None


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_named_file_must_be_there(tmp_path: Path, by: str) -> None:
    """A settings file that was asked for is never silently passed over for another."""
    explicit = Path("gone.toml") if by == "flag" else None
    environ = {"WEBHOOKCTL_CONFIG": "gone.toml"} if by == "variable" else {}

    with pytest.raises(
        SettingsError, match=r"There is no settings file gone\.toml, which .*(--config|VIG|CONFIG) names"
    ):
        find(explicit, environ, tmp_path)
