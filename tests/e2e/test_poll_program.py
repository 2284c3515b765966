"""The program asks a pretend supplier: cron's manners, serve's own asking, reconciling, and the demo."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.program import Program, free_port, until
from tests.polling.asking import arrive
from webhookctl import cli, wiring

ID = "S-12345"

SETTINGS = """
[store]
url = "sqlite:webhookctl.db"
keys = ["file:webhookctl.key"]
[serve]
listen = "127.0.0.1:{port}"
{serve}
[suppliers.acme]
preset = "generic"
secrets = ["file:acme.secret"]
[suppliers.acme.api]
base_url = "{url}"
auth = {{ token = "env:ACME_TOKEN" }}
{api}
"""


@pytest.fixture
def program(tmp_path: Path, httpserver: HTTPServer) -> Program:
    for name, text in (("webhookctl.key", "ab" * 32), ("acme.secret", "acme-secret-0123456789")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    settle(tmp_path, httpserver.url_for("").rstrip("/"))
    return Program(tmp_path, {"ACME_TOKEN": "token-0123456789"})


def settle(folder: Path, url: str, api: str = "", serve: str = "") -> int:
    port = free_port()
    (folder / "webhookctl.toml").write_text(SETTINGS.format(port=port, url=url, api=api, serve=serve))
    return port


def said(order_id: str, status: str, code: str | None = None, reference: str = "R-12345") -> dict[str, Any]:
    return {"order_id": order_id, "reference": reference, "status": status, "items": [{"sku": "s", "code": code}]}


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    words: str

    @property
    def page(self) -> Any:  # noqa: ANN401 - whatever the command shows
        return json.loads(self.out)


@dataclass(frozen=True)
class Here:
    """The program's commands, run in this process: each would take a second to start."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        self.monkeypatch.setattr(sys, "argv", ["webhookctl", *arguments])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, words = self.capsys.readouterr()
        return Said(ended.value.code if isinstance(ended.value.code, int) else 0, out, words)


