"""What a page needs of the settings is what all the settings say, though they are not all read; in doubt they are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.event_files import ENVIRON, Place
from tests.cli.least import SETTINGS
from webhookctl import suppliers, wiring
from webhookctl.config.settings import keys_of
from webhookctl.config.supplier_settings import SupplierSettings
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ActionKind
from webhookctl.core.redaction import mask
from webhookctl.core.signatures import Scheme, params_needed
from webhookctl.wiring import glance

STORE = '[store]\nurl = "sqlite:shop.db"\nkeys = ["file:shop.key"]\n'
ACME = '[suppliers.acme]\npreset = "generic"\nsecrets = ["env:ACME_SECRET"]\n'
OWN = """[suppliers.acme]
secrets = ["env:ACME_SECRET"]
kind = "hmac"
algorithm = "sha256"
signed = "{body}"
encoding = "hex"
signature_header = "X-Harmless"
sla = "2h"
[suppliers.acme.map]
reference = "/order"
status = "/state"
items = "/cellar/*"
code = "/wine"
"""
API = '[suppliers.acme.api]\nbase_url = "https://api.example"\nauth = { bearer = "env:TOKEN" }\n'


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], wiring.StorePlace]:
    def write(text: str) -> wiring.StorePlace:
        (tmp_path / "webhookctl.toml").write_text(STORE + text)
        found = wiring.place(tmp_path / "webhookctl.toml")
        assert isinstance(found, wiring.StorePlace)
        return found

    return write


def assert_as_the_whole(short: wiring.StorePlace) -> None:
    """For a supplier of the settings and one that is in them no more."""
    whole = wiring.settings(short.source)
    for supplier in ("acme", "gone"):
        assert wiring.mapping(whole, supplier) == wiring.mapping(short, supplier)
        assert wiring.proof(whole, supplier) == wiring.proof(short, supplier)
        assert wiring.return_window(whole, supplier) == wiring.return_window(short, supplier)
    assert wiring.asked_suppliers(whole) == wiring.asked_suppliers(short)
    assert wiring.handled_kinds(whole) == wiring.handled_kinds(short)
    assert wiring.store_path(whole) == wiring.store_path(short)


@pytest.mark.parametrize("preset", suppliers.names())
def test_of_each_preset_the_same_is_hidden(written: Callable[[str], wiring.StorePlace], preset: str) -> None:
    """Signatures, tokens and codes stand where all the settings have them."""
    table = f'[suppliers.acme]\npreset = "{preset}"\nurl = "https://shop.example/webhooks/acme"\n'
    below = suppliers.preset(preset)
    proof = "path_secret" if below["kind"] == "none" else "secrets"
    params = ", ".join(f'{name} = "1"' for name in params_needed(below))
    said = f"params = {{ {params} }}\n" if params else ""

    assert_as_the_whole(written(f'{table}{said}{proof} = ["env:ACME_SECRET"]\n'))


@pytest.mark.parametrize(
    "settings",
    [
        "",
        OWN,
        ACME + '[suppliers.acme.map]\ncode = "/wine"\n',
        ACME + 'signature_header = "X-Harmless"\nreturn_window = "36h"\n',
        ACME + API + ACME.replace("acme", "zeta") + API.replace("acme", "zeta") + ACME.replace("acme", "beta"),
        '[suppliers.acme]\npreset = "kinguin"\nsecrets = ["env:A"]\n[suppliers.acme.api.auth]\ntoken = "env:TOKEN"\n',
        ACME + '[actions.deliver]\ncommand = ["true"]\n[actions.alert]\nlog = true\n',
    ],
)
def test_what_is_said_against_the_preset_counts(written: Callable[[str], wiring.StorePlace], settings: str) -> None:
    """Keys of the scheme, a map, an API, handlers."""
    assert_as_the_whole(written(settings))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOKCTL_SUPPLIERS__ACME__SIGNATURE_HEADER", "X-Harmless"),
        ("WEBHOOKCTL_suppliers__acme__map", '{ code = "/wine" }'),
        ("WEBHOOKCTL_SUPPLIERS__ACME__RETURN_WINDOW", "36h"),
        ("WEBHOOKCTL_ACTIONS__DELIVER__COMMAND", '["true"]'),
        ("WEBHOOKCTL_SUPPLIERS__GONE", '{ preset = "kinguin", secrets = ["env:ACME_SECRET"] }'),
    ],
)
def test_variables_count(
    written: Callable[[str], wiring.StorePlace], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """However they are written, they lie over the file."""
    monkeypatch.setenv(name, value)

    assert_as_the_whole(written(ACME))


@pytest.mark.parametrize(
    "fault",
    [
        'signatur_header = "X-Harmless"\n',
        'signature_header = ["a b"]\n',
        'preset = "generik"\nsecrets = ["env:ACME_SECRET"]\n',
        "preset = 7\n",
        'map = "wine"\n',
        "[suppliers.acme.map]\nwine = 7\n",
        '[suppliers.acme.map]\nbody = "form"\n',
        '[suppliers.acme.map]\nreference = "no pointer"\n',
    ],
)
def test_in_doubt_nothing_is_shown(written: Callable[[str], wiring.StorePlace], fault: str) -> None:
    """A fault that could leave a code in sight is said in the sentence that all the settings have for it."""
    short = written((ACME if "preset" not in fault else "[suppliers.acme]\n") + reading(fault) + fault)

    with pytest.raises(SettingsError) as whole:
        wiring.settings(short.source)
    for ask in (wiring.mapping, wiring.proof):
        with pytest.raises(SettingsError) as glimpsed:
            ask(short, "acme")
        assert str(whole.value) == str(glimpsed.value)


def reading(fault: str) -> str:
    """Let the scheme look into the body, where the fault is that it can't."""
    return 'timestamp_pointer = "/sent"\n' if "form" in fault else ""


