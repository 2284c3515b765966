"""Is there one way only to read a request, and is what could be read in two ways refused?"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import pytest

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Stored
from webhookctl.server.limits import Limits

from .serving import Client, Served, raw, request, served

SMUGGLED: Final = request(b"smuggled")
HOST: Final = "POST /webhooks/acme HTTP/1.1\r\nHost: shop.example\r\n"
SIGNED: Final = "".join(
    line + "\r\n" for line in request(b"a").decode().split("\r\n") if line.startswith("X-Webhook-Signature")
)
"""The header that proves the body `a`."""
CHUNKED: Final = HOST + SIGNED + "Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class Shop:
    """A running server, and the bodies that it stored."""

    server: Served
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def running() -> Iterator[Shop]:
    bodies = list[bytes]()

    def accept(batch: Sequence[Verified]) -> list[Stored]:
        bodies.extend(verified.delivery.body for verified in batch)
        return [Stored("acme") for _ in batch]

    with served(accept, limits=Limits(head_s=0.6, body_s=0.6)) as server:
        yield Shop(server, bodies)


@pytest.fixture
def shop(running: Shop) -> Shop:
    running.bodies.clear()
    return running


def head(*lines: str, body: str = "") -> str:
    return HOST + SIGNED + "".join(f"{line}\r\n" for line in lines) + "\r\n" + body


# What is refused, and with what. Behind each follows a good request on the same connection: it must never be heard.
REFUSED: Final[dict[str, tuple[str, set[int]]]] = {
    "length and chunks": (head("Content-Length: 1", "Transfer-Encoding: chunked", body="0\r\n\r\n"), {400}),
    "chunks and length": (head("Transfer-Encoding: chunked", "Content-Length: 1", body="1\r\na\r\n0\r\n\r\n"), {400}),
    "chunks in gzip": (head("Transfer-Encoding: gzip, chunked", body="1\r\na\r\n0\r\n\r\n"), {400}),
    "chunks twice": (head(*["Transfer-Encoding: chunked"] * 2, body="1\r\na\r\n0\r\n\r\n"), {400}),
    "identity": (head("Transfer-Encoding: identity", "Content-Length: 1", body="a"), {400}),
    "xchunked": (head("Transfer-Encoding: xchunked"), {400}),
    "chunks with a tab": (head("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"), {400}),
    "blank before colon": (head("Transfer-Encoding : chunked", body="0\r\n\r\n"), {400}),
    "chunks in 1.0": (CHUNKED.replace("1.1", "1.0") + "1\r\na\r\n0\r\n\r\n", {400}),
    "two lengths": (head("Content-Length: 1", "Content-Length: 1", body="a"), {400}),
    "two different lengths": (head("Content-Length: 1", "Content-Length: 2", body="aa"), {400}),
    "a list of lengths": (head("Content-Length: 1, 1", body="a"), {400}),
    "length below nothing": (head("Content-Length: -1", body="a"), {400}),
    "length with a plus": (head("Content-Length: +1", body="a"), {400}),
    "length in hex": (head("Content-Length: 0x1", body="a"), {400}),
    "no length in length": (head("Content-Length:", body="a"), {400}),
    "length with a line": (head("Content-Length: 1_0", body="a"), {400}),
    "length of 2^64 + 1": (head("Content-Length: 18446744073709551617", body="a"), {400}),
    "length of 400 digits": (head("Content-Length: " + "9" * 400, body="a"), {400}),
    "length of a petabyte": (head("Content-Length: 1000000000000000", body="a"), {413}),
    "superscript length": (head("Content-Length: \xb2", body="aa"), {400}),
    "chunk of no number": (CHUNKED + "zz\r\na\r\n0\r\n\r\n", {400}),
    "chunk below nothing": (CHUNKED + "-1\r\na\r\n0\r\n\r\n", {400}),
    "chunk in 0x": (CHUNKED + "0x1\r\na\r\n0\r\n\r\n", {400}),
    "chunk and a blank": (CHUNKED + "1 \r\na\r\n0\r\n\r\n", {400}),
    "chunk and bare LF": (CHUNKED + "1\na\r\n0\r\n\r\n", {400}),
    "chunk without its end": (CHUNKED + "1\r\na0\r\n\r\n", {400}),
    "chunk too long": (CHUNKED + "1\r\nab\r\n0\r\n\r\n", {400}),
    "chunk ends in LF": (CHUNKED + "1\r\na\n0\r\n\r\n", {400}),
    "chunk of 2^64": (CHUNKED + "10000000000000000\r\na\r\n0\r\n\r\n", {400}),
    "chunk without size": (CHUNKED + "\r\na\r\n0\r\n\r\n", {400}),
    "extension with LF": (CHUNKED + "1;\na\r\n0\r\n\r\n", {400}),
    "extension with CRLF": (CHUNKED + '1;x="\r\n"\r\na\r\n0\r\n\r\n', {400}),
    "trailer of a length": (CHUNKED + "1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n", {400}),
    "trailer of chunks": (CHUNKED + "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", {400}),
    "trailers end in LF": (CHUNKED + "1\r\na\r\n0\r\nX: y\n\n", {400}),
    "bare LF": (head("Content-Length: 1", body="a").replace("\r\n", "\n"), {400}),
    "bare LF after a header": (head("X: y\nContent-Length: 1", body="a"), {400}),
    "bare LF after the head": (HOST + SIGNED + "Content-Length: 1\r\n\na", {400}),
    "bare CR in a header": (head("X: y\rContent-Length: 1", body="a"), {400}),
    "folded header": (head("X: y", " z", "Content-Length: 1", body="a"), {400}),
    "folded first line": (HOST.replace("\r\nHost", "\r\n Host") + SIGNED + "Content-Length: 1\r\n\r\na", {400}),
    "NUL in a value": (head("X: y\0z", "Content-Length: 1", body="a"), {400}),
    "NUL in a name": (head("X\0: y", "Content-Length: 1", body="a"), {400}),
    "header without a name": (head(": y", "Content-Length: 1", body="a"), {400}),
    "header without a colon": (head("X", "Content-Length: 1", body="a"), {400}),
    "two hosts": (head("Host: shop.example", "Content-Length: 1", body="a"), {400}),
    "no host": (head("Content-Length: 1", body="a").replace("Host", "Hast"), {400}),
    "upgrade": (head("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 1", body="a"), {400}),
    "websocket": (head("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="), {400}),
    "HTTP/2 out of the blue": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "HTTP/2 in words": (head("Content-Length: 1", body="a").replace("1.1", "2.0"), {400}),
    "HTTP/1.2": (head("Content-Length: 1", body="a").replace("1.1", "1.2"), {400}),
    "HTTP/0.9": ("GET /webhooks/acme\r\n\r\n", {400}),
    "HTTP/0.9 in words": (head("Content-Length: 1", body="a").replace("1.1", "0.9"), {400}),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
    "SMTP": ("EHLO shop.example\r\n", {400}),
    "method in small letters": (head("Content-Length: 1", body="a").replace("POST", "post"), {400}),
    "tab after the method": (head("Content-Length: 1", body="a").replace("POST ", "POST\t"), {400}),
    "blank in the path": (head("Content-Length: 1", body="a").replace("/acme", "/acme x"), {400}),
    "NUL in the path": (head("Content-Length: 1", body="a").replace("/acme", "/acme\0"), {400}),
    "escaped NUL": (head("Content-Length: 1", body="a").replace("/acme", "/acme%00"), {404}),
    "unicode in the path": (head("Content-Length: 1", body="a").replace("/acme", "/acm\xc3\xa9"), {400}),
    "traversal": (head("Content-Length: 1", body="a").replace("/acme", "/../webhooks/acme"), {404}),
    "escaped traversal": (head("Content-Length: 1", body="a").replace("/acme", "/%2e%2e%2facme"), {404}),
    "escaped letter": (head("Content-Length: 1", body="a").replace("/acme", "/%61cme"), {404}),
    "fragment": (head("Content-Length: 1", body="a").replace("/acme", "/acme#x"), {404}),
    "two slashes": (head("Content-Length: 1", body="a").replace("/webhooks", "//webhooks"), {400, 404}),
    "a whole URL": (head("Content-Length: 1", body="a").replace("/webhooks", "http://shop.example/webhooks"), {404}),
    "no path": (head("Content-Length: 1", body="a").replace("/webhooks/acme", "*"), {404}),
    "a path of 20 KB": (head("Content-Length: 1", body="a").replace("/acme", "/" + "a" * 20_000), {431}),
    "a header of 20 KB": (head("X: " + "y" * 20_000, "Content-Length: 1", body="a"), {431}),
    "a header of 1 MB": (head("X: " + "y" * 1_000_000, "Content-Length: 1", body="a"), {431}),
    "101 headers": (head(*(f"X{number}: y" for number in range(98)), "Content-Length: 1", body="a"), {431}),
    "10,000 headers": (head(*(f"X{number}: y" for number in range(10_000)), "Content-Length: 1", body="a"), {431}),
    "unknown expectation": (head("Expect: a miracle", "Content-Length: 1", body="a"), {417}),
    "gzip": (head("Content-Encoding: gzip", "Content-Length: 1", body="a"), {415}),
    "gzip in identity": (head("Content-Encoding: identity, gzip", "Content-Length: 1", body="a"), {415}),
    "brotli": (head("Content-Encoding: BR", "Content-Length: 1", body="a"), {415}),
    "too large": (head("Content-Length: 1048577"), {413}),
    "CONNECT": ("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n", {405}),
    **{method: (f"{method} " + HOST.removeprefix("POST ") + "\r\n", {405}) for method in ("GET", "HEAD", "OPTIONS")},
    **{method: (f"{method} " + HOST.removeprefix("POST ") + "\r\n", {405}) for method in ("TRACE", "PUT", "DELETE")},
    "GET with a body": ("GET " + head("Content-Length: 1", body="a").removeprefix("POST "), {405}),
    "OPTIONS *": ("OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n", {404}),
}


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(shop: Shop, case: str, *, apart: bool) -> None:
    """One answer, the same for all of its status, then the end: nothing of it is stored, and nothing behind it."""
    text, statuses = REFUSED[case]
    with Client(shop.server.port) as client:
        say(client, text.encode("latin-1"), SMUGGLED, apart=apart)
        heard = everything(client)
        status, headers, body = only(heard, method=text.split(" ")[0])

    assert status in statuses
    assert headers["connection"] == "close"
    assert "server" not in headers
    if status == 400:
        assert (body, set(headers) - {"date"}) == (b"rejected\n", {"content-type", "content-length", "connection"})
    if status == 405:
        assert headers["allow"] == "POST"
    assert shop.bodies == []
    assert_goes_on(shop)


def say(client: Client, *parts: bytes, apart: bool) -> None:
    """Send `parts`; who is refused may find the connection closed half-way."""
    with suppress(ConnectionResetError, BrokenPipeError):
        if not apart:
            client.send(b"".join(parts))
            return
        for part in parts:
            client.send(part)
            time.sleep(0.02)


def everything(client: Client) -> bytes:
    """Return what the server says until it closes."""
    heard = b""
    with suppress(ConnectionResetError):
        while chunk := client.sock.recv(65536):
            heard += chunk
    return heard


def only(heard: bytes, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
    """Take the one response apart; a second one would stand in the first one's body."""
    start, _, body = heard.partition(b"\r\n\r\n")
    line, *lines = start.decode("latin-1").split("\r\n")
    headers = {name: value for name, _, value in (each.partition(": ") for each in lines)}
    assert len(body) == (0 if method == "HEAD" else int(headers["content-length"])), heard
    return int(line.split(" ")[1]), headers, body


