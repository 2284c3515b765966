"""SIGHUP: settings and secrets are exchanged while deliveries come in."""

import hmac
import http.client
import itertools
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.program import PATIENCE_S, Program, Serving, free_port, until
from tests.server.test_run import tls_files

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS: Final = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[serve]
listen = "{address}"
[suppliers.acme]
preset = "generic"
secrets = ["file:acme.secret", "file:acme.old"]
{more}
"""


TLS: Final = 'tls_cert = "tls.crt"\ntls_key = "tls.key"\n[suppliers'


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def shop(tmp_path: Path, address: str) -> Program:
    program = Program(tmp_path)
    write(program, "shop.key", "0f" * 32)
    rotate(program, "first secret of the shop")
    configure(program, address)
    return program


def configure(program: Program, address: str, more: str = "") -> None:
    write(program, "webhookctl.toml", SETTINGS.format(address=address, more=more))


def write(program: Program, name: str, text: str) -> None:
    """Put a file in place in one step, as whoever reads it may do so at any moment."""
    new = program.folder / f"{name}.new"
    new.write_text(text)
    new.chmod(0o600)
    new.replace(program.folder / name)


def rotate(program: Program, secret: str) -> None:
    """Put a new secret beside the one of before."""
    known = program.folder / "acme.secret"
    write(program, "acme.old", known.read_text() if known.exists() else secret)
    write(program, "acme.secret", secret)


def reread(serving: Serving, words: str = "settings read again") -> str:
    """Send SIGHUP and wait for what is said about it."""
    before = len(serving.said)
    serving.process.send_signal(signal.SIGHUP)
    until(lambda: any(words in line for line in serving.said[before:]), words)
    return next(line for line in serving.said[before:] if words in line)


def post(address: str, body: bytes, secret: str, supplier: str = "acme") -> int:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    try:
        signature = hmac.digest(secret.encode(), body, "sha256").hex()
        connection.request("POST", f"/webhooks/{supplier}", body, {"X-Webhook-Signature": signature})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_secret_is_rotated_under_load(shop: Program, address: str) -> None:
    """Four clients post without a pause while the secret changes ten times: nothing but 200, and all is kept."""
    current = "first secret of the shop"
    stop = threading.Event()
    posted = itertools.count()

    used = ["", "", "", ""]

    def client(number: int) -> list[int]:
        statuses = list[int]()
        while not stop.is_set():
            used[number] = current
            body = json.dumps({"event": "order.created", "data": {"reference": f"R{next(posted)}"}}).encode()
            statuses.append(post(address, body, used[number]))
        return statuses

    with shop.serve("--no-worker") as serving, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        try:
            for number in range(10):
                rotate(shop, f"secret number {number} of the shop")
                said = reread(serving)
                current = f"secret number {number} of the shop"
                until(lambda: used == [current] * 4, "all clients have heard of it")  # noqa: B023 - called here only
        finally:
            stop.set()
        statuses = [status for each in clients for status in each.result()]
        refused = post(address, b"{}", "first secret of the shop")
        kept = shop.json("status")["events"]

    assert json.loads(said)["changed"] == "suppliers.acme.secrets"
    assert set(statuses) == {200}
    assert len(statuses) > 10
    assert kept == {"queued": len(statuses)}
    assert refused == 400


def test_wrong_settings_change_nothing(shop: Program, address: str) -> None:
    """A sentence says what is wrong; those of before go on, until the file is right."""
    secret = "first secret of the shop"
    wrong: dict[str, Callable[[], None]] = {
        "not TOML": lambda: write(shop, "webhookctl.toml", "[suppliers"),
        "names no supplier": lambda: write(
            shop, "webhookctl.toml", SETTINGS.split("[suppliers")[0].format(address=address)
        ),
        "acme.secret": lambda: (shop.folder / "acme.secret").unlink(),  # noqa: PLW0108 - all are alike
        "is not known": lambda: configure(shop, address, "[suppliers.other]\nsecret = 'x'"),
    }
    with shop.serve() as serving:
        for words, spoil in wrong.items():
            spoil()
            said = json.loads(reread(serving, "and wrong"))
            assert words in said["reason"]
            assert post(address, words.encode(), secret) == 200
            rotate(shop, secret)
            configure(shop, address)
            assert json.loads(reread(serving))["changed"] == "nothing"


def test_suppliers_mappings_and_handlers_are_exchanged(shop: Program, address: str) -> None:
    """What is new holds at once, what waited is done, and what needs a restart is named."""
    secret = "first secret of the shop"
    more = """
