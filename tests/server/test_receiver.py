"""What is answered, and is it stored when the answer says so?"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import Reason, SettingsError, StoreBusyError, StoreError, StoreFullError
from webhookctl.core.outcomes import Duplicate, NotStored, Rejected, Stored, TooLarge
from webhookctl.flows.receive import Receive
from webhookctl.server.receiver import Receiver

from .serving import PATIENCE_S, Client, Response, ask, door, raw, request, served


class Kept:
    """An intake that keeps what it accepts; `error` stands for what can be wrong with a disk."""

    def __init__(self, error: Exception | None = None) -> None:
        self.bodies: list[bytes] = []
        self.commits = 0
        self.error = error

    def accept(self, deliveries: Sequence[Verified]) -> None:
        if self.error:
            raise self.error
        self.commits += 1
        self.bodies += [verified.delivery.body for verified in deliveries]


def accepting(intake: Kept | None = None) -> Receive:
    return Receive(intake or Kept())


def test_a_proven_delivery_is_stored_and_answered_200() -> None:
    """The answer is empty, names no software, and comes after the store has what was sent, byte for byte."""
    intake = Kept()
    body = b'{"event": "order.fulfilled",\n "order": "\xc3\xa9"}'
    with served(accepting(intake).accept) as server:
        answer = ask(server.port, request(body, "X-Other: yes"))

    assert (answer.status, answer.body) == (200, b"")
    assert "server" not in answer.headers
    assert intake.bodies == [body]
    assert server.outcomes == [Stored("acme")]


def test_the_delivery_is_what_came() -> None:
    """Supplier, headers in order with their names in lower case, our clock, and a UUIDv7 of its own."""
    seen = list[Verified]()

    def accept(batch: Sequence[Verified]) -> list[Stored]:
        seen.extend(batch)
        return [Stored("acme") for _ in batch]

    with served(accept) as server, Client(server.port) as client:
        client.ask(request(b"1", "X-Twice: a", "x-twice:  b\xe9 "))
        client.ask(request(b"2"))

    first, second = (verified.delivery for verified in seen)
    assert (first.supplier, first.received_at, first.body, first.method) == ("acme", 1_000, b"1", "POST")
    assert [value for name, value in first.headers if name == b"x-twice"] == [b"a", b"b\xe9 "]
    assert len(first.delivery_id) == 16
    assert first.delivery_id[6] >> 4 == 7
    assert second.delivery_id > first.delivery_id


def test_a_body_in_pieces_is_one_body() -> None:
    """Chunks and slow segments make the same delivery."""
    intake = Kept()
    chunked = raw("POST /webhooks/acme", "Transfer-Encoding: chunked", *_signature(b"hello"), body=None)
    with served(accepting(intake).accept) as server, Client(server.port) as client:
        assert client.ask(chunked + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").status == 200
        whole = request(b"x" * 300_000)
        client.send(whole[:1000])
        assert client.ask(whole[1000:]).status == 200

    assert intake.bodies == [b"hello", b"x" * 300_000]


def _signature(body: bytes) -> list[str]:
    head = request(body).decode("latin-1").split("\r\n")
    return [line for line in head if line.startswith("X-Webhook-Signature")]


BAD_SIGNATURES = [
    raw("POST /webhooks/acme", body=b"{}"),
    raw("POST /webhooks/acme", "X-Webhook-Signature:", body=b"{}"),
    raw("POST /webhooks/acme", "X-Webhook-Signature: zz", body=b"{}"),
    raw("POST /webhooks/acme", "X-Webhook-Signature: " + "0" * 64, body=b"{}"),
    raw("POST /webhooks/acme", "X-Webhook-Signature: " + "0" * 63, body=b"{}"),
    raw("POST /webhooks/acme", "X-Webhook-Signature: \xe9\xff", body=b"{}"),
    raw("POST /webhooks/acme", *_signature(b"{ }"), body=b"{}"),
    raw("POST /webhooks/acme", *_signature(b""), body=b"\xff\x00"),
]


@pytest.mark.parametrize("data", BAD_SIGNATURES)
def test_what_is_not_proven_is_rejected_without_a_reason(data: bytes) -> None:
    """One answer, byte for byte, for all causes; nothing is stored, the reason stands in our log, and we go on."""
    intake = Kept()
    with served(accepting(intake).accept) as server, Client(server.port) as client:
        answer = client.ask(data)
        assert client.ask(request(b"good")).status == 200

    assert _neutral(answer) == (400, {"content-type": "text/plain", "content-length": "9"}, b"rejected\n")
    assert intake.bodies == [b"good"]
    assert isinstance(server.outcomes[0], Rejected)
    assert server.outcomes[0].reason in Reason


def _neutral(answer: Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, headers, answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/acme/",
        "/webhooks/acme/x",
        "/webhooks/other",
        "/webhooks/ACME",
        "/webhooks/%61cme",
        "/webhooks/acme%00",
        "/webhooks/%2e%2e%2facme",
        "/webhooks/../webhooks/acme",
        "//webhooks/acme",
        "/webhooks/acm\xe9",
    ],
)
def test_there_is_nothing_but_the_suppliers(path: str) -> None:
    """A path leads to a supplier of the settings, spelt as it stands there, or nowhere."""
    intake = Kept()
    with served(accepting(intake).accept) as server:
        assert ask(server.port, request(b"{}", path=path)).status in {400, 404}
        assert ask(server.port, raw(f"GET {path}")).status in {400, 404}

    assert intake.bodies == []


def test_a_query_leads_to_the_same_supplier() -> None:
    """Some dashboards add one to the address that they are given."""
    with served(accepting().accept) as server:
        assert ask(server.port, request(b"{}", path="/webhooks/acme?source=1")).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_only_post_is_allowed(method: str) -> None:
    """405 says what is; nothing is stored."""
    intake = Kept()
    with served(accepting(intake).accept) as server, Client(server.port) as client:
        client.send(raw(f"{method} /webhooks/acme"))
        said = client.sock.recv(65536)

    assert said.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: POST\r\n" in said
    assert intake.bodies == []


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    """413 and the end of the connection, before a byte of the body came; the limit itself is allowed."""
    intake = Kept()
    with served(accepting(intake).accept, max_body=1000) as server:
        assert ask(server.port, request(b"x" * 1000)).status == 200
        with Client(server.port) as client:
            answer = client.ask(raw("POST /webhooks/acme", "Content-Length: 1001", body=None))
            assert (answer.status, answer.headers["connection"]) == (413, "close")
            assert client.is_closed()

    assert len(intake.bodies) == 1
    assert server.outcomes == [Stored("acme"), TooLarge("acme", 1000)]


def test_a_body_that_grows_too_large_is_cut_off() -> None:
    """A chunked body has no length: 413 comes when it passes the limit, not at its end."""
    intake = Kept()
    head = raw("POST /webhooks/acme", "Transfer-Encoding: chunked", body=None)
    with served(accepting(intake).accept, max_body=1000) as server, Client(server.port) as client:
        client.send(head + b"1f4\r\n" + b"x" * 500 + b"\r\n")
        answer = client.ask(b"1f5\r\n" + b"x" * 501 + b"\r\n")

        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert client.is_closed()
    assert intake.bodies == []


@pytest.mark.parametrize(
    "data",
    [
        request(b"x" * 100)[:-1],
        request(b"x" * 100)[:-100],
        raw("POST /webhooks/acme", "Transfer-Encoding: chunked", *_signature(b"ab"), body=None) + b"2\r\nab\r\n",
    ],
)
def test_a_body_that_ends_early_was_not_received(data: bytes) -> None:
    """The client is gone before the end: nothing is stored, nothing answered, and the next one is served."""
    intake = Kept()
    with served(accepting(intake).accept) as server:
        with Client(server.port) as client:
            client.send(data)
            client.sock.shutdown(1)
            assert client.is_closed()
        assert ask(server.port, request(b"next")).status == 200

    assert intake.bodies == [b"next"]
    assert server.outcomes == [Stored("acme")]


@pytest.mark.parametrize(
    "error",
    [
        StoreBusyError("The store was locked."),
        StoreFullError("There is no space left."),
        StoreError("The disk failed."),
        RuntimeError("a bug, quoting CODE-1234"),
        MemoryError(),
    ],
)
def test_what_can_not_be_stored_is_answered_503(error: Exception) -> None:
    """Whatever it is, the supplier is asked to try again and told nothing; when it is over, all goes on."""
    intake = Kept(error)
    with served(accepting(intake).accept) as server, Client(server.port) as client:
        answer = client.ask(request(b"{}"))
        intake.error = None
        assert client.ask(request(b"{}")).status == 200

    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "5", b"try again\n")
    refused, stored = server.outcomes
    assert isinstance(refused, NotStored)
    assert "CODE" not in refused.reason
    assert (stored, intake.bodies) == (Stored("acme"), [b"{}"])


def test_a_commit_that_takes_too_long_is_answered_503() -> None:
    """The supplier hears in time that it must try again; the commit that ends later makes the retry a repeat."""
    go = threading.Event()
    receive = accepting()

    def accept(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        assert go.wait(PATIENCE_S)
        return receive.accept(batch)

    with served(accept, commit_timeout=0.05) as server, Client(server.port) as client:
        assert client.ask(request(b"{}")).status == 503
        go.set()
        assert client.ask(request(b"{}")).status == 200

    assert server.outcomes == [NotStored("acme", "the store did not commit in time"), Duplicate("acme")]


def test_a_hundred_of_the_same_at_once_cost_one_row() -> None:
    """All are answered 200, whoever came first."""
    intake = Kept()
    with served(accepting(intake).accept) as server, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: ask(server.port, request(b"{}")).status, range(100)))

    assert answers == [200] * 100
    assert intake.bodies == [b"{}"]
    assert server.outcomes.count(Duplicate("acme")) == 99


def test_requests_together_share_commits() -> None:
    """While the first commit is held up, nineteen requests gather, and one more commit stores them all."""
    entered, go = threading.Event(), threading.Event()
    intake = Kept()
    receive = accepting(intake)

    def accept(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        entered.set()
        assert go.wait(PATIENCE_S)
        return receive.accept(batch)

    clients = list[Client]()
    with served(accept) as server:
        try:
            for number in range(20):
                clients.append(Client(server.port))
                clients[-1].send(request(b"%d" % number))
                assert entered.wait(PATIENCE_S)
            _answered_405(server.port)  # the twenty before it have been read
            go.set()
            assert [answer.status for client in clients if (answer := client.answer())] == [200] * 20
        finally:
            for client in clients:
                client.sock.close()

    assert intake.commits == 2
    assert sorted(intake.bodies) == sorted(b"%d" % number for number in range(20))


def _answered_405(port: int) -> None:
    assert ask(port, raw("GET /webhooks/acme")).status == 405


def test_an_error_is_heard_by_its_own_batch_alone() -> None:
    """One poisoned commit is 503 for exactly those in it."""
    intake = Kept()
    receive = accepting(intake)

    def accept(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        if any(verified.delivery.body == b"poison" for verified in batch):
            raise RuntimeError
        return receive.accept(batch)

    with served(accept, max_batch=1) as server, ThreadPoolExecutor(9) as pool:
        bodies = [b"a", b"b", b"poison", b"c", b"d", b"e", b"f", b"g", b"h"]
        answers = list(pool.map(lambda body: ask(server.port, request(body)).status, bodies))

    assert answers == [200, 200, 503, 200, 200, 200, 200, 200, 200]
    assert b"poison" not in intake.bodies


def test_one_connection_serves_many_and_in_order() -> None:
    """Keep-alive and pipelining: each request has its answer."""
    with served(accepting().accept) as server, Client(server.port) as client:
        client.send(request(b"1") + raw("POST /webhooks/acme", body=b"2") + request(b"3"))

        assert [answer.status for _ in range(3) if (answer := client.answer())] == [200, 400, 200]


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "../x", "a/b", "a" * 33, "acmé", "acme\n"])
def test_a_supplier_has_a_name_that_can_stand_in_a_path(name: str) -> None:
    """The settings are refused in words where a name could be mistaken."""
    with pytest.raises(SettingsError, match="can't be called"):
        Receiver({name: door()}, lambda *_: None, lambda: 0, record=print)
