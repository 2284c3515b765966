"""`doctor` against suppliers and shops that behave in every way."""

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from tests.actions.raw_server import Peer, raw_server
from tests.actions.test_outbound import certificate
from tests.doctor.scene import API, DELIVER, SECRETS, Place
from webhookctl.adapters.checkup_http import ask, skew
from webhookctl.adapters.outbound import Answer, Outbound
from webhookctl.core.checkup import Asked
from webhookctl.wiring.checkup import network as asking

__all__ = ["certificate"]


def answering(status: int = 200, **headers: str) -> Callable[[Request], Response]:
    return lambda _: Response("{}", status, {name.replace("_", "-"): value for name, value in headers.items()})


def a_while_ago(minutes: int) -> str:
    return format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)


def dated(date: Callable[[], str]) -> Callable[[Peer], "asyncio.Future[None] | object"]:
    async def answer(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(f"HTTP/1.1 404 Not Found\r\nDate: {date()}\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    return answer


@contextmanager
def dated_server(minutes: int) -> Iterator[str]:
    """Serve in a thread, with a Date header of so many minutes ago: werkzeug writes its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 404 Not Found\r\nDate: {a_while_ago(minutes)}\r\nConnection: close\r\n"
                connection.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_all_is_well(place: Place, httpserver: HTTPServer) -> None:
    """The supplier knows us, the shop takes the ping, the clocks agree: exit code 0."""
    httpserver.expect_request("/v1/orders/webhookctl-doctor").respond_with_handler(answering(404))
    httpserver.expect_request("/in", method="POST").respond_with_handler(answering(204))
    place.write(API.format(url=httpserver.url_for("/v1")), DELIVER.format(url=httpserver.url_for("/in")))
    place.fill(1)

    found = place.doctor()

    assert (found.code, found.named("must fix")) == (0, set())
    assert "knows us" in found.about("suppliers.acme.api")["says"]
    assert "takes our signature" in found.about("actions.deliver")["says"]
    assert "agree" in found.about("acme", "clock")["says"]
    asked = next(request for request, _ in httpserver.log if request.method == "GET")
    assert asked.headers["authorization"] == f"Bearer {SECRETS['ACME_TOKEN']}"


def test_the_ping_is_no_delivery(place: Place, httpserver: HTTPServer) -> None:
    """It is signed as deliveries are, of the type `ping`, of no order, under an id that no action has."""
    httpserver.expect_request("/in").respond_with_handler(answering(204))
    both = DELIVER + DELIVER.replace("deliver", "refund")
    place.write(both.format(url=httpserver.url_for("/in")))
    place.fill(1)

    place.doctor()

    ((request, _),) = httpserver.log  # two kinds of action, one address: one ping
    document = Webhook(SECRETS["SHOP_SECRET"]).verify(request.get_data(), dict(request.headers))
    assert document == json.loads(request.get_data())
    assert (document["type"], document["order"], document["reference"]) == ("ping", None, None)
    assert (document["supplier"], document["paid"]) == (None, None)
    assert request.headers["webhook-id"] == document["id"]
    assert document["id"].startswith("ping_")


@pytest.mark.parametrize("status", [401, 403])
def test_a_supplier_that_does_not_know_us(place: Place, httpserver: HTTPServer, status: int) -> None:
    """That must be fixed, and the exit code is 1."""
    httpserver.expect_request("/orders/webhookctl-doctor").respond_with_handler(answering(status))
    place.write(API.format(url=httpserver.url_for("")))

    found = place.doctor()

    assert (found.code, found.about("suppliers.acme.api")["verdict"]) == (1, "must fix")
    assert "[suppliers.acme.api] auth" in found.about("suppliers.acme.api")["do"]


def test_a_shop_that_does_not_know_pings(place: Place, httpserver: HTTPServer) -> None:
    """Is a warning that says what it means, and no reason to fail."""
    httpserver.expect_request("/in").respond_with_handler(answering(400))
    place.write(DELIVER.format(url=httpserver.url_for("/in")))
    place.fill(1)

    found = place.doctor()

    assert (found.code, found.about("actions.deliver")["verdict"]) == (0, "warning")
    assert "refuses our signature, or does not know pings" in found.about("actions.deliver")["says"]


@pytest.mark.parametrize(("minutes", "words"), [(10, "10 min ahead of"), (-10, "10 min behind")])
def test_the_clock_of_a_supplier(place: Place, minutes: int, words: str) -> None:
    """Ten minutes either way must be fixed, with the direction in words: its deliveries would be rejected."""
    with dated_server(minutes) as url:
        place.write(API.format(url=url))
        found = place.doctor()

    about = found.about("acme", "clock")
    assert (found.code, about["verdict"]) == (1, "must fix")
    assert f"Our clock is {words}" in about["says"]


def test_what_the_date_of_an_answer_says() -> None:
    """Between asking and hearing lies the moment that it names; a cache, and who names none, says nothing."""
    date = {"date": "Fri, 01 May 2026 10:00:00 GMT"}
    moment = 1_777_629_600_000

    def of(headers: dict[str, str]) -> int | None:
        return skew(Answer(200, headers, b"", complete=True), moment - 1000, moment + 1000)

    assert of(date) == -500
    assert of(date | {"age": "7"}) is None
    assert of({}) is None
    assert of({"date": "yesterday"}) is None


def test_nobody_answers(place: Place) -> None:
    """A port where nobody listens and a name that nobody has are named, in seconds."""
    place.write(API.format(url="https://nobody.invalid/v1"), DELIVER.format(url=f"http://127.0.0.1:{place.port}/in"))
    began = time.monotonic()

    found = place.doctor()

    assert time.monotonic() - began < 30
    assert found.code == 1
    assert "can't be resolved" in found.about("suppliers.acme.api")["says"]
    assert "connection refused" in found.about("actions.deliver")["says"]


def test_who_takes_the_connection_and_says_nothing(place: Place) -> None:
    """Is left when its time is up, all at once: the supplier may be well again, the shop's deliveries would hang."""
    place.patch.setattr(asking, "_TIMEOUT_S", 3.0)  # a busy machine takes its time to connect
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kinds = "\n".join(DELIVER.replace("deliver", kind) for kind in ("deliver", "refund", "notify"))
        place.write(
            API.format(url=url),
            kinds.format(url=f"{url}/in"),
            DELIVER.replace("deliver", "top_up").format(url=f"{url}/up"),
        )
        found = place.doctor()

    assert found.about("suppliers.acme.api")["verdict"] == "warning"
    assert "did not answer within 3 s" in found.about("suppliers.acme.api")["says"]
    assert {"actions.deliver and refund and notify", "actions.top_up"} <= found.named("must fix")


def test_offline_asks_nobody(place: Place, httpserver: HTTPServer) -> None:
    """Neither the supplier nor the shop hears of us."""
    place.write(API.format(url=httpserver.url_for("")), DELIVER.format(url=httpserver.url_for("/in")))
    place.fill(1)

    found = place.doctor("--offline")

    assert (found.code, httpserver.log) == (0, [])


def asked_by_tls(certificate: Path, trusted: bool) -> Asked:  # noqa: FBT001 - pytest's parameter
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    tls = ssl.create_default_context(cafile=certificate) if trusted else None

    async def scenario() -> Asked:
        outbound = Outbound(tls)
        try:
            async with raw_server(dated(lambda: a_while_ago(0)), served) as server:  # type: ignore[arg-type] # a coroutine

                async def question() -> Answer:
                    return await outbound.request("GET", server.url, headers={}, timeout_s=10)

                return await ask(server.url, question, outbound, lambda: 0, 10)
        finally:
            await outbound.aclose()

    return asyncio.run(scenario())


def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    """Is named as what it is, before anything is sent."""
    asked = asked_by_tls(certificate, trusted=False)

    assert asked.unreached is not None
    assert "TLS certificate that can't be trusted (self-signed certificate)" in asked.unreached
    assert (asked.sent, asked.certificate_ends) == (False, None)


def test_the_end_of_a_certificate(certificate: Path) -> None:
    """Is read from the connection itself."""
    asked = asked_by_tls(certificate, trusted=True)

    left_s = (asked.certificate_ends or 0) / 1000 - time.time()
    assert asked.status == 404
    assert 80_000 < left_s < 86_400