[suppliers.acme.map]
reference = "/data/our_number"
[suppliers.other]
preset = "generic"
secrets = ["file:acme.secret"]
head_ok = true
[alarms]
undelivered_after = "1h"
[actions.deliver]
log = true
"""
    with shop.serve() as serving:
        assert post(address, b"{}", secret, "other") == 404
        shop.ok("send", "order.fulfilled")
        until(lambda: shop.json("orders", "list") != [], "the order is known")
        configure(shop, address.replace("127.0.0.1", "127.0.0.2"), more)
        said = json.loads(reread(serving))
        until(lambda: shop.json("status")["actions"] == {"deliver": {"done": 1}}, "the delivery is done")
        body = b'{"event":"order.created","data":{"our_number":"NEW-1","reference":"OLD-1"}}'
        assert post(address, body, secret) == 200
        assert post(address, b"{}", secret, "other") == 200
        until(lambda: len(shop.json("orders", "list")) == 2, "the second order is known")
        shown = shop.ok("orders", "list")
        configure(shop, address)
        gone = json.loads(reread(serving))
        assert post(address, b"{}", secret, "other") == 404

    assert said["changed"] == "suppliers.acme, suppliers.other (new), alarms, actions.deliver (new)"
    assert (said["restart"], said["level"]) == ("serve.listen", "warning")
    assert "NEW-1" in shown
    assert "OLD-1" not in shown
    assert gone["changed"] == "suppliers.acme, suppliers.other (gone), alarms, actions.deliver (gone)"
    assert gone["level"] == "info"


def test_a_renewed_certificate_is_shown(shop: Program, address: str) -> None:
    """To whoever connects from then on, whether he names us or not; what is no certificate changes nothing."""
    files = tls_files(shop.folder, "tls")
    first = files[0].read_text()
    write(shop, "webhookctl.toml", SETTINGS.format(address=address, more="").replace("[suppliers", TLS, 1))
    with shop.serve("--no-worker") as serving:
        write(shop, "tls.crt", "none")
        kept = json.loads(reread(serving, "and wrong"))
        still = shown(address, None)
        tls_files(shop.folder, "tls")
        said = json.loads(reread(serving))
        now = {shown(address, None), shown(address, "localhost")}

    assert "tls_cert" in kept["reason"]
    assert still == first
    assert said["changed"] == "serve.tls_cert (renewed)"
    assert now == {files[0].read_text()} != {first}


def shown(address: str, name: str | None) -> str:
    """Return the certificate that a client is shown who connects now."""
    host, _, port = address.partition(":")
    trusting_anybody = ssl._create_unverified_context()  # noqa: S323, SLF001 - what is shown is compared
    raw = socket.create_connection((host, int(port)), PATIENCE_S)
    with trusting_anybody.wrap_socket(raw, server_hostname=name) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


def test_the_worker_alone_hears_it_too(shop: Program, address: str) -> None:
    """`work` needs no supplier's secret, and goes on after SIGHUP with the handlers of now."""
    with shop.serve("--no-worker") as serving:
        shop.ok("send", "order.fulfilled")
        serving.stop(signal.SIGTERM)
    for name in ("acme.secret", "acme.old"):
        (shop.folder / name).unlink()
    command = [sys.executable, "-m", "webhookctl", "work"]
    with subprocess.Popen(command, cwd=shop.folder, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            until(lambda: shop.json("status")["actions"] != {}, "the event is applied")
            configure(shop, address, "[actions.deliver]\nlog = true")
            process.send_signal(signal.SIGHUP)
            until(lambda: shop.json("status")["actions"] == {"deliver": {"done": 1}}, "the delivery is done")
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert '"changed": "actions.deliver (new)"' in said


def test_a_closed_terminal_ends_it(shop: Program, address: str) -> None:
    """Started by hand, it must not live on unseen: a hangup of the terminal is no wish for new settings."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop.folder)
        os.execv(sys.executable, [sys.executable, "-m", "webhookctl", "serve"])  # noqa: S606 - our own program
    said = b""
    while b"Ctrl-C stops" not in said:
        said += os.read(terminal, 65536)
    assert post(address, b"{}", "first secret of the shop") == 200
    os.close(terminal)

    assert os.WIFEXITED(os.waitpid(pid, 0)[1])
    assert shop.json("status")["events"] in ({"queued": 1}, {"dead": 1})