def assert_goes_on(shop: Shop) -> None:
    with Client(shop.server.port) as client:
        assert client.ask(request(b"next")).status == 200
    assert shop.bodies == [b"next"]


# What is odd and right; each proves the body `a`.
SERVED: Final = {
    "chunks": CHUNKED + "1\r\na\r\n0\r\n\r\n",
    "chunks after a tab": CHUNKED.replace(" chunked", "\tchunked") + "1\r\na\r\n0\r\n\r\n",
    "extensions": CHUNKED + '1;x=y;z="w"\r\na\r\n0;last\r\n\r\n',
    "trailers": CHUNKED + "1\r\na\r\n0\r\nX-Webhook-Signature: 00\r\nHost: other\r\nContent-Encoding: gzip\r\n\r\n",
    "zeros before the length": head("Content-Length: 0001", body="a"),
    "blanks round the length": head("Content-Length: \t 1 \t", body="a"),
    "empty lines before": "\r\n\r\n" + head("Content-Length: 1", body="a"),
    "identity": head("Content-Encoding: identity", "Content-Length: 1", body="a"),
    "upgrade that nobody asked for": head("Upgrade: h2c", "Content-Length: 1", body="a"),
    "headers in any case": head("cOnTeNt-LeNgTh: 1", body="a").replace("X-Webhook", "x-wEBHOOK"),
    "every Latin-1 byte": head("X: " + "".join(map(chr, range(0x80, 0x100))), "Content-Length: 1", body="a"),
    "a query": head("Content-Length: 1", body="a").replace("/acme", "/acme?a=%00&b=/../x"),
    "a type of its own": head("Content-Type: nothing/at-all; charset=\xff", "Content-Length: 1", body="a"),
}


