"""A name is looked up once, and what was looked at is what is connected to."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.actions.raw_server import Peer, raw_server
from tests.resending.scene import LOOK, listening, make_shop
from webhookctl.adapters.outbound import NotSentError, Outbound
from webhookctl.config import load
from webhookctl.core.addresses import Address
from webhookctl.core.errors import UpstreamError, UsageError
from webhookctl.core.ports.replays import ReplayState
from webhookctl.wiring import resending

HOST = "staging.shop.example"
HERE = ip_address("127.0.0.1")
SETTINGS = """
[store]
url = "sqlite:webhookctl.db"
keys = ["file:webhookctl.key"]
[suppliers.demo]
preset = "generic"
secrets = ["file:demo.secret"]
[replay]
targets = ["http://staging.shop.example:{port}"]
"""


class Changing:
    """A resolver whose answer is another each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = iter([*map(ip_address, answers)])
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> list[Address]:
        self.asked += 1
        return [next(self.answers)]


def test_a_resolver_that_changes_its_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer would be the metadata service: nobody asks for it, and all goes to the first."""
    shop = make_shop(tmp_path, 20)
    changing = Changing("127.0.0.1", *["169.254.169.254"] * 99)
    looked_up = list[Any]()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **_: looked_up.append(asked))
    with listening() as target:
        port = target.url.split(":")[2].split("/")[0]
        (tmp_path / "webhookctl.toml").write_text(SETTINGS.format(port=port))
        settings = load(tmp_path / "webhookctl.toml", {})
        wanted = resending.Wanted(f"http://{HOST}:{port}/in", "as-received")
        way = resending.route(settings, wanted, resolve=changing)
        ended = resending.begin(settings, wanted, way, shop.numbers, LOOK, shop.watch)

    assert ended.counts == {ReplayState.TAKEN: 20}
    assert {one.headers["host"] for one in target.got} == {f"{HOST}:{port}"}
    assert (changing.asked, looked_up) == (1, [])


def test_a_first_answer_that_is_refused_sends_nothing() -> None:
    """Also where the operator has allowed the name."""
    wanted = resending.Wanted("https://rebind.example/", "as-received", allow_url=True)

    with pytest.raises(UsageError, match="nothing is ever sent there"):
        resending.route(None, wanted, resolve=Changing("169.254.169.254"))


def test_a_name_without_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As what it is: the network's answer, not a fault."""

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)

    with pytest.raises(UpstreamError, match=r"--to gone\.example has a name that can't be resolved"):
        resending.route(None, resending.Wanted("https://gone.example/", "as-received", allow_url=True))


def test_no_other_address_is_connected_to() -> None:
    """Not even one that stands in the URL, where no resolver is asked: the socket itself is refused."""
    reached = list[Peer]()

    async def answer(peer: Peer) -> None:
        reached.append(peer)

    async def scenario() -> None:
        outbound = Outbound(ssl.create_default_context(), only_at=[ip_address("127.0.0.2")])
        async with raw_server(answer) as server:
            try:
                await outbound.request("POST", server.url, headers={}, timeout_s=20)
            finally:
                await outbound.aclose()

    with pytest.raises(NotSentError, match="permission denied"):
        uvloop.run(scenario())
    assert reached == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate of the staging machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "staging")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "staging.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("host", "is_its_own"), [(HOST, True), ("other.shop.example", False)])
def test_tls_is_verified_against_the_name(certificate: Path, host: str, is_its_own: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """Though the address was chosen beforehand, the certificate must be that of the host in the URL."""
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def scenario() -> int:
        outbound = Outbound(ssl.create_default_context(cafile=certificate), only_at=[HERE])
        async with raw_server(answer, served) as server:
            try:
                url = server.url.replace("127.0.0.1", host)
                return (await outbound.request("POST", url, headers={}, timeout_s=20)).status
            finally:
                await outbound.aclose()

    if is_its_own:
        assert uvloop.run(scenario()) == 200
    else:
        with pytest.raises(NotSentError, match="TLS certificate that can't be trusted"):
            uvloop.run(scenario())
