"""The listener for this machine alone: health, metrics, and the shop's own word about its orders.

    GET  /healthz   200 while deliveries can be kept, 503 and why while not
    GET  /metrics   for Prometheus
    POST /orders    one order as a JSON object, with `Authorization: Bearer TOKEN`; saying it twice changes nothing

Without a token there is no /orders.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from webhookctl.core.errors import StoreError

MOST: Final = 64 * 1024
"""Bytes of an order."""
_BEARER: Final = "bearer"


Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI; uvicorn's own types are private."""


class Reply(NamedTuple):
    """What is answered."""

    status: int
    page: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Admin:
    """What is behind the listener; each is called in a thread of its own and may wait for the store."""

    health: Callable[[], str | None]
    """Why deliveries can't be kept; None: they can."""
    metrics: Callable[[], tuple[bytes, str]]
    """The exposition and its content type."""
    register: Callable[[bytes], Reply]
    """Takes the body of POST /orders."""
    token: bytes | None

    def app(self) -> Application:
        """Return the ASGI application."""
        routes = [Route("/healthz", self._health), Route("/metrics", self._metrics)]
        if self.token is not None:
            routes.append(Route("/orders", self._orders, methods=["POST"]))
        return Starlette(routes=routes)

    async def _health(self, _request: Request) -> Response:
        why = await asyncio.to_thread(self.health)
        return _json(Reply(200, {"status": "ok"}) if why is None else Reply(503, {"status": "failing", "why": why}))

    async def _metrics(self, _request: Request) -> Response:
        try:
            body, content_type = await asyncio.to_thread(self.metrics)
        except StoreError as error:
            return PlainTextResponse(str(error), 503)
        return Response(body, media_type=content_type)

    async def _orders(self, request: Request) -> Response:
        if not self._is_allowed(request.headers.get("authorization", "")):
            return _json(Reply(401, {"error": "say the admin token: Authorization: Bearer TOKEN"}))
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if body is None:
            return _json(Reply(413, {"error": f"an order is at most {MOST} bytes"}))
        try:
            return _json(await asyncio.to_thread(self.register, body))
        except StoreError as error:
            return _json(Reply(503, {"error": str(error)}), {"retry-after": "5"})

    def _is_allowed(self, said: str) -> bool:
        kind, _, token = said.partition(" ")
        same = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self.token or b"")
        return kind.lower() == _BEARER and bool(self.token) and same


async def _body(request: Request) -> bytes | None:
    """Read the body; None where it is longer than we take."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST:
            return None
    return bytes(body)


class _Ascii(JSONResponse):
    """JSON in ASCII, so that nothing in a reference can act on whoever's terminal it comes to."""

    def render(self, content: object) -> bytes:
        return json.dumps(content).encode()


def _json(reply: Reply, headers: dict[str, str] | None = None) -> Response:
    return _Ascii(reply.page, reply.status, headers)
