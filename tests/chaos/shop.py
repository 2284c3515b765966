"""The shop's endpoint: remembers what took effect under which id, and is as unreliable as shops are."""

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOST, LATE, FAILED = 0.02, 0.02, 0.02
"""Shares of the calls that take effect but are not answered, that are answered late, and that fail without effect."""
_LATE_S = 0.3


@dataclass
class Shop:
    """What the endpoint has seen."""

    url: str
    chance: random.Random
    effects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each order's reference, the ids under which a delivery took effect: a shop does the same id once."""
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, message_id: str, document: dict[str, Any]) -> tuple[int | None, float]:
        """Return what to answer (None: nothing at all), and after how many seconds."""
        with self._lock:
            self.calls += 1
            draw = self.chance.random()
            if draw < FAILED:
                return 500, 0
            self.effects[document["reference"]].add(message_id)
        if draw < FAILED + LOST:
            return None, 0
        return 200, _LATE_S if draw < FAILED + LOST + LATE else 0


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    shop: Shop

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, wait_s = self.shop.take(self.headers["webhook-id"], document)
        time.sleep(wait_s)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a caller that was killed in the middle."""


@contextmanager
def shop_open(seed: int = 0) -> Iterator[Shop]:
    """Keep the shop's endpoint open on a port of its own."""
    shop = Shop("", random.Random(seed))  # noqa: S311 - dice, to be thrown again alike
    with _Server(("127.0.0.1", 0), type("Door", (_Door,), {"shop": shop})) as server:
        shop.url = f"http://127.0.0.1:{server.server_address[1]}/deliveries"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield shop
        finally:
            server.shutdown()
            thread.join()
