"""A pretend supplier and a pretend shop, for trying out: real HTTP, made-up codes."""

import asyncio
import hmac
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson

from webhookctl.core.moments import exact

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

_PAGE: Final = 100
_LARGEST: Final = 64 * 1024
_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.5
_OK: Final = range(200, 300)


@dataclass(slots=True)
class PretendOrder:
    """An order as the supplier knows it."""

    order_id: str
    reference: str
    status: str
    updated_at: float
    code: str

    def shown(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "reference": self.reference,
            "status": self.status,
            "updated_at": exact(round(self.updated_at * 1000)),
            "items": [{"sku": "demo-20", "code": self.code if self.status == "fulfilled" else None, "pin": None}],
        }

    def webhook(self, event: str) -> bytes:
        return orjson.dumps({"event": event, "timestamp": exact(round(self.updated_at * 1000)), "data": self.shown()})


@dataclass(slots=True)
class PretendSupplier:
    """Takes orders, leads them to their end, tells of it by webhooks that may be lost, and answers who asks."""

    token: str = field(repr=False)
    now: Callable[[], float]
    """Seconds since 1970."""
    post: Callable[[bytes], Awaitable[int]]
    """Sign and post a webhook; returns the status of the answer, or raises OSError."""
    loss: float
    """The share of webhooks that are lost on the way."""
    life_s: float
    chance: random.Random = field(default_factory=random.SystemRandom)
    orders: dict[str, PretendOrder] = field(default_factory=dict, init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False)
    """Of webhooks: `sent`, `lost`; of questions: `asked`."""
    _lives: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def place(self, reference: str) -> PretendOrder:
        """Take an order; its life begins."""
        order = PretendOrder(f"SUP-{len(self.orders) + 1}", reference, "pending", self.now(), _code())
        self.orders[order.order_id] = order
        life = asyncio.get_running_loop().create_task(self._live(order))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        return order

    async def aclose(self) -> None:
        """End all lives."""
        lives = list(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

    async def _live(self, order: PretendOrder) -> None:
        await self._tell(order, "order.created")
        await asyncio.sleep(self.life_s * (0.5 + self.chance.random()))
        order.status, order.updated_at = "fulfilled", self.now()
        await self._tell(order, "order.fulfilled")

    async def _tell(self, order: PretendOrder, event: str) -> None:
        if self.chance.random() < self.loss:
            self.counts["lost"] += 1
            return
        body = order.webhook(event)
        for attempt in range(_TRIES):
            try:
                if await self.post(body) in _OK:
                    break
            except OSError:
                pass
            await asyncio.sleep(_FIRST_WAIT_S * 2**attempt)
        self.counts["sent"] += 1

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        assert scope["type"] == "http"  # noqa: S101 - the server is started without a lifespan and websockets
        body = await _body(receive)
        if not self._is_admitted(scope):
            await _answer(send, 401, {"error": "unauthorized"})
            return
        await _answer(send, *self._answered(scope["method"], scope["path"], scope["query_string"].decode(), body))

    def _is_admitted(self, scope: "HTTPScope") -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())

    def _answered(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        if method == "POST" and path == "/orders":
            return self._placed(body)
        self.counts["asked"] += 1
        if path == "/orders":
            return 200, {"orders": [order.shown() for order in self._listed(parse_qs(query))]}
        name = path.removeprefix("/orders/")
        by_reference = name.removeprefix("by-reference/")
        if by_reference != name:
            order = next((one for one in self.orders.values() if one.reference == by_reference), None)
        else:
            order = self.orders.get(name)
        return (404, {"error": "no such order"}) if order is None else (200, order.shown())

    def _placed(self, body: bytes) -> tuple[int, Any]:
        try:
            reference = orjson.loads(body)["reference"]
        except (ValueError, KeyError, TypeError):
            reference = None
        if not isinstance(reference, str) or not reference:
            return 400, {"error": 'send {"reference": "ORD-1"}'}
        return 201, self.place(reference).shown()

    def _listed(self, query: dict[str, list[str]]) -> Sequence[PretendOrder]:
        if "ids" in query:
            names = query["ids"][0].split(",")
            return [self.orders[name] for name in names if name in self.orders]
        page = query.get("page", ["1"])[0]
        start = (int(page) - 1 if page.isdigit() else 0) * _PAGE
        return list(self.orders.values())[max(start, 0) : max(start, 0) + _PAGE]


@dataclass(slots=True)
class PretendShop:
    """Takes deliveries, and remembers each."""

    delivered: Counter[str] = field(default_factory=Counter, init=False)
    """How often an order's code came under another `webhook-id` than before: one each is right."""
    codes: dict[str, list[str]] = field(default_factory=dict, init=False)
    _seen: set[str] = field(default_factory=set, init=False)

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        assert scope["type"] == "http"  # noqa: S101 - the server is started without a lifespan and websockets
        document = orjson.loads(await _body(receive))
        if document["type"] == "deliver" and document["id"] not in self._seen:
            self._seen.add(document["id"])
            self.delivered[document["reference"]] += 1
            self.codes[document["reference"]] = [item["code"] for item in document["order"]["items"]]
        await _answer(send, 200, {})


async def _body(receive: "ASGIReceiveCallable") -> bytes:
    body = b""
    while len(body) <= _LARGEST:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message["body"]
        if not message["more_body"]:
            break
    return body


async def _answer(send: "ASGISendCallable", status: int, value: Any) -> None:  # noqa: ANN401 - any JSON value
    body = orjson.dumps(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _code() -> str:
    return "-".join(secrets.token_hex(3).upper() for _ in range(3))
