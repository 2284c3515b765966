"""Does it listen, or say why not; and does it stop without losing what it took?"""

import asyncio
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import SettingsError
from webhookctl.core.outcomes import Duplicate, NotStored, Stored
from webhookctl.flows.receive import Receive
from webhookctl.server.run import listen_on, run, stopped_by_signals
from webhookctl.server.tls import tls_context

from .serving import PATIENCE_S, Client, ask, raw, request, served

KEY = bytes(range(32))
LONG_S = 60


def stored(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
    return [Stored("acme") for _ in batch]


def test_a_taken_port_is_said_in_a_sentence() -> None:
    """Before anything else starts: where, why, and what to do."""
    with listen_on("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"Can't listen on 127.0.0.1:{port}: the port is taken.*--listen"):
            listen_on("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 8700, "192.0.2.1:8700: this machine has no such address"),
        ("no such host.invalid", 8700, "no address has that name"),
        ("127.0.0.1", 65536, "a port is at most 65535"),
        ("2001:db8::1", 8700, r"\[2001:db8::1\]:8700: "),
    ],
)
def test_an_address_that_can_not_be_is_said_in_a_sentence(host: str, port: int, words: str) -> None:
    """Each names the address and the setting."""
    with pytest.raises(SettingsError, match=rf"{words}.*\[serve\] listen"):
        listen_on(host, port)


def test_the_url_is_the_one_that_answers() -> None:
    """`started` is told the port that was really bound."""
    with served(stored) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert ask(server.port, request(b"{}")).status == 200


def tls_files(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """Write a certificate for localhost that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(pem, pkcs8, hidden))
    return paths


def test_https_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    """The same answers over TLS; a client that speaks plain HTTP gets none and harms nobody."""
    certificate, key = tls_files(tmp_path, "shop")
    trusting = ssl.create_default_context(cafile=str(certificate))
    with served(stored, tls=tls_context(certificate, key)) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        with Client(server.port) as plain:
            plain.send(request(b"{}"))
            assert plain.answer() is None
        with Client(server.port, trusting) as client:
            assert client.ask(request(b"{}")).status == 200
            assert client.ask(raw("POST /webhooks/acme", body=b"{}")).status == 400


def test_tls_files_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    """Missing, of another pair, no PEM, behind a passphrase: a sentence with the file, and nothing is asked for."""
    certificate, key = tls_files(tmp_path, "shop")
    _, other = tls_files(tmp_path, "other")
    _, locked = tls_files(tmp_path, "locked", b"passphrase")
    junk = tmp_path / "junk"
    junk.write_text("not PEM")

    for pair, words in (
        ((tmp_path / "none", key), "tls_cert: .*none can't be read: No such file"),
        ((certificate, tmp_path / "none"), "tls_key: .*none can't be read: No such file"),
        ((certificate, tmp_path), "tls_key: .* can't be read: Is a directory"),
        ((certificate, other), "tls_key: .*other.key is not the key of the certificate .*shop.crt"),
        ((certificate, locked), "without a passphrase"),
        ((junk, key), "both must be PEM files"),
        ((key, certificate), "both must be PEM files"),
    ):
        with pytest.raises(SettingsError, match=words):
            tls_context(*pair)


@pytest.mark.parametrize("over_tls", [False, True])
def test_an_idle_connection_does_not_delay_the_end(tmp_path: Path, *, over_tls: bool) -> None:
    """However long the grace, who has no open request is not waited for: neither before a first request nor after."""
    pair = tls_files(tmp_path, "shop") if over_tls else None
    trusting = ssl.create_default_context(cafile=str(pair[0])) if pair else None
    with (
        served(stored, tls=tls_context(*pair) if pair else None, grace_s=LONG_S) as server,
        Client(server.port, trusting) as used,
    ):
        assert used.ask(request(b"{}")).status == 200
        unused, halfway = Client(server.port, trusting), Client(server.port, trusting)
        halfway.send(b"POST /webhooks/acme HTT")
        with unused, halfway:
            server.stop()
            assert used.is_closed()
            server.join()


def test_an_open_request_is_answered_before_the_end() -> None:
    """Told to stop while a commit runs: the 200 still comes, the connection ends, and nobody new is served."""
    entered, go = threading.Event(), threading.Event()

    def accept(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        entered.set()
        assert go.wait(PATIENCE_S)
        return stored(batch)

    with served(accept, grace_s=LONG_S) as server, Client(server.port) as client:
        client.send(request(b"{}"))
        assert entered.wait(PATIENCE_S)
        server.stop()
        _wait_until(lambda: _refuses(server.port))
        go.set()

        answer = client.answer()
        assert answer is not None
        assert (answer.status, client.is_closed()) == (200, True)


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except OSError:
        return True
    return False


def _wait_until(holds: Callable[[], bool]) -> None:
    ended = threading.Event()
    for _ in range(500):
        if holds():
            return
        ended.wait(0.02)
    pytest.fail("it did not come to hold in 10 s")


def test_what_does_not_end_in_the_grace_is_answered_503() -> None:
    """Half a body when the grace is over: try again, and the process can end."""
    with served(stored, grace_s=1) as server, Client(server.port) as client:
        client.send(request(b"x" * 100)[:-1])
        server.stop()

        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "5", "close")


@pytest.mark.parametrize("whole", [True, False])
def test_who_waits_for_the_store_when_the_grace_is_over_is_answered_503(*, whole: bool) -> None:
    """A commit that hangs holds up neither the end nor the answer; it doesn't matter how the request had come."""
    entered, go = threading.Event(), threading.Event()

    def accept(batch: Sequence[Verified]) -> list[Stored | Duplicate]:
        entered.set()
        assert go.wait(PATIENCE_S)
        return stored(batch)

    data = request(b"{}")
    with served(accept, grace_s=1, commit_timeout=LONG_S) as server, Client(server.port) as client:
        client.send(data if whole else data[:-1])
        if not whole:
            assert ask(server.port, raw("GET /webhooks/acme")).status == 405  # so the half before it has been read
            client.send(data[-1:])
        assert entered.wait(PATIENCE_S)
        server.stop()

        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["retry-after"], client.is_closed()) == (503, "5", True)
        go.set()


def test_a_locked_store_is_503_and_then_goes_on(tmp_path: Path) -> None:
    """Another process holds the lock for longer than the busy timeout; when it lets go, deliveries are stored."""
    ours = open_store(tmp_path / "store.db", AesGcmCipher([KEY]), create=True, busy_ms=50)
    theirs = open_store(tmp_path / "store.db", AesGcmCipher([KEY]), create=False)
    with served(Receive(ours.intake).accept) as server, Client(server.port) as client:
        with theirs.connection.writing():
            assert client.ask(request(b"1")).status == 503
        assert client.ask(request(b"1")).status == 200
    events = theirs.reports.summary(now=0).events
    ours.close()
    theirs.close()

    refused, kept = server.outcomes
    assert isinstance(refused, NotStored)
    assert "locked by another process" in refused.reason
    assert (kept, events) == (Stored("acme"), {"queued": 1})


@contextmanager
def _process(store: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The benchmark's server: everything but worker and cli, on a real store."""
    command = [sys.executable, "-m", "tests.benchmarks.served", str(store)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_nothing_acknowledged(tmp_path: Path, how: signal.Signals) -> None:
    """Eight suppliers post without a pause; the process ends with 0, and every 200 is in the store, byte for byte."""
    path = tmp_path / "store.db"
    acknowledged = list[bytes]()
    under_way = threading.Event()

    def supplier(number: int) -> None:
        for count in range(100_000):
            body = b"%d-%d" % (number, count)
            try:
                if ask(port, request(body)).status == 200:
                    acknowledged.append(body)
            except (OSError, AssertionError):  # it has stopped
                return
            if count == 5:
                under_way.set()

    with _process(path) as (process, port), ThreadPoolExecutor(8) as pool:
        done = [pool.submit(supplier, number) for number in range(8)]
        assert under_way.wait(PATIENCE_S)
        process.send_signal(how)
        assert process.wait(PATIENCE_S) == 0
        for each in done:
            each.result()
        said = process.stderr.read() if process.stderr else ""

    assert said == ""
    store = open_store(path, AesGcmCipher([KEY]), create=False)
    events = map(store.events.get, map(str, itertools.count(1)))
    kept = {event.body for event in itertools.takewhile(bool, events) if event}
    store.close()
    assert len(acknowledged) >= 6
    assert set(acknowledged) <= kept


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Half a body would be waited for through the whole grace; the second signal does not wait."""
    with _process(tmp_path / "store.db") as (process, port), Client(port) as client:
        client.send(request(b"x" * 100)[:-1])
        assert ask(port, request(b"{}")).status == 200  # so the half before it has been read
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE_S) == 130


def test_the_handlers_of_before_come_back() -> None:
    """Outside of the block signals do what they did; inside, the first one sets the event."""
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> bool:
        until = asyncio.Event()
        with stopped_by_signals(until):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(until.wait(), PATIENCE_S)
        return signal.getsignal(signal.SIGTERM) is before

    assert run(main())