@pytest.fixture
def here(program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A shop with one order that is pending for ten minutes."""
    monkeypatch.chdir(program.folder)
    for name, value in program.environ.items():
        monkeypatch.setenv(name, value)
    with wiring.store(wiring.settings(None), create=True) as store:
        arrive(store, 12345)
    return Here(monkeypatch, capsys)


def test_cron_hears_nothing_while_nothing_moves(here: Here, httpserver: HTTPServer) -> None:
    """A run without news is silent and ends with 0; the question carried the token."""
    headers = {"Authorization": "Bearer token-0123456789"}
    httpserver.expect_request("/orders", headers=headers).respond_with_json({"orders": [said(ID, "pending")]})
    httpserver.expect_request(f"/orders/{ID}", headers=headers).respond_with_json(said(ID, "pending"))

    done = here("poll")

    assert (done.code, done.out, done.words) == (0, "", "")
    assert len(httpserver.log) == 1
    assert here("poll", "--dry-run").words == "Nothing would be asked about.\n"


def test_an_order_that_moved_is_one_line(here: Here, httpserver: HTTPServer) -> None:
    """What asking found is a line without its code; the order is fulfilled though nobody serves."""
    httpserver.expect_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "SECRET-CODE"))

    done = here("poll", "--order", "R-12345")

    assert done.code == 0, done.words
    assert done.out == "R-12345 at acme: pending → fulfilled, found by asking\n"
    assert "SECRET" not in done.out + done.words
    assert here("orders", "show", "R-12345", "--json").page["learned_by"] == "poll"
    assert here("status", "--json").page["polling"]["acme"]["day"]["webhooks_missed"] == 1


def test_what_is_known_already_is_no_move(here: Here, httpserver: HTTPServer) -> None:
    """Asked about again, an order at its end is no news; with another code than before it is a person's, once."""
    httpserver.expect_ordered_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-1"))
    httpserver.expect_ordered_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-1"))
    httpserver.expect_ordered_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-2"))
    httpserver.expect_ordered_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-2"))

    done = [here("poll", "--order", "R-12345") for _ in range(4)]

    assert [one.code for one in done] == [0, 0, 6, 0]
    assert [one.out.count("\n") for one in done] == [1, 0, 1, 0]
    assert "other codes than before" in done[2].out
    assert "CODE" not in "".join(one.out + one.words for one in done)


def test_a_supplier_that_can_not_be_asked_is_exit_4(here: Here, tmp_path: Path) -> None:
    """A dead API is told on stderr, once, with exit code 4; as JSON too."""
    settle(tmp_path, "http://127.0.0.1:9")

    done = here("poll")
    again = here("poll", "--order", "R-12345", "--json")

    assert done.code == again.code == 4
    assert done.words.startswith("acme can't be asked: http://127.0.0.1:9")
    assert done.words.count("\n") == 1
    assert again.page["not_asked"][0]["supplier"] == "acme"


def test_not_found_for_too_long_is_exit_6_once(here: Here, httpserver: HTTPServer, tmp_path: Path) -> None:
    """An order that its supplier does not know for too long is a person's: exit code 6, once; then silence."""
    settle(tmp_path, httpserver.url_for("").rstrip("/"), 'patience = "1ms"')
    httpserver.expect_request(f"/orders/{ID}").respond_with_data(status=404)

    first = here("poll", "--order", "R-12345")
    second = here("poll", "--order", "R-12345")

    assert (first.code, second.code) == (6, 0)
    assert "a person must look" in first.out
    assert second.out == ""


def test_a_missing_token_is_a_fault_of_the_settings(here: Here) -> None:
    """A secret that can't be read is exit code 3, with the key that names it."""
    here.monkeypatch.delenv("ACME_TOKEN")

    done = here("poll")

    assert done.code == 3
    assert "suppliers.acme.api.auth: env:ACME_TOKEN is not set" in done.words


def test_serve_asks_at_once_and_within_seconds(
    here: Here, program: Program, httpserver: HTTPServer, tmp_path: Path
) -> None:
    """Serve asks at its start about what was missed meanwhile; a webhook without its code is asked about at once."""
    assert here
    httpserver.expect_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-1"))
    other = "SUP-99887"
    httpserver.expect_request(f"/orders/{other}").respond_with_json(said(other, "fulfilled", "CODE-2", "ORD-12345"))
    settle(tmp_path, httpserver.url_for("").rstrip("/"), serve='poll_every = "1h"')

    with program.serve() as serving:
        until(lambda: _status("R-12345") == "fulfilled", "serve has asked about what was missed")
        program.ok("send", "order.fulfilled", "--set", "code=")
        until(lambda: _status("ORD-12345") == "fulfilled", "serve has asked about what it heard of")
        assert serving.stop(signal.SIGTERM) == 0

    assert "stale_orders" in serving.words


def test_a_secret_that_is_missing_stops_no_other_supplier(
    here: Here, program: Program, httpserver: HTTPServer, tmp_path: Path
) -> None:
    """Serve names the supplier whose API it can't ask, and asks the others."""
    assert here
    httpserver.expect_request(f"/orders/{ID}").respond_with_json(said(ID, "fulfilled", "CODE-1"))
    url = httpserver.url_for("").rstrip("/")
    other = f"""
[suppliers.other]
preset = "generic"
secrets = ["file:acme.secret"]
[suppliers.other.api]
base_url = "{url}"
auth = {{ token = "env:OTHER_TOKEN" }}
"""
    settle(tmp_path, url, api=other, serve='poll_every = "1h"')

    with program.serve() as serving:
        until(lambda: _status("R-12345") == "fulfilled", "serve has asked who can be asked")
        assert serving.stop(signal.SIGTERM) == 0

    (told,) = [json.loads(line) for line in serving.said if "supplier can't be asked" in line]
    assert told["supplier"] == "other"
    assert told["reason"].startswith("suppliers.other.api.auth: env:OTHER_TOKEN is not set")


def _status(reference: str) -> str | None:
    with wiring.store(wiring.settings(None)) as store:
        found = store.orders.get([("acme", reference)])
    return found["acme", reference].status.value if found else None


def test_reconciling_finds_what_nobody_told(here: Here, httpserver: HTTPServer) -> None:
    """The supplier's list names an order that we never heard of; --apply takes it over, and then nothing differs."""
    rows = [said(ID, "pending"), said("SUP-2", "fulfilled", "CODE-2", "ORD-2")]
    httpserver.expect_request("/orders").respond_with_json({"orders": rows})

    shown = here("poll", "--reconcile", "--json").page
    here("poll", "--reconcile", "--apply")

    assert [one["difference"] for one in shown["deviations"]] == ["unknown here"]
    assert here("orders", "show", "ORD-2", "--json").page["status"] == "fulfilled"
    assert here("poll", "--reconcile", "--json").page["deviations"] == []


def test_the_demo_delivers_every_order_once(tmp_path: Path) -> None:
    """A supplier that loses half of its webhooks, a shop, serve and polling: every order is delivered once."""
    page = Program(tmp_path).json("demo", "--orders", "15", "--seconds", "4", "--loss", "50%")

    assert page["delivered_once"] == page["orders"] == 15
    assert page["delivered_again"] == page["wrong_codes"] == 0
    assert page["webhooks_lost"] > 0
    assert page["found_by_asking"] > 0


def test_the_pretend_supplier_plays_the_one_of_the_settings(here: Here, program: Program, tmp_path: Path) -> None:
    """Its orders live, its webhooks are signed, and it answers who asks, by what the settings say."""
    assert here
    settle(tmp_path, f"http://127.0.0.1:{free_port()}")
    with program.serve() as serving, program.start("demo", "supplier", "--every", "1s", "--loss", "0%", "--life", "1s"):
        until(lambda: _fulfilled() > 0, "an order's life")
        assert serving.stop(signal.SIGTERM) == 0
    assert here("poll", "--order", "R-12345").code == 4


def _fulfilled() -> int:
    with wiring.store(wiring.settings(None)) as store:
        return store.reports.summary(now=0).orders.get("fulfilled", 0)


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--reconcile"]], ids=" ".join)
def test_a_supplier_that_is_not_there_is_said_before_the_store_is(
    program: Program, here: Here, more: list[str]
) -> None:
    """A wrong name is the operator's slip, whether or not there is a store; the nearest right one is named."""
    for file in program.folder.glob("webhookctl.db*"):
        file.unlink()

    said = here("poll", "--supplier", "acmee", *more)

    assert (said.code, said.out) == (2, "")
    assert "There is no supplier 'acmee' in the settings; did you mean acme? There are: acme." in said.words
