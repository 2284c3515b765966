"""The supplier's side: posts signed events from many threads and keeps a ledger of what was acknowledged."""

import hmac
import http.client
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Self

SECRET = "acme-secret-0123456789"
THREADS = 8
_PATIENCE_S = 15
GONE = 0
"""No answer: nobody listens there (any more), or the connection ended before a byte of one."""
TORN = -1
"""The connection ended in the middle of an answer."""


class Ledger:
    """The bodies that were answered 200, each on disk before the next is posted."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._lock = threading.Lock()
        self.path = path
        self.count = 0

    def enter(self, body: bytes) -> None:
        with self._lock:
            self._file.write(body + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self.count += 1

    def read(self) -> list[bytes]:
        return self.path.read_bytes().splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@dataclass
class Supplier:
    """Delivers to `ports` of this machine, whichever is next, as fast as it is answered."""

    ledger: Ledger
    ports: tuple[int, ...]
    waiting: deque[bytes] = field(default_factory=deque)
    """What has not been acknowledged yet, oldest first."""
    statuses: list[int] = field(default_factory=list)
    slowest_s: float = 0.0
    """Of all that was answered."""

    def post(self, body: bytes, signature: str | None = None) -> int:
        """Post over a connection of its own, well signed unless told how; return the status, `GONE` or `TORN`."""
        with closing(_connection(self.ports[0])) as connection:
            return self._posted(connection, body, signature)

    def post_until(self, over: Callable[[], bool]) -> None:
        """Post what waits, and go on until it is all acknowledged or `over()`."""
        ports = islice(cycle(self.ports), THREADS)
        threads = [threading.Thread(target=self._post_some, args=(port, over)) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _post_some(self, port: int, over: Callable[[], bool]) -> None:
        with closing(_connection(port)) as connection:
            while not over():
                try:
                    body = self.waiting.popleft()
                except IndexError:
                    return
                status = self._posted(connection, body)
                if status != http.client.OK:
                    self.waiting.appendleft(body)

    def _posted(self, connection: http.client.HTTPConnection, body: bytes, signature: str | None = None) -> int:
        began = time.monotonic()
        status = _asked(connection, body, signature or signature_of(body))
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if status == http.client.OK:
            self.ledger.enter(body)
        self.statuses.append(status)
        return status


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)


def signature_of(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), body, "sha256").hex()


def _asked(connection: http.client.HTTPConnection, body: bytes, signature: str) -> int:
    try:
        connection.request("POST", "/webhooks/acme", body, {"X-Webhook-Signature": signature})
        with connection.getresponse() as response:
            response.read()
            return response.status if response.headers["content-length"] else TORN  # a head cut short has none
    except http.client.RemoteDisconnected:
        status = GONE
    except http.client.HTTPException:
        status = TORN
    except OSError:
        status = GONE
    connection.close()
    return status


def events_of(orders: Iterable[int]) -> list[bytes]:
    """Return the events `created` and `fulfilled` of each order."""
    text = '{"event": "order.%s", "data": {"reference": "R%d", "items": [{"sku": "a", "code": %s}]}}'
    return [
        (text % (word, number, code)).encode()
        for number in orders
        for word, code in (("created", "null"), ("fulfilled", f'"CODE-{number:09}-SECRET"'))
    ]
