"""How a supplier is asked, in the settings: laid over its preset, or refused in words."""

from pathlib import Path

import pytest

from webhookctl import suppliers
from webhookctl.config import Settings, load
from webhookctl.core.errors import SettingsError
from webhookctl.core.retries import HOUR, MINUTE

HEAD = """
[store]
url = "sqlite:webhookctl.db"
keys = ["file:webhookctl.key"]
[suppliers.acme]
preset = "{preset}"
{more}
"""


def loaded(folder: Path, api: str, preset: str = "generic", more: str = 'secrets = ["env:ACME"]') -> Settings:
    file = folder / "webhookctl.toml"
    file.write_text(HEAD.format(preset=preset, more=more) + api)
    return load(file, {})


def refused(folder: Path, api: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, api)
    return str(caught.value)


MINE = '[suppliers.acme.api]\nbase_url = "https://api.example/v1/"\nauth = { bearer = "env:TOKEN" }\n'


def test_without_the_table_nobody_asks(tmp_path: Path) -> None:
    """A preset alone does not make us ask: the settings must say with what right."""
    settings = loaded(tmp_path, "")

    assert settings.suppliers["acme"].asked is None
    assert not settings.suppliers["acme"].policy.can_ask


def test_the_settings_are_laid_over_the_preset(tmp_path: Path) -> None:
    """What the settings say wins, table by table; the rest is the preset's, the status words are the webhooks'."""
    more = 'rate = "300/m"\nafter = "2m"\npatience = "30m"\nmap = { status = "/state" }\n'
    one = loaded(tmp_path, MINE + more).suppliers["acme"]

    assert one.asked is not None
    assert one.api is not None
    assert (one.asked.base_url, one.asked.per_second) == ("https://api.example/v1", 5.0)
    assert one.asked.order == ("/orders/{order_id}", "/orders/by-reference/{reference}")
    assert [str(place) for place in one.asked.places.status] == ["/state"]
    assert one.asked.places.statuses["fulfilled"].value == "fulfilled"
    assert (one.api.policy.after, one.api.policy.patience, one.api.policy.give_up) == (
        2 * MINUTE,
        HOUR // 2,
        168 * HOUR,
    )
    assert one.policy.can_ask


def test_a_call_of_the_preset_can_be_switched_off(tmp_path: Path) -> None:
    """An API without the list, or the second call, that the preset knows of is asked order by order."""
    with_both = loaded(tmp_path, MINE).suppliers["acme"].asked
    without = loaded(tmp_path, MINE + "list = false\nthen = false\n").suppliers["acme"].asked

    assert with_both is not None
    assert without is not None
    assert with_both.list is not None
    assert (without.list, without.then) == (None, None)
    assert "list must be a table" in refused(tmp_path, MINE + "list = true\n")


PROOFS = {
    "none": "",
    "bearer": 'token = "env:T"',
    "header": 'token = "env:T"',
    "query": 'token = "env:T"',
    "basic": 'username = "env:U"\npassword = "env:P"',
    "oauth2": 'client_id = "env:C"\nclient_secret = "env:S"',
}


@pytest.mark.parametrize("name", [name for name in suppliers.names() if "api" in suppliers.preset(name)])
def test_every_preset_can_be_asked(tmp_path: Path, name: str) -> None:
    """Each preset with an `api` works once the references that its kind of proof needs are given."""
    preset = suppliers.preset(name)
    auth = PROOFS[preset["api"].get("auth", {"kind": "none"})["kind"]].replace("\n", ", ")
    base = "" if "base_url" in preset["api"] else 'base_url = "https://api.example"\n'
    secrets = "" if preset.get("kind") == "none" else 'secrets = ["env:ACME"]'
    secrets += '\npath_secret = ["env:PATH_SECRET"]' if preset.get("kind") == "none" else ""
    secrets += '\nparams = { client_id = "me" }' if "{param:client_id}" in str(preset.get("signed")) else ""
    api = f"[suppliers.acme.api]\n{base}" + (f"auth = {{ {auth} }}\n" if auth else "")

    one = loaded(tmp_path, api, name, secrets).suppliers["acme"]

    assert one.asked is not None
    assert one.asked.order


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ("[suppliers.acme.api]\nauth = { bearer = 'env:T' }", "suppliers.acme.api.base_url is missing"),
        (MINE + "rat = '5/s'", "suppliers.acme.api.rat is not known; did you mean suppliers.acme.api.rate?"),
        (MINE + "rate = 5", 'suppliers.acme.api.rate must be a rate in quotes, such as "5/s"'),
        (MINE + "rate = '0/s'", "suppliers.acme.api.rate must be a rate"),
        (MINE + "concurrency = 1000", "suppliers.acme.api.concurrency must be a whole number from 1 to 100"),
        (MINE + "missed_alert = 2", "suppliers.acme.api.missed_alert must be a share"),
        (MINE + "order = '/orders/{id}'", "suppliers.acme.api.order names {id}, which is not known"),
        (MINE.replace("https", "http"), "must begin with https://"),
        (MINE.replace("v1/", "v1?key=1"), "must not have a query"),
        (MINE.replace('{ bearer = "env:TOKEN" }', "{ kind = 'bearer' }"), "suppliers.acme.api.auth.token is missing"),
        (MINE.replace('"env:TOKEN"', '"abc"'), "suppliers.acme.api.auth"),
        (MINE.replace("bearer", "parameter = 'k', bearer"), "suppliers.acme.api.auth.parameter has no meaning"),
        (MINE + "map = { colour = '/x' }", "suppliers.acme.api.map.colour is not known"),
        (MINE + "headers = { 'a b' = 'c' }", "suppliers.acme.api.headers must be a table of headers"),
    ],
)
def test_what_can_not_work_is_refused(tmp_path: Path, api: str, words: str) -> None:
    """A fault names its key and says what to do."""
    assert words in refused(tmp_path, api)


def test_a_secret_in_clear_is_never_repeated(tmp_path: Path) -> None:
    """What stands where a reference belongs may be the token itself."""
    assert "canary-token" not in refused(tmp_path, MINE.replace("env:TOKEN", "canary-token"))
