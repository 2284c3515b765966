"""Secrets were wrong for an hour: nothing of that hour is lost."""

import hmac
import json
import signal
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from typer.testing import CliRunner

from tests.e2e.program import Program, until
from webhookctl.cli import app

SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[serve]
listen = "127.0.0.1:0"
[suppliers.acme]
preset = "generic"
secrets = ["file:acme.secret"]
[suppliers.zap]
kind = "none"
path_secret = "file:zap.secret"
map = { reference = "/ref", event_type = "/type", status = "/status" }
"""
RIGHT, PATH_SECRET, CODE = "the secret that the supplier has got", "path-secret-of-zap-0123", "XXXXX-YYYYY-ZZZZZ"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("_", ".")
        file.write_text(text)
        file.chmod(0o600)


def post(url: str, body: bytes) -> tuple[int, bytes]:
    """Post as the supplier does, who has the right secret all along."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    connection.request(
        "POST", parts.path, body, {"X-Webhook-Signature": hmac.digest(RIGHT.encode(), body, "sha256").hex()}
    )
    answer = connection.getresponse()
    said = answer.status, answer.read()
    connection.close()
    return said


def said(kind: str, status: str) -> bytes:
    data = {"reference": "ORD-1", "order_id": "SUP-1", "status": status}
    items = {"items": [{"sku": "steam-20", "code": CODE}]} if status == "fulfilled" else {}
    return json.dumps({"event": f"order.{kind}", "data": data | items}).encode()


def _command(folder: Path, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["--config", str(folder / "webhookctl.toml"), *words])
    return result.exit_code, result.stdout, result.stderr


def _rows(folder: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(_command(folder, *words, "--json")[1])
    return found


def test_an_hour_with_wrong_secrets(tmp_path: Path) -> None:
    """Rejected alike and kept; mended, each order ends as it should, delivered once, and no secret was told."""
    write(tmp_path, webhookctl_toml=SETTINGS, shop_key="00" * 32)
    write(tmp_path, acme_secret="the secret that was wrong for an hour", zap_secret="another-path-secret")
    command, rows = partial(_command, tmp_path), partial(_rows, tmp_path)
    with Program(tmp_path).serve() as serving:
        acme, zap = f"{serving.url}/webhooks/acme", f"{serving.url}/webhooks/zap"
        hint = json.dumps({"ref": "R1", "type": "order.failed"}).encode()
        answers = {post(acme, said("created", "pending")), post(acme, said("fulfilled", "fulfilled"))}
        answers |= {post(f"{zap}/{PATH_SECRET}", hint), post(f"{zap}/guessed-path-secret", hint), post(zap, hint)}
        until(lambda: len(rows("rejected", "list")) == 5, "all are kept")
        shown = "".join(command("rejected", "show", str(one["id"]))[1] for one in rows("rejected", "list"))

        write(tmp_path, acme_secret=RIGHT, zap_secret=PATH_SECRET)
        serving.process.send_signal(signal.SIGHUP)
        until(lambda: "settings read again" in serving.words, "the settings are read again")
        again = post(acme, said("fulfilled", "fulfilled"))
        until(lambda: rows("orders", "list") != [], "the order is known")
        healed = command("rejected", "reverify", "--since", "2h")
        until(lambda: [one["state"] for one in rows("events", "list")].count("queued") == 0, "all are handled")
        serving.stop(signal.SIGTERM)

    assert answers == {(400, b"rejected\n")}
    assert again == (200, b"")
    assert "•••••-•••••-ZZ" in shown
    plan = "supplier\trejected_for\trejected\tverify_now\nacme\tmismatch\t2\t2\nzap\tmismatch\t3\t1\n"
    assert healed[:2] == (0, plan)
    assert all(words in healed[2] for words in ("2 of zap stay: rejected for mismatch.", "3 taken into the events"))
    assert [(one["reference"], one["status"]) for one in rows("orders", "list")] == [("ORD-1", "fulfilled")]
    assert [one["kind"] for one in rows("actions", "list")].count("deliver") == 1
    assert sorted((one["supplier"], one["via"], one["matched_secret"]) for one in rows("events", "list")) == [
        ("acme", "reverify", "file:acme.secret"),
        ("acme", "reverify", "file:acme.secret"),
        ("acme", "webhook", "file:acme.secret"),
        ("zap", "reverify", "file:zap.secret"),
    ]
    everything = serving.words + shown + healed[2] + str(rows("rejected", "list")) + command("config", "show")[1]
    assert "path-secret" not in everything
    assert CODE not in everything
    assert not any(b"path-secret" in file.read_bytes() for file in tmp_path.glob("shop.db*"))