@pytest.mark.parametrize("case", SERVED)
def test_what_is_odd_and_right(shop: Shop, case: str) -> None:
    """It is stored as it was sent, whether it comes in one piece or byte by byte, and the connection stays."""
    data = SERVED[case].encode("latin-1")
    with Client(shop.server.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert client.ask(data).status == 200
        for number in range(len(data) - 1):
            client.send(data[number : number + 1])
        assert client.ask(data[-1:]).status == 200

    assert shop.bodies == [b"a", b"a"]


def test_http_1_0_needs_no_host_and_ends_after_one(shop: Shop) -> None:
    """An old client is served, without a second request on its connection."""
    old = head("Content-Length: 1", body="a").replace("1.1", "1.0").replace("Host: shop.example\r\n", "")
    with Client(shop.server.port) as client:
        client.send(old.encode() + SMUGGLED)
        status, headers, _ = only(everything(client))

    assert (status, headers["connection"], shop.bodies) == (200, "close", [b"a"])


def test_nothing_is_heard_behind_close(shop: Shop) -> None:
    """Who says that this is his last request is taken at his word."""
    with Client(shop.server.port) as client:
        client.send(request(b"last", "Connection: close") + SMUGGLED)
        status, headers, _ = only(everything(client))

    assert (status, headers["connection"], shop.bodies) == (200, "close", [b"last"])


def test_expect_100_continue(shop: Shop) -> None:
    """We say that we wait, then take the body; a body that came without waiting is taken as well."""
    with Client(shop.server.port) as client:
        data = request(b"a", "Expect: 100-Continue")
        client.send(data[:-1])
        assert client.sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.ask(data[-1:]).status == 200
        client.send(data)
        heard = client.sock.recv(25)
        answer = client.answer()

    assert heard == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer is not None
    assert (answer.status, shop.bodies) == (200, [b"a", b"a"])


def test_a_body_that_will_not_be_taken_is_not_asked_for(shop: Shop) -> None:
    """Too large or compressed: the answer comes before a byte of it, and no 100."""
    for header, status in (("Content-Length: 9999999", 413), ("Content-Encoding: gzip", 415)):
        with Client(shop.server.port) as client:
            client.send(head("Expect: 100-continue", header).encode())
            assert only(everything(client))[0] == status


HALVES: Final = {
    "no request": b"",
    "half a head": request(b"half")[:40],
    "a head": request(b"half")[:-4],
    "half a body": request(b"half")[:-1],
    "half a chunk": (CHUNKED + "2\r\na").encode(),
    "chunks without an end": (CHUNKED + "1\r\na\r\n").encode(),
    "trailers without an end": (CHUNKED + "1\r\na\r\n0\r\nX: y\r\n").encode(),
}


@pytest.mark.parametrize("behind", [0, 1, 3])
@pytest.mark.parametrize("half", HALVES)
def test_a_client_that_ends_early(shop: Shop, half: str, behind: int) -> None:
    """Whoever shuts his side hears the answers to all that he sent whole; the rest was not received."""
    with Client(shop.server.port) as client:
        client.send(b"".join(request(b"%d" % number) for number in range(behind)) + HALVES[half])
        client.sock.shutdown(socket.SHUT_WR)
        heard = everything(client)

    assert [line.split()[1] for line in heard.split(b"\r\n") if line.startswith(b"HTTP/")] == [b"200"] * behind
    assert shop.bodies == [b"%d" % number for number in range(behind)]


def test_what_was_right_is_answered_before_what_is_wrong_ends_it(shop: Shop) -> None:
    """Two good requests, then nonsense, then a good one: two answers, and the end."""
    with Client(shop.server.port) as client:
        client.send(request(b"1") + request(b"2") + b"NONSENSE\r\n\r\n" + SMUGGLED)
        heard = everything(client)

    assert heard.count(b"HTTP/1.1 200 ") == 2
    assert (heard.count(b"HTTP/1.1 "), shop.bodies) == (2, [b"1", b"2"])


def test_empty_lines_without_end(shop: Shop) -> None:
    """They count as part of a head."""
    with Client(shop.server.port) as client:
        say(client, b"\r\n" * 200_000, apart=False)
        assert only(everything(client))[0] == 431

    assert_goes_on(shop)


def test_who_pipelines_without_end_is_cut_off(shop: Shop) -> None:
    """Behind a number of waiting requests nothing more is read: memory is not his to fill."""
    bad = raw("POST /webhooks/acme")
    with Client(shop.server.port) as client:
        say(client, bad * 2000, apart=False)
        heard = everything(client)

    assert 1 <= heard.count(b"HTTP/1.1 400 ") <= 2 + Limits().pipelined
    assert_goes_on(shop)
