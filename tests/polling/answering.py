"""APIs that answer as they should not: each a way to treat whoever asks."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

from tests.actions.raw_server import Peer, raw_server
from tests.polling.asking import api, asking, poll_of, run, said
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.outcomes import Asked

BODY = json.dumps(said("S-1", "done", "CODE-1")).encode()
Answer = Callable[[Peer], Awaitable[None]]


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(*answers: bytes) -> Answer:
    """Answer each request of a connection with the next of `answers`, the last for ever."""
    turn = iter(answers)

    async def answer(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(next(turn, answers[-1]))

    return answer


def ask_raw(
    store: SqliteStore, answer: Answer, *, deadline_s: float = 5.0, tls: ssl.SSLContext | None = None, **changes: object
) -> tuple[list[Asked], int]:
    """Run once against a raw server; return what came of it and how many connections there were."""

    async def all_of_it() -> tuple[list[Asked], int]:
        async with raw_server(answer, tls) as server, aclosing(Outbound()) as outbound:
            poll = poll_of(store, asking(api(server.url, **changes), outbound), deadline_s)
            return await run(poll, applied=store), len(server.connections)

    return asyncio.run(all_of_it())


async def silent(peer: Peer) -> None:
    await peer.request()
    await asyncio.sleep(60)


async def dripping(peer: Peer) -> None:
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for byte in BODY * 10:
        await peer.say(bytes([byte]))
        await asyncio.sleep(0.2)


async def gigabyte(peer: Peer) -> None:
    await peer.request()
    await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
    with suppress(ConnectionError):
        for _ in range(1024):
            await peer.say(b" " * (1 << 20))


async def hanging_up(peer: Peer) -> None:
    await peer.request()
    peer.reset()
