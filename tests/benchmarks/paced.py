"""Requests at a steady rate, as a process: `python -m tests.benchmarks.paced PORT RATE SECONDS [--forged]`.

Prints one JSON line. The rate is kept whatever the answers: what is late is late, and counts from when it was due.
"""

import argparse
import asyncio
import hmac
import json
import os
import re
import time
from collections import Counter, deque
from typing import Final, cast

import uvloop

from .served import SECRET

_CONNECTIONS: Final = 16
_MOST_BEHIND: Final = 48
"""Requests that wait for their answer on one connection; the server ends one that pipelines more than 64."""
_LOOK_EVERY_S: Final = 0.01
_LOOKS: Final = 1_000
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_BODY: Final = (
    b'{"event":"order.fulfilled","timestamp":"2026-05-01T10:00:00Z","data":{"order_id":"%s","reference":"%s",'
    b'"status":"fulfilled","items":[{"sku":"STEAM-20-EUR","code":"AAAAA-BBBBB-CCCCC"}]},"padding":"'
)
_SIZE: Final = 600


class Connection(asyncio.Protocol):
    """Sends what it is given, and notes when each answer came."""

    def __init__(self) -> None:
        self.due = deque[float]()
        self.used = 0.0
        self.took = list[float]()
        self.statuses = Counter[str]()
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes, due: float) -> None:
        self.due.append(due)
        self.used = due
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        now, self._seen = time.perf_counter(), self._seen + data
        end = 0
        for match in _STATUS.finditer(self._seen):
            self.statuses[match[1].decode()] += 1
            self.took.append(now - self.due.popleft())
            end = match.end()
        self._seen = self._seen[end:][-len(b"HTTP/1.1 200 ") :]

    def close(self) -> None:
        self._transport.close()


class Sender:
    """One party: its requests, on connections of its own."""

    def __init__(self, *, forged: bool) -> None:
        self._forged = forged
        self._prefix = os.urandom(6).hex().encode()
        self._number = 0
        self.unsent = 0
        """What was due while every connection was behind."""

    def request(self) -> bytes:
        self._number += 1
        order = b"%s-%012d" % (self._prefix, self._number)
        body = (_BODY % (order, order)).ljust(_SIZE - 2, b"x") + b'"}'
        secret, address = (b"a guess", b"198.51.100.66") if self._forged else (SECRET, b"203.0.113.7")
        signature = hmac.digest(secret, body, "sha256").hex().encode()
        return (
            b"POST /webhooks/acme HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"X-Forwarded-For: %s\r\nX-Webhook-Signature: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (address, signature, len(body), body)
        )

    async def run(self, port: int, rate: float, seconds: float) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(_CONNECTIONS)]
        connections = [connection for _, connection in made]
        began = time.perf_counter()
        for number in range(round(rate * seconds)):
            due = began + number / rate
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            # Of several alike the one that waited longest: the server parts with a connection that nobody uses.
            connection = min(connections, key=lambda one: (len(one.due), one.used))
            if len(connection.due) < _MOST_BEHIND:
                connection.send(self.request(), due)
            else:
                self.unsent += 1
                await asyncio.sleep(0)
        await self._answered(connections)
        return self._result(connections, time.perf_counter() - began)

    async def _answered(self, connections: list[Connection]) -> None:
        for _ in range(_LOOKS):
            if any(connection.due for connection in connections):
                await asyncio.sleep(_LOOK_EVERY_S)
        for connection in connections:
            connection.close()

    def _result(self, connections: list[Connection], spent: float) -> dict[str, object]:
        took = sorted(one for connection in connections for one in connection.took)
        statuses = Counter[str]()
        for connection in connections:
            statuses += connection.statuses
        return {
            "sent": self._number,
            "unsent": self.unsent,
            "statuses": dict(statuses),
            "rate": len(took) / spent,
            "p50": took[len(took) // 2],
            "p99": took[len(took) * 99 // 100],
            "longest": took[-1],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--forged", action="store_true")
    chosen = parser.parse_args()
    sender = Sender(forged=chosen.forged)
    print(json.dumps(uvloop.run(sender.run(chosen.port, chosen.rate, chosen.seconds))), flush=True)


if __name__ == "__main__":
    main()
