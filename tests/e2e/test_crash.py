"""kill -9 in the middle: what was answered 200 is there, and the shop sees one effect per order."""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.program import Program, Serving, free_port, until
from tests.e2e.test_main_job import configure
from webhookctl import suppliers
from webhookctl.core.signatures import Scheme, Secret, sign

SECRET = "acme-secret-0123456789"
ORDERS = 100
SCHEME = Scheme.parse(suppliers.scheme_of("generic"))


@pytest.fixture
def shop(tmp_path: Path) -> Program:
    (tmp_path / "shop.key").write_text("0f" * 32)
    (tmp_path / "shop.key").chmod(0o600)
    return Program(tmp_path, {"ACME_SECRET": SECRET, "SHOP_SECRET": "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="})


class Shop:
    """The shop's endpoint: remembers which ids came for which order, and loses some answers after taking effect."""

    def __init__(self) -> None:
        self.ids = defaultdict[str, set[str]](set)
        self.lock = threading.Lock()
        self.calls = 0

    def __call__(self, request: Request) -> Response:
        document = request.get_json()
        with self.lock:
            self.ids[document["reference"]].add(request.headers["webhook-id"])
            self.calls += 1
            lost = self.calls % 10 == 0
        return Response(status=500 if lost else 200)


@dataclass(frozen=True)
class Supplier:
    """Delivers as the supplier does, over kept connections."""

    client: httpx.Client
    url: str
    answered: list[bytes] = field(default_factory=list)
    """What the receiver said 200 to."""

    def post(self, body: bytes) -> bool:
        key = SCHEME.keys([Secret(SECRET.encode(), "env:ACME_SECRET")])[0]
        signed = sign(SCHEME, key, body=body, now=time.time_ns() // 1_000_000)
        try:
            answer = self.client.post(self.url, content=signed.body, headers=dict(signed.headers))
        except httpx.HTTPError:
            return False
        if answer.is_success:
            self.answered.append(body)
        return answer.is_success

    def post_all(self, some: Iterable[bytes], serving: Serving, kill_after: int | None = None) -> bool:
        """Post from eight threads; kill the server once `kill_after` were answered. True when all were."""

        def post(body: bytes) -> bool:
            answered = self.post(body)
            if kill_after is not None and len(self.answered) >= kill_after:
                serving.process.kill()
            return answered

        with ThreadPoolExecutor(8) as pool:
            return all(list(pool.map(post, some)))


def bodies() -> list[tuple[str, bytes]]:
    text = '{"event": "order.%s", "data": {"reference": "R%d", "items": [{"sku": "a", "code": %s}]}}'
    created = [(f"R{n}", (text % ("created", n, "null")).encode()) for n in range(ORDERS)]
    fulfilled = [(f"R{n}", (text % ("fulfilled", n, f'"CODE-{n}-SECRET"')).encode()) for n in range(ORDERS)]
    return created + fulfilled


def test_kill_in_the_middle_of_two_hundred(shop: Program, httpserver: HTTPServer) -> None:
    """Every 200 is in the store, every order reaches its end, no order has two webhook-ids."""
    endpoint = Shop()
    httpserver.expect_request("/d").respond_with_handler(endpoint)
    target = httpserver.url_for("/d")
    actions = f'[actions.deliver]\nhttp = "{target}"\nsecret = "env:SHOP_SECRET"\nretry = {{ first = "50ms" }}'
    address = f"127.0.0.1:{free_port()}"
    configure(shop, address, actions)
    everything = [body for _, body in bodies()]
    with httpx.Client(timeout=10, trust_env=False) as client:
        supplier = Supplier(client, f"http://{address}/webhooks/acme")
        with shop.serve() as serving:
            assert not supplier.post_all(everything, serving, kill_after=120)
        before = list(supplier.answered)
        with shop.serve() as again:
            # What was answered is not sent again: it must be there. What was not may have been stored all the same.
            assert supplier.post_all([body for body in everything if body not in before], again)
            until(lambda: shop.json("status")["actions"].get("deliver") == {"done": ORDERS}, "all are delivered", 90)
            assert again.stop(signal.SIGTERM) == 0
    status = shop.json("status")

    assert 120 <= len(before) < len(everything)
    assert status["orders"]["fulfilled"] == ORDERS
    assert status["events"]["done"] == 2 * ORDERS
    assert set(endpoint.ids) == {f"R{n}" for n in range(ORDERS)}
    assert all(len(ids) == 1 for ids in endpoint.ids.values())
