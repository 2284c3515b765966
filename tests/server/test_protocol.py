"""Does nobody keep us waiting, nor take more than his share?"""

import contextlib
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Duplicate, Refused, Stored
from webhookctl.server.limits import Crowd, Limits, affordable
from webhookctl.server.tls import tls_context

from .serving import PATIENCE_S, Client, ask, raw, request, served
from .test_run import tls_files

QUICK: Final = Limits(head_s=0.4, body_s=0.8, answer_s=0.8)
LONG: Final = Limits(head_s=60, body_s=60, answer_s=60)


def stored(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
    return [Stored("acme") for _ in batch]


def drip(client: Client, data: bytes, every_s: float = 0.05) -> bytes:
    """Send `data` byte by byte, for as long as the server lets us; returns what it said."""
    heard = b""
    client.sock.settimeout(every_s)
    with suppress(ConnectionError):
        for number in range(len(data)):
            client.send(data[number : number + 1])
            with suppress(TimeoutError):
                chunk = client.sock.recv(65536)
                heard += chunk
                if not chunk:
                    return heard
    return heard


@pytest.mark.parametrize("said", [b"", b"P", request(b"x")[:50], b"\r\n"], ids=["nothing", "P", "half", "empty line"])
def test_without_a_head_the_connection_is_cut(said: bytes) -> None:
    """Idle or in the middle of a head: nothing is said, and it ends; after a response it is the same."""
    with served(stored, limits=QUICK) as server, Client(server.port) as new, Client(server.port) as used:
        used.ask(request(b"{}"))
        for client in (new, used):
            client.send(said)
        assert new.is_closed()
        assert used.is_closed()

    reasons = {refused.reason for refused in server.refused}
    assert reasons == ({"the head did not come in time"} if said else set())


def test_a_head_that_drips_is_cut() -> None:
    """Each byte in time, and all together too late."""
    with served(stored, limits=QUICK) as server, Client(server.port) as client:
        assert drip(client, request(b"x" * 100)) == b""

    assert server.refused == [Refused(None, "the head did not come in time", "127.0.0.1")]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_drips_is_408(*, chunked: bool) -> None:
    """Each byte in time, and all together too late: 408, the end, and nothing stored."""
    head = raw("POST /webhooks/acme", "Transfer-Encoding: chunked", body=None) if chunked else request(b"")
    data = b"1\r\nx\r\n" * 100 if chunked else b"x" * 600
    with served(stored, limits=QUICK) as server, Client(server.port) as client:
        client.send(head if chunked else head.replace(b"Content-Length: 0", b"Content-Length: 600"))
        heard = drip(client, data)

    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in heard
    assert (server.outcomes, [one.status for one in server.refused]) == ([], [408])


def test_who_does_not_read_the_answers_is_cut() -> None:
    """Requests without an end, and nobody reads what we say: it ends, and others are served meanwhile."""
    limits = Limits(head_s=60, body_s=60, answer_s=0.5, pipelined=1_000_000)
    bad = raw("POST /webhooks/acme") * 500
    with served(stored, limits=limits) as server, Client(server.port) as deaf:
        deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sock.settimeout(PATIENCE_S)
        with suppress(ConnectionError):
            while True:
                deaf.send(bad)
        assert ask(server.port, request(b"{}")).status == 200

    assert server.refused == [Refused(None, "the answers were not read in time", "127.0.0.1")]


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and a client's that believes it."""
    pair = tls_files(tmp_path, "shop")
    return tls_context(*pair), ssl.create_default_context(cafile=str(pair[0]))


def test_tls_is_hurried_too(trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Half a handshake, half a head and half a body each end in time."""
    with served(stored, tls=trusted[0], limits=QUICK) as server, Client(server.port) as mute:
        with Client(server.port, trusted[1]) as head, Client(server.port, trusted[1]) as body:
            head.send(b"POST")
            answer = body.ask(request(b"xx")[:-1])
            assert (answer.status, head.is_closed(), body.is_closed()) == (408, True, True)
        assert mute.is_closed()


@contextlib.contextmanager
def idle(port: int, number: int, source: str = "127.0.0.1") -> Iterator[list[Client]]:
    """Open connections that say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(Client(port, source=source)) for _ in range(number)]


def is_served(port: int, source: str = "127.0.0.1") -> bool:
    with Client(port, source=source) as client:
        try:
            client.send(request(b"{}"))
            answer = client.answer()
        except ConnectionError:
            return False
    return answer is not None and answer.status == 200


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_address_has_its_share() -> None:
    """Who has taken all of it gets no more, another is served; what ends is given back."""
    limits = Limits(per_address=20, trusted=(), head_s=60)
    with served(stored, limits=limits) as server:
        with idle(server.port, 20, "127.0.0.2"):
            assert not is_served(server.port, "127.0.0.2")
            assert is_served(server.port, "127.0.0.3")
        until(lambda: is_served(server.port, "127.0.0.2"))

    assert server.refused[0] == Refused(None, "there are 20 connections from its address already", "127.0.0.2")


def test_a_trusted_proxy_has_as_many_as_there_are() -> None:
    """Many clients come from its address: only the total counts."""
    limits = Limits(per_address=2, connections=30, trusted=(ip_network("127.0.0.2"),), head_s=60)
    with served(stored, limits=limits) as server:
        with idle(server.port, 29, "127.0.0.2"):
            assert is_served(server.port, "127.0.0.2")
        with idle(server.port, 2, "127.0.0.4"):
            assert not is_served(server.port, "127.0.0.4")


def test_all_together_have_their_most() -> None:
    """Beyond it nobody comes in, until the idle ones are cut."""
    with served(stored, limits=Limits(connections=10, head_s=1)) as server, idle(server.port, 10):
        assert not is_served(server.port)
        until(lambda: is_served(server.port))

    assert "there are 10 connections already" in {one.reason for one in server.refused}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", False),
    ],
)
def test_who_counts_as_one(first: str, second: str, *, same: bool) -> None:
    """An address, the network of an IPv6 one; a trusted one never counts."""
    crowd = Crowd(Limits(per_address=1))
    assert crowd.admit(first) is None

    assert (crowd.admit(second) is not None) is same


