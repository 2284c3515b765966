"""`rejected` and `suppliers secrets` as an operator meets them."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.store.building import NOW, rejection, verified
from tests.test_quarantine import RIGHT, said
from tests.test_quarantine import rejection as signed
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.cli import app
from webhookctl.core.errors import NotFoundError, Reason, SettingsError, UsageError
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds

SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["env:KEY"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME", "env:OLD"]
[suppliers.zendit]
preset = "zendit"
signature_header = "X-Zendit-Door"
secrets = ["env:ZENDIT"]
[suppliers.bamboo]
preset = "bamboo-notification"
signature_pointer = "/doorman"
secrets = ["env:ZENDIT"]
"""
ENVIRON = {"KEY": "00" * 32, "ACME": RIGHT.decode(), "OLD": "a secret that was here before"}


@dataclass
class Shop:
    """A folder with settings, and the store in it."""

    folder: Path
    store: SqliteStore

    def run(self, *words: str, stdin: str = "", **environ: str) -> Result:
        command = ["--config", str(self.folder / "webhookctl.toml"), *words]
        return CliRunner().invoke(app, command, input=stdin, env=ENVIRON | environ)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=True)) as store:
        yield Shop(tmp_path, store)


def fill(shop: Shop, count: int) -> None:
    kept = [signed(number, said("created", number)) for number in range(count)]
    shop.store.quarantine.keep(kept, Bounds(), now=NOW)


def test_the_list(shop: Shop) -> None:
    """Newest first, what a stranger wrote shown harmlessly, filtered as asked."""
    evil = rejection(2, reason=Reason.MALFORMED)._replace(detail="x\x1b[2J\u202e", sender="")
    shop.store.quarantine.keep([rejection(1), evil], Bounds(), now=NOW)

    shown = shop.run("rejected", "list", "--utc").stdout.splitlines()

    assert [line.split("\t")[2:] for line in shown[1:]] == [
        ["acme", "unknown", "malformed", "x\\x1b[2J\\u202e"],
        ["acme", "203.0.113.7", "mismatch", "no 1"],
    ]
    only = json.loads(shop.run("rejected", "list", "--reason", "mismatch", "--json").stdout)
    assert [one["detail"] for one in only] == ["no 1"]
    assert "Nothing of that" in shop.run("rejected", "list", "--supplier", "nobody").stderr


def test_one_is_shown_masked(shop: Shop) -> None:
    """The supplier's own header with its token as well, whatever it is called, and what stood in the path."""
    headers = ((b"x-zendit-door", b"CANARY-TOKEN-1"), (b"authorization", b"CANARY-TOKEN-2"), (b"x-plain", b"yes"))
    delivery = rejection(1, supplier="zendit", body=b'{"code": "CANARY-CODE-3"}').delivery._replace(headers=headers)
    one = rejection(1)._replace(delivery=delivery, presented=b"CANARY-PATH-4")
    shop.store.quarantine.keep([one, one._replace(delivery=delivery._replace(body=b"\xff"))], Bounds(), now=NOW)

    shown = shop.run("rejected", "show", "1").stdout + shop.run("rejected", "show", "1", "--json").stdout

    assert "CANARY" not in shown
    assert "x-plain: yes" in shown
    assert "not JSON" in shop.run("rejected", "show", "2").stdout
    missing = shop.run("rejected", "show", "3").exception
    assert isinstance(missing, NotFoundError)


def test_a_token_in_the_body_is_masked(shop: Shop) -> None:
    """Whatever its member is called: the settings say where the token stands."""
    body = b'{"requestId": "R-1", "doorman": "a-token-of-another-door", "again": ["a-token-of-another-door"]}'
    shop.store.quarantine.keep([rejection(1, supplier="bamboo", body=body)], Bounds(), now=NOW)

    shown = shop.run("rejected", "show", "1").stdout + shop.run("rejected", "show", "1", "--json").stdout

    assert "R-1" in shown
    assert "another-door" not in shown


def test_what_can_not_be_opened_says_so(shop: Shop) -> None:
    """With its key; the others are healed all the same."""
    fill(shop, 2)
    with shop.store.connection.writing() as raw:
        raw.execute("UPDATE rejected SET sealed = zeroblob(60) WHERE id = 1")

    assert "it was changed" in shop.run("rejected", "show", "1").stdout
    healed = json.loads(shop.run("rejected", "reverify", "--json").stdout)
    assert (healed["taken"], healed["stay"][0]["count"]) == (1, 1)
    assert "it was changed" in healed["stay"][0]["why"]


def test_a_few_are_taken_at_once_and_many_are_asked_about(shop: Shop) -> None:
    """More than ten are refused where there is nobody to ask; `--dry-run` changes nothing."""
    fill(shop, 11)
    refused = shop.run("rejected", "reverify").exception
    dry = json.loads(shop.run("rejected", "reverify", "--dry-run", "--json").stdout)
    still = len(shop.store.quarantine.find(RejectedQuery()))
    taken = shop.run("rejected", "reverify", "--yes")

    assert isinstance(refused, UsageError)
    assert "11" in str(refused)
    assert (dry["verify_now"], dry["taken"], dry["dry_run"], still) == (11, 0, True, 11)
    assert "11 taken into the events" in taken.stderr
    assert taken.exit_code == 0
    assert shop.run("rejected", "reverify").exit_code == 0


def test_nothing_verifies(shop: Shop) -> None:
    """Then the answer is no, and why is said."""
    fill(shop, 1)

    result = shop.run("rejected", "reverify", ACME="another wrong secret of length")

    assert result.exit_code == 1
    assert "1 of acme stay: rejected for mismatch." in result.stderr


def test_only_the_secrets_that_are_needed_are_read(shop: Shop) -> None:
    """That another supplier's is not here keeps nobody from healing; one's own is asked for by name."""
    fill(shop, 1)
    missing = shop.run("rejected", "reverify", OLD="")

    assert isinstance(missing.exception, SettingsError)
    assert "env:OLD" in str(missing.exception)
    assert json.loads(shop.run("rejected", "reverify", "--json").stdout)["taken"] == 1


def test_when_each_secret_matched_last(shop: Shop) -> None:
    """In the order of the settings, and what to do about each."""
    day = 86_400_000
    old, new = (verified(number)._replace(matched=name) for number, name in ((1, "env:OLD"), (3 * day + 1, "env:ACME")))
    with shop.store.connection.writing() as raw:
        for one in (old, new):
            raw.execute("INSERT INTO secret_uses VALUES (?, ?, ?)", ("acme", one.matched, one.delivery.received_at))

    rows = json.loads(shop.run("suppliers", "secrets", "--json").stdout)
    shown = shop.run("suppliers", "secrets", "--supplier", "acme", "--utc").stdout
    nobody = shop.run("suppliers", "secrets", "--supplier", "nobody").exception

    assert [(one["supplier"], one["secret"], one["verdict"]) for one in rows] == [
        ("acme", "env:ACME", "keep"),
        ("acme", "env:OLD", "can go"),
        ("bamboo", "env:ZENDIT", "wait"),
        ("zendit", "env:ZENDIT", "wait"),
    ]
    assert "not seen for 3 days, while env:ACME matched" in shown
    assert isinstance(nobody, UsageError)
