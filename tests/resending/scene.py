"""A shop with events, and a target that answers as a test wants it to, byte by byte."""

import json
import os
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uuid_utils

from webhookctl import wiring
from webhookctl.config import Settings, make_demo
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import ReplayState, Verdict
from webhookctl.core.signatures import sign
from webhookctl.wiring import now_ms, resending

CODE = "CANRY-Q7W2E-9XKLM"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
LOOK = Reveal(1, "ada at tty1", "case 47")


@dataclass(frozen=True)
class Got:
    """A request, as the target saw it."""

    first: str
    headers: dict[str, str]
    body: bytes

    @property
    def reference(self) -> str:
        return str(json.loads(self.body)["data"]["reference"])


@dataclass
class Target:
    """Listens on loopback; `answer` is given what came and its number from 1 on, and None cuts the connection off."""

    answer: Callable[[int, Got], bytes | None] = lambda _number, _got: OK
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: Callable[[], None] = lambda: None

    @property
    def references(self) -> list[str]:
        return [one.reference for one in self.got]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Clients that part are what is tested here."""


def _handler(target: Target) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with target.lock:
                target.connections += 1
            while (answer := self._one()) is not None:
                self.wfile.write(answer)

        def _one(self) -> bytes | None:
            first = self.rfile.readline().decode("latin-1").strip()
            if not first:
                return None
            headers = dict[str, str]()
            while line := self.rfile.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            got = Got(first, headers, self.rfile.read(int(headers.get("content-length", "0"))))
            with target.lock:
                target.got.append(got)
                number = len(target.got)
            return target.answer(number, got)

    return Handler


@contextmanager
def listening(answer: Callable[[int, Got], bytes | None] = lambda _number, _got: OK) -> Iterator[Target]:
    target = Target(answer)
    with _Server(("127.0.0.1", 0), _handler(target)) as server:
        target.url = f"http://127.0.0.1:{server.server_address[1]}/in"
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield target
        finally:
            server.shutdown()
            serving.join()


@dataclass
class Shop:
    """A folder in which signed events lie."""

    settings: Settings
    numbers: list[int]
    bodies: dict[str, bytes]
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def watch(self) -> resending.Watch:
        return resending.Watch(self.verdicts.append)

    def begin(self, to: str, **more: Any) -> resending.Ended:  # noqa: ANN401 - as `Wanted` has it
        """Send all events."""
        wanted = resending.Wanted(to, **{"sign": resending.AS_RECEIVED, **more})
        way = resending.route(self.settings, wanted, ["demo"])
        return resending.begin(self.settings, wanted, way, self.numbers, LOOK, self.watch)

    def resume(self, replay_id: int | None = None, **more: Any) -> resending.Ended:  # noqa: ANN401 - as above
        """Go on with a replay."""
        replay, _ = resending.resumable(self.settings, replay_id)
        wanted = resending.Wanted(more.pop("to", replay.target), **{"sign": replay.sign, **more})
        way = resending.route(self.settings, wanted)
        return resending.resume(self.settings, wanted, way, replay.id, LOOK, self.watch)

    def states(self, replay_id: int) -> dict[ReplayState, int]:
        """Return how far its events are, as the store has it."""
        with wiring.store(self.settings) as store:
            return {state: count for state, count in store.replays.counts(replay_id).items() if count}

    def looks(self, number: int) -> list[Reveal]:
        """Return who has seen an event."""
        with wiring.store(self.settings) as store:
            return list(store.events.reveals(number))


def body_of(number: int) -> bytes:
    """Make bytes that no JSON writer would make again."""
    return (
        b'{ "event":"order.fulfilled",\n "data":{"reference":"ORD-%d","order_id":"SUP-%d","status":"fulfilled",'
        b'"items":[{"sku":"a","code":"%b"}]} , "caf\xc3\xa9":1.50 }' % (number, number, CODE.encode())
    )


def make_shop(folder: Path, count: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> Shop:
    """Make the demo's settings, and a store with so many signed events of its supplier."""
    settings = make_demo(folder)
    supplier = settings.suppliers["demo"]
    (key,) = supplier.scheme.keys(settings.read(supplier.secrets, os.environ))
    bodies = {f"ORD-{number}": body_of(number) for number in range(1, count + 1)}
    deliveries = list[Verified]()
    for body in bodies.values():
        signed = sign(supplier.scheme, key, body=body, now=now_ms())
        all_headers = (*((name.lower().encode(), value.encode()) for name, value in signed.headers.items()), *headers)
        delivery = Delivery("demo", body, all_headers, now_ms(), uuid_utils.uuid7().bytes)
        deliveries.append(Verified(delivery, "file:demo.secret"))
    with wiring.store(settings, create=True) as store:
        store.intake.accept(deliveries)
    return Shop(settings, [*range(1, count + 1)], bodies)
