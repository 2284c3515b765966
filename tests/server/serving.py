"""A real server on a real socket, in a thread of its own, and a client that says exactly what it is told to."""

import asyncio
import hmac
import re
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Self

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Duplicate, Received, Refused, Stored
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.server.batcher import Batcher
from webhookctl.server.limits import Limits
from webhookctl.server.receiver import Receiver, SupplierDoor
from webhookctl.server.run import listen_on, run, serve

SECRET: Final = b"a secret of thirty-two characters"
SCHEME: Final = Scheme.parse({"signature_header": "X-Webhook-Signature"})
PATIENCE_S: Final = 10

Accept = Callable[[Sequence[Verified]], Sequence[Stored | Duplicate]]


def door(name: str = "acme", *, head_ok: bool = False) -> SupplierDoor:
    return SupplierDoor(name, SCHEME, SCHEME.keys([Secret(SECRET, "env:SECRET")]), head_ok=head_ok)


@dataclass
class Served:
    """A running server, and what it recorded so far."""

    port: int
    outcomes: list[Received] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    join: Callable[[], None] = lambda: None
    url: str = ""
    failures: list[BaseException] = field(default_factory=list)

    def live(self, main: Coroutine[Any, Any, None]) -> None:
        """Run the server to its end, in a thread of its own."""
        try:
            run(main)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(error)


@contextmanager
def served(  # noqa: PLR0913 - each test sets one or two
    accept: Accept,
    *,
    max_batch: int = 256,
    commit_timeout: float = 2.5,
    tls: ssl.SSLContext | None = None,
    grace_s: int = 2,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    acme: SupplierDoor | None = None,
    now: Callable[[], int] = lambda: 1_000,
    **receiver: Any,  # noqa: ANN401 - handed through to the receiver
) -> Iterator[Served]:
    """Serve the supplier `acme`; stopped at the end, having let open requests end."""
    sock = listen_on("127.0.0.1", 0)
    serving = Served(sock.getsockname()[1])
    ready = threading.Event()
    live = partial(serve, sock=sock, tls=tls, grace_s=grace_s, limits=limits, record=serving.refused.append)

    async def main() -> None:
        until = asyncio.Event()
        loop = asyncio.get_running_loop()
        serving.stop = lambda: void(loop.call_soon_threadsafe(until.set))

        def started(url: str) -> None:
            serving.url = url
            ready.set()

        batcher = Batcher(accept, max_batch=max_batch, timeout_s=commit_timeout)
        app = Receiver({"acme": acme or door()}, batcher.submit, now, record=serving.outcomes.append, **receiver)
        try:
            await live(app, until=until, started=started)
        finally:
            await batcher.close()

    def join() -> None:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not end"

    serving.join = join
    thread = threading.Thread(target=lambda: serving.live(main()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield serving
    finally:
        if thread.is_alive():
            serving.stop()
        join()
        assert serving.failures == []


def void(_: object) -> None:
    """Let a lambda have no value."""


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(body: bytes, *headers: str, path: str = "/webhooks/acme", method: str = "POST") -> bytes:
    """Return the bytes of a request with its length and a good signature."""
    signature = hmac.digest(SECRET, body, "sha256").hex()
    return raw(f"{method} {path}", f"X-Webhook-Signature: {signature}", *headers, body=body)


def raw(line: str, *headers: str, body: bytes | None = b"") -> bytes:
    """Return the bytes of a request; without a body there is no length either."""
    length = () if body is None else (f"Content-Length: {len(body)}",)
    head = "\r\n".join((f"{line} HTTP/1.1", "Host: shop.example", *length, *headers, "", ""))
    return head.encode("latin-1") + (body or b"")


class Client:
    """One connection."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> None:
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        self.sock = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self) -> Response | None:
        """Return the next response, or None where the server closed instead."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (re.split(r":\s*", line, maxsplit=1) for line in lines)}
        length = int(headers["content-length"])
        while len(self._seen) < length:
            self._seen += self.sock.recv(65536)
        body, self._seen = self._seen[:length], self._seen[length:]
        return Response(int(status.split()[1]), headers, body)

    def ask(self, data: bytes) -> Response:
        self.send(data)
        answer = self.answer()
        assert answer is not None, "the server closed without an answer"
        return answer

    def is_closed(self) -> bool:
        """Wait for the server to close; whatever it still says is an answer to nothing."""
        try:
            return self.sock.recv(1) == b""
        except (ConnectionResetError, ssl.SSLEOFError):
            return True

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._seen:
            chunk = self.sock.recv(65536)
            if not chunk:
                return None
            self._seen += chunk
        head, _, self._seen = self._seen.partition(mark)
        return head


def ask(port: int, data: bytes) -> Response:
    """Make one request over a connection of its own."""
    with Client(port) as client:
        return client.ask(data)
