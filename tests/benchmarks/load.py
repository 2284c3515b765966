"""A supplier in a hurry, as a process: `python -m tests.benchmarks.load PORT CONNECTIONS SECONDS` prints one JSON line.

Keep-alive connections, on each of which a signed body of 600 bytes, different every time, follows the last answer.
"""

import argparse
import asyncio
import hmac
import json
import os
import time
from collections import Counter
from itertools import count
from typing import Final, cast

import uvloop

from .served import SECRET

_END: Final = b"\r\n\r\n"
_OK: Final = b"HTTP/1.1 200"
_BODY: Final = (
    b'{"event":"order.fulfilled","timestamp":"2026-05-01T10:00:00Z","data":{"order_id":"%s","reference":"%s",'
    b'"status":"fulfilled","items":[{"sku":"STEAM-20-EUR","code":"AAAAA-BBBBB-CCCCC"}]},"padding":"'
)
_SIZE: Final = 600


class Supplier:
    """What all connections share."""

    def __init__(self, seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.ends = time.perf_counter() + seconds
        self.took = list[float]()
        self.statuses = Counter[str]()
        self._numbers = count()
        self._prefix = os.urandom(6).hex()

    def request(self) -> bytes:
        order = b"%s-%012d" % (self._prefix.encode(), next(self._numbers))
        body = (_BODY % (order, order)).ljust(_SIZE - 2, b"x") + b'"}'
        signature = hmac.digest(SECRET, body, "sha256").hex().encode()
        return (
            b"POST /webhooks/acme HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"User-Agent: supplier/1.0\r\nX-Webhook-Signature: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (signature, len(body), body)
        )


class Connection(asyncio.Protocol):
    """Sends the next request when the last is answered, until time is up; an answer has no body but a refusal."""

    def __init__(self, supplier: Supplier) -> None:
        self._supplier = supplier
        self._seen = b""
        self._began = 0.0
        self.ended = supplier.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        data = self._supplier.request()
        self._began = time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if _END not in self._seen:
            return
        now = time.perf_counter()
        head, _, rest = self._seen.partition(_END)
        self._supplier.statuses[head[9:12].decode()] += 1
        self._seen = b""
        if not head.startswith(_OK) or rest:  # a refusal: its body is not worth reading
            self._transport.close()
            return
        self._supplier.took.append(now - self._began)
        if now < self._supplier.ends:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended.set_result(None)


async def load(port: int, connections: int, seconds: float) -> dict[str, object]:
    supplier = Supplier(seconds)
    began = time.perf_counter()
    made = await asyncio.gather(
        *(supplier.loop.create_connection(lambda: Connection(supplier), "127.0.0.1", port) for _ in range(connections))
    )
    await asyncio.gather(*(connection.ended for _, connection in made))
    spent = time.perf_counter() - began
    took = sorted(supplier.took)
    return {
        "statuses": dict(supplier.statuses),
        "rate": len(took) / spent,
        "p50": took[len(took) // 2] if took else None,
        "p99": took[len(took) * 99 // 100] if took else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    chosen = parser.parse_args()
    print(json.dumps(uvloop.run(load(chosen.port, chosen.connections, chosen.seconds))), flush=True)


if __name__ == "__main__":
    main()
