"""The one way out over HTTP, against servers that behave in every way but the right one."""

import asyncio
import gzip
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.actions.raw_server import Peer, raw_server
from webhookctl.adapters.outbound import MOST_READ, Answer, NotSentError, Outbound, shown
from webhookctl.core.errors import UpstreamError

PLENTY_S = 20.0
SHORT_S = 0.3
TLS = ssl.create_default_context()
"""Shared, as reading the system's authorities takes longer than most tests here."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def post(url: str, *, timeout_s: float = PLENTY_S, outbound: Outbound | None = None, **more: str) -> Answer:
    used = outbound or Outbound(TLS)
    try:
        return await used.post(url, body=b'{"a":1}', headers=more, timeout_s=timeout_s)
    finally:
        if not outbound:
            await used.aclose()


def asked(answer: Callable[[Peer], Awaitable[None]], timeout_s: float = PLENTY_S) -> Answer:
    """Post once to a server that answers so."""

    async def scenario() -> Answer:
        async with raw_server(answer) as server:
            return await post(server.url + "/path?token=hidden", timeout_s=timeout_s)

    return uvloop.run(scenario())


def answering(data: bytes) -> Callable[[Peer], Awaitable[None]]:
    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.say(data)

    return answer


def test_posts_and_reads() -> None:
    """The body and headers arrive as given, nothing compressed is asked for, and the answer comes back whole."""
    requests = list[tuple[str, dict[str, str], bytes]]()

    async def answer(peer: Peer) -> None:
        requests.append(await peer.request())
        await peer.say(b"HTTP/1.1 201 Created\r\nX-Mark: A\r\nContent-Length: 2\r\n\r\nok")

    async def scenario() -> Answer:
        async with raw_server(answer) as server:
            return await post(server.url + "/in?b=1", x_mark="m")

    got = uvloop.run(scenario())

    first, headers, body = requests[0]
    assert (got.status, got.headers["x-mark"], got.text, got.complete) == (201, "A", "ok", True)
    assert (first, body) == ("POST /in?b=1 HTTP/1.1", b'{"a":1}')
    assert (headers["x_mark"], headers["accept-encoding"]) == ("m", "identity")


def test_connection_is_reused_and_carries_no_cookie() -> None:
    """Two posts share a connection, and what the first answer wants remembered is not."""
    headers = list[dict[str, str]]()

    async def answer(peer: Peer) -> None:
        while True:
            headers.append((await peer.request())[1])
            await peer.say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\nok")

    async def scenario() -> int:
        outbound = Outbound(TLS)
        async with raw_server(answer) as server:
            await post(server.url, outbound=outbound)
            await post(server.url, outbound=outbound)
            await outbound.aclose()
            return len(server.connections)

    assert uvloop.run(scenario()) == 1
    assert not any("cookie" in each for each in headers)


def test_redirect_is_an_answer() -> None:
    """Nothing is followed: it might lead to where the document must not go."""
    got = asked(
        answering(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    )

    assert got.status == 307


def test_user_in_url_becomes_basic_auth() -> None:
    """A user and password in the URL are sent as a header, and not in the URL."""

    async def answer(peer: Peer) -> None:
        first, headers, _ = await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\n" + f"{first}|{headers['authorization']}".encode())

    async def scenario() -> Answer:
        async with raw_server(answer) as server:
            return await post(server.url.replace("://", "://user:p%40ss@") + "/x")

    assert uvloop.run(scenario()).text == "POST /x HTTP/1.1|Basic dXNlcjpwQHNz"


def test_environment_proxy_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named in the environment sees nothing."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert asked(answering(OK)).status == 200


def test_huge_answer_is_cut() -> None:
    """An endless answer is read up to the cap, and the connection is dropped."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.say(b"x" * 65536)

    got = asked(answer)

    assert (got.status, len(got.body), got.complete) == (200, MOST_READ, False)


def test_compressed_answer_is_not_inflated() -> None:
    """A server that compresses although it was not asked to can't blow up what we read."""
    bomb = gzip.compress(bytes(10_000_000))
    got = asked(
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(bomb), bomb))
    )

    assert got.body == bomb


