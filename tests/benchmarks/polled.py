"""A supplier's API that says pending to whatever it is asked, as fast as it can; prints its port."""

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from webhookctl.server.run import listen_on, run, serve, stopped_by_signals

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope


async def pending(scope: "Scope", _receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
    """Answer /orders/S-1, and /orders?ids=S-1,S-2."""
    assert scope["type"] == "http"
    if scope["query_string"]:
        ids = parse_qs(scope["query_string"].decode())["ids"][0].split(",")
        body = json.dumps({"orders": [{"id": one, "status": "open"} for one in ids]}).encode()
    else:
        body = b'{"id": "%b", "status": "open"}' % scope["path"].rpartition("/")[2].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def main() -> None:
    until = asyncio.Event()
    sock = listen_on("127.0.0.1", 0)
    port = sock.getsockname()[1]
    with stopped_by_signals(until):
        await serve(pending, sock=sock, until=until, started=lambda _: print(port, flush=True))


if __name__ == "__main__":
    run(main())