@pytest.mark.parametrize("fault", ["[actions]\ndelivr = { log = true }\n", '[actions]\ndeliver = "true"\n'])
def test_a_misspelt_action_is_said(written: Callable[[str], wiring.StorePlace], fault: str) -> None:
    """Not taken for one that nobody carries out."""
    with pytest.raises(SettingsError, match="actions"):
        wiring.handled_kinds(written(ACME + fault))


def test_an_alert_is_always_handled(written: Callable[[str], wiring.StorePlace]) -> None:
    """By a line in the log, where nothing else is said."""
    assert {ActionKind.ALERT} == wiring.handled_kinds(written(ACME))


def test_every_key_of_a_supplier_is_known() -> None:
    """A new one is no reason for doubt."""
    assert set(keys_of(SupplierSettings)) == glance.OWN_KEYS | Scheme.KEYS


def test_codes_and_proof_are_masked_wherever_the_settings_have_them(place: Place) -> None:
    """In members of harmless names: shown where the settings do not have them there, and not where they do."""
    plain = json.loads(place.run("show", "4", "--json").stdout)["body"]
    proof = 'signature_pointer = "/data/order_id"\nsigned_in_body = "{body-without:/data/order_id}"\n'
    codes = '[suppliers.acme.map]\ncode = "/sku"\n'
    (place.folder / "webhookctl.toml").write_text(SETTINGS + proof + codes)

    masked = json.loads(place.run("show", "4", "--json").stdout)["body"]

    assert (plain["data"]["items"][0]["sku"], plain["data"]["order_id"]) == ("steam-20", "SUP-0")
    assert (masked["data"]["items"][0]["sku"], masked["data"]["order_id"]) == (mask("steam-20"), mask("SUP-0"))


@pytest.mark.parametrize(
    "words",
    [
        ["events", "list", "-n", "5", "--state", "done"],
        ["events", "show", "4"],
        ["orders", "show", "ORD-0"],
        ["actions", "list", "--reference", "ORD-0"],
    ],
)
def test_to_look_something_up_loads_no_pydantic(place: Place, words: list[str]) -> None:
    """It takes longer to load than all else that such a command does."""
    script = "import sys; from webhookctl.cli import app; app(standalone_mode=False); print('pydantic' in sys.modules)"

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script, "--config", str(place.folder / "webhookctl.toml"), *words],
        env=os.environ | ENVIRON,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.count("ORD-0")
    assert done.stdout.splitlines()[-1] == "False"