def test_what_leaves_is_forgotten() -> None:
    """The count goes back to nothing, so that it can't grow with the addresses seen."""
    crowd = Crowd(Limits(connections=1, trusted=()))
    for number in range(100):
        host = f"192.0.2.{number}"
        assert crowd.admit(host) is None
        assert crowd.admit(host) is not None
        crowd.leave(host)

    assert crowd == Crowd(Limits(connections=1, trusted=()))


def test_connections_leave_descriptors_for_the_rest() -> None:
    """Where the system allows few files, there are fewer connections; never none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert (affordable(1000), affordable(50)) == (128, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def process(store: Path, files: int = 1024) -> Iterator[tuple[int, int]]:
    """The benchmark's server in a process that may open `files`; yields its id and its port."""
    command = [sys.executable, "-m", "tests.benchmarks.served", str(store)]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, preexec_fn=limited) as running:  # noqa: S603, PLW1509 - our own module, and no thread is running yet
        try:
            assert running.stdout is not None
            yield running.pid, int(running.stdout.readline())
        finally:
            running.kill()


def test_a_flood_of_connections_with_few_descriptors(tmp_path: Path) -> None:
    """Five hundred that say nothing, and sixty-four files: they are cut, and then all goes on."""
    with process(tmp_path / "store.db", files=64) as (_, port):
        with idle(port, 500):
            until(lambda: is_served(port))
        assert is_served(port)


def memory(pid: int) -> int:
    """Return the largest resident size so far, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


LENGTH: Final = "Content-Length: 100000000"
CHUNKS: Final = "Transfer-Encoding: chunked"
FLOODS: Final = {
    "declared": (raw("POST /webhooks/acme", LENGTH, body=None), b"x" * 65536),
    "large chunks": (raw("POST /webhooks/acme", CHUNKS, body=None), b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "small chunks": (raw("POST /webhooks/acme", CHUNKS, body=None), b"1\r\nx\r\n" * 10_000),
    "extension": (raw("POST /webhooks/acme", CHUNKS, body=None) + b"1;x=", b"y" * 65536),
    "trailer": (raw("POST /webhooks/acme", CHUNKS, body=None) + b"0\r\nX: ", b"y" * 65536),
    "header": (b"POST /webhooks/acme HTTP/1.1\r\nX: ", b"y" * 65536),
    "headers": (b"POST /webhooks/acme HTTP/1.1\r\n", b"X: y\r\n" * 10_000),
    "path": (b"POST /webhooks/acme", b"y" * 65536),
    "no door": (raw("POST /nowhere", LENGTH, body=None), b"x" * 65536),
    "requests": (b"", raw("POST /webhooks/acme") * 1000),
}


def test_floods_leave_memory_flat(tmp_path: Path) -> None:
    """A hundred megabytes of each kind are refused before they are read, and cost a few megabytes of memory at most."""
    with process(tmp_path / "store.db") as (pid, port):
        assert is_served(port)
        before = memory(pid)
        answers = {name: flooded(port, *flood) for name, flood in FLOODS.items()}
        grown = memory(pid) - before
        assert is_served(port)

    assert answers == dict.fromkeys(FLOODS, 400) | {
        "declared": 413,
        "large chunks": 413,
        "header": 431,
        "headers": 431,
        "path": 431,
        "no door": 404,
    }
    assert grown < 16 * 1024


def flooded(port: int, head: bytes, piece: bytes) -> int:
    """Send 100 MB, or as much as is taken; returns the status of the first answer."""
    with Client(port) as client:
        heard = list[bytes]()
        reader = threading.Thread(target=lambda: heard.extend(chunks(client)))
        reader.start()
        with suppress(ConnectionError):
            client.send(head)
            for _ in range(100_000_000 // len(piece)):
                client.send(piece)
        reader.join()
    return int(b"".join(heard).split(b" ", 2)[1])


def chunks(client: Client) -> Iterator[bytes]:
    with suppress(ConnectionError):
        while chunk := client.sock.recv(65536):
            yield chunk
