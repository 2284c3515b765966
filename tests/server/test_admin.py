"""The admin listener on a real socket: health, metrics, and orders by the shop's own word."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from webhookctl import wiring
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import SecretRef, admin_token
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ActionKind, OrderStatus
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.signatures import Secret
from webhookctl.server.limits import Limits
from webhookctl.server.run import listen_on, run, serve
from webhookctl.wiring import administration

TOKEN = "token-0123456789-0123456789"
SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[serve]
admin = "127.0.0.1:8701"
{token}
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
"""
PATIENCE_S = 20


class Desk:
    """The listener's port, the store behind it, and how it stands."""

    def __init__(self, port: int, store: SqliteStore) -> None:
        self.port, self.store, self.broken = port, store, False

    def ask(
        self, method: str, path: str, body: bytes | None = None, authorization: str | None = f"Bearer {TOKEN}"
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {} if authorization is None else {"Authorization": authorization})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def order(self, **written: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 - any JSON
        status, body = self.ask("POST", "/orders", json.dumps(written).encode())
        return status, json.loads(body)


@contextmanager
def open_desk(folder: Path, line: str = 'admin_token = "file:admin.token"') -> Iterator[Desk]:
    folder.chmod(0o700)
    for name, text in (("shop.key", "ab" * 32), ("admin.token", f"{TOKEN}\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "webhookctl.toml").write_text(SETTINGS.format(token=line))
    settings = wiring.settings(folder / "webhookctl.toml")
    with wiring.store(settings, create=True) as store, listen_on("127.0.0.1", 0) as sock:
        desk = Desk(sock.getsockname()[1], store)
        admin = administration.admin(store, lambda: settings, {"EventApplied": 3}, lambda: desk.broken)
        ready, stop = threading.Event(), list[Any]()

        async def main() -> None:
            until = asyncio.Event()
            loop = asyncio.get_running_loop()
            stop.append(lambda: loop.call_soon_threadsafe(until.set))
            await serve(
                admin.app(),
                sock=sock,
                until=until,
                started=lambda _url: ready.set(),
                limits=Limits(),
                record=lambda _: None,
                grace_s=1,
            )

        thread = threading.Thread(target=lambda: run(main()))
        thread.start()
        try:
            assert ready.wait(PATIENCE_S)
            yield desk
        finally:
            stop[0]()
            thread.join(PATIENCE_S)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def test_health_says_whether_deliveries_can_be_kept(desk: Desk) -> None:
    """Without a token: 200, and 503 with the reason once the store is broken."""
    well = desk.ask("GET", "/healthz", authorization=None)
    desk.broken = True
    ill = desk.ask("GET", "/healthz", authorization=None)

    assert (well[0], json.loads(well[1])) == (200, {"status": "ok"})
    assert (ill[0], json.loads(ill[1])["status"]) == (503, "failing")


def test_metrics_are_prometheus(desk: Desk) -> None:
    """Its own parser reads them, and they say what the store holds."""
    desk.order(reference="ORD-1", supplier="acme")

    status, body = desk.ask("GET", "/metrics", authorization=None)
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    values = {(sample.name, *sample.labels.values()): sample.value for sample in samples}

    assert status == 200
    assert values["webhookctl_outcomes_total", "event_applied"] == 3
    assert values["webhookctl_orders", "pending"] == 1
    assert values["webhookctl_orders_held",] == 0


def test_an_order_is_registered_once(desk: Desk) -> None:
    """201, then 200 for the same; another order id is held and answered 409."""
    whole = {"reference": "ORD-1", "order_id": "S-1", "sku": ["a"], "paid": {"amount": "0", "currency": "EUR"}}

    answers = [desk.order(**whole), desk.order(**whole), desk.order(**whole | {"order_id": "S-2"})]

    assert [(status, page["registered"]) for status, page in answers] == [(201, "new"), (200, "known"), (409, "held")]
    (order,) = desk.store.orders.get([("acme", "ORD-1")]).values()
    assert (order.status, order.order_id) == (OrderStatus.PENDING, "S-1")
    assert [one.kind for one in desk.store.outbox.find(ActionQuery())] == [ActionKind.ALERT]


def test_many_register_the_same_at_once(desk: Desk) -> None:
    """One of them makes it, the others hear that it is known."""
    found = list[int]()
    threads = [threading.Thread(target=lambda: found.append(desk.order(reference="ORD-1")[0])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert sorted(found) == [200] * 11 + [201]


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer \xfc"],
)
def test_without_the_token_nothing_is_registered(desk: Desk, authorization: str | None) -> None:
    """401, whatever was said instead, and no order."""
    status, _ = desk.ask("POST", "/orders", b'{"reference": "ORD-1"}', authorization)

    assert status == 401
    assert desk.store.orders.get([("acme", "ORD-1")]) == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"reference": 1, "supplier": "nobody"}', 400),
        (b'{"reference": "ORD-1", "status": "fulfilled"}', 400),
        (b'{"reference": {"a": 1}}', 400),
        (b'{"reference": "\\ud800"}', 400),
        (b"\xff", 400),
        (b"[" * 60_000, 400),
        (b'{"reference": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_what_is_no_order_is_refused(desk: Desk, body: bytes, status: int) -> None:
    """In words, and the listener lives on."""
    answered, page = desk.ask("POST", "/orders", body)

    assert answered == status
    assert json.loads(page)["error"]
    assert desk.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/orders", 405), ("POST", "/", 404), ("PUT", "/x", 404)]
)
def test_there_is_nothing_else(desk: Desk, method: str, path: str, status: int) -> None:
    """Other paths and methods have their usual answers."""
    assert desk.ask(method, path)[0] == status


def test_without_a_token_set_there_are_only_health_and_metrics(tmp_path: Path) -> None:
    """Nobody can register, with whatever token."""
    with open_desk(tmp_path, line="") as desk:
        assert desk.ask("POST", "/orders", b'{"reference": "ORD-1"}')[0] == 404
        assert desk.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "value", [b"", b"short", b"x" * 15, b"has blanks in between", "gr\u00fc\u00dfe-0123456789".encode()]
)
def test_a_token_that_can_be_guessed_is_refused(value: bytes) -> None:
    """At least sixteen ASCII characters, as a header can hold them."""
    with pytest.raises(SettingsError, match="at least 16"):
        admin_token(Secret(value, str(SecretRef.parse("env:TOKEN"))))
