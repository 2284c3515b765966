"""One server to measure, as a process: `python -m tests.benchmarks.served STORE [--max-batch N]`, or `bare`.

Prints its port when it answers; ends at SIGTERM, as the real one does.
"""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any, Final

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.adapters.telemetry import configure_logging, record
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.flows.receive import Receive
from webhookctl.server.batcher import MAX_BATCH, Batcher
from webhookctl.server.receiver import Receiver, SupplierDoor
from webhookctl.server.run import listen_on, run, serve, stopped_by_signals
from webhookctl.suppliers import preset

SECRET: Final = b"a secret of thirty-two characters"
KEY: Final = bytes(range(32))


async def bare(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI messages
    """Read the request, answer 200, do nothing."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def the_door() -> SupplierDoor:
    table = preset("generic")
    scheme = Scheme.parse({name: value for name, value in table.items() if name in Scheme.KEYS})
    return SupplierDoor("acme", scheme, scheme.keys([Secret(SECRET, "env:SECRET")]))


async def serve_bare(port: int) -> None:
    until = asyncio.Event()
    sock = listen_on("127.0.0.1", port)
    bound = sock.getsockname()[1]
    with stopped_by_signals(until):
        await serve(bare, sock=sock, until=until, started=lambda _: print(bound, flush=True))


async def serve_store(path: Path, port: int, max_batch: int, busy_ms: int) -> None:
    until = asyncio.Event()
    sock = listen_on("127.0.0.1", port)
    bound = sock.getsockname()[1]
    store = open_store(path, AesGcmCipher([KEY]), create=True, busy_ms=busy_ms)
    with stopped_by_signals(until):
        batcher = Batcher(Receive(store.intake).accept, max_batch=max_batch, on_broken=lambda _: until.set())
        app = Receiver({"acme": the_door()}, batcher.submit, lambda: time.time_ns() // 1_000_000, record=record)
        await serve(app, sock=sock, until=until, started=lambda _: print(bound, flush=True))
        await batcher.close()
    store.close()
    if batcher.broken:
        raise batcher.broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", help="the store's file, or `bare`")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--max-batch", type=int, default=MAX_BATCH)
    parser.add_argument("--busy-ms", type=int, default=2_500)
    chosen = parser.parse_args()
    configure_logging()
    if chosen.store == "bare":
        run(serve_bare(chosen.port))
    else:
        run(serve_store(Path(chosen.store), chosen.port, chosen.max_batch, chosen.busy_ms))


if __name__ == "__main__":
    main()