def test_drip_ends_at_the_deadline() -> None:
    """A status that drips in byte by byte ends at the deadline in total, however alive the connection is."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 4000:
            await peer.say(bytes([byte]))
            await asyncio.sleep(0.02)

    with pytest.raises(UpstreamError, match=r"/path did not answer within 0\.3 s\.$"):
        asked(answer, SHORT_S)


def test_status_stands_though_its_body_drips() -> None:
    """When the status has come, a body that never ends takes nothing back: it is kept as far as it came."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while True:
            await peer.say(b"y")
            await asyncio.sleep(0.02)

    got = asked(answer, SHORT_S)

    assert (got.status, got.complete, set(got.text)) == (200, False, {"y"})


def test_status_stands_though_its_body_breaks_off() -> None:
    """A body shorter than was said is kept as far as it came."""
    got = asked(answering(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5000\r\n\r\npart"))

    assert (got.status, got.complete, got.text) == (202, False, "part")


def test_silence_ends_at_the_deadline() -> None:
    """A server that takes the request and says nothing may have done its work: that it was sent stays open."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(PLENTY_S)

    with pytest.raises(UpstreamError, match="did not answer within") as caught:
        asked(answer, SHORT_S)

    assert not isinstance(caught.value, NotSentError)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "answered something that is not HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "answered something that is not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "answered something that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "answered something that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "answered something that is not HTTP"),
    ],
)
def test_what_is_no_answer(data: bytes, words: str) -> None:
    """Whatever is not HTTP is an error in words, without the query."""
    with pytest.raises(UpstreamError, match=re.escape(f"/path {words}.")) as caught:
        asked(answering(data))

    assert "hidden" not in str(caught.value)
    assert not isinstance(caught.value, NotSentError)


def test_reset() -> None:
    """A connection that is reset after the request may have carried it out."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    with pytest.raises(UpstreamError, match=r"/path (broke|closed) the connection") as caught:
        asked(answer)

    assert not isinstance(caught.value, NotSentError)


def refused() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/x"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(refused(), "can't be connected to (connection refused).", id="refused"),
        ("http://shop.invalid/x", "has a name that can't be resolved."),
        ("ftp://127.0.0.1/x", "is neither http:// nor https://."),
        ("/only/a/path", "is not an address that can be called."),
        ("http://[::1", "the address is not an address that can be called."),
        ("http://127.0.0.1:1\x00/", "the address is not an address that can be called."),
    ],
)
def test_certainly_not_sent(url: str, words: str) -> None:
    """Where no connection came about, the error says that nothing was sent."""
    with pytest.raises(NotSentError, match=re.escape(words)):
        uvloop.run(post(url))


def test_connection_not_taken_in_time() -> None:
    """A server whose queue is full is given half of the time; then nothing was sent."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        with pytest.raises(NotSentError, match="did not take the connection in time"):
            uvloop.run(post(f"http://127.0.0.1:{address[1]}/", timeout_s=0.6))
        for each in waiting:
            each.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "shop.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("trusted", [False, True])
def test_tls_is_verified(certificate: Path, trusted: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """A certificate that nobody vouches for ends the call before anything is sent; a trusted one does not."""
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    tls = ssl.create_default_context(cafile=certificate) if trusted else None

    async def scenario() -> Answer:
        outbound = Outbound(tls)
        try:
            async with raw_server(answering(OK), served) as server:
                return await post(server.url, outbound=outbound)
        finally:
            await outbound.aclose()

    if trusted:
        assert uvloop.run(scenario()).status == 200
    else:
        with pytest.raises(NotSentError, match=r"TLS certificate that can't be trusted \(self-signed certificate\)"):
            uvloop.run(scenario())


def test_cancelling_is_not_swallowed() -> None:
    """A caller that is cancelled is cancelled, and no connection stays behind."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(PLENTY_S)

    async def scenario() -> None:
        async with raw_server(answer) as server:
            calling = asyncio.create_task(post(server.url))
            while not server.connections:  # noqa: ASYNC110 - looks from outside
                await asyncio.sleep(0.001)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling

    uvloop.run(scenario())


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://user:pw@shop.example:8443/in?token=x#y", "https://shop.example:8443/in"),
        ("https://shop.example", "https://shop.example"),
        ("http://[::1", "the address"),
        ("http://shop.example/\u202e", "http://shop.example/%E2%80%AE"),
    ],
)
def test_shown(url: str, safe: str) -> None:
    """An address is shown without what may open a door."""
    assert shown(url) == safe
