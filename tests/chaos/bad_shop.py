"""A shop's endpoint that misbehaves once for each order, in a way that the order's reference names."""

import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_GIVES_UP_S: Final = 20


def _says(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "content-length: 0", "", "")).encode()


def _silence(peer: socket.socket) -> None:
    peer.settimeout(_GIVES_UP_S)
    peer.recv(1)  # until it hangs up


def _endless(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        peer.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


WAYS: Final[dict[str, bytes | Callable[[socket.socket], None]]] = {
    "500": _says("500 Internal Server Error"),
    "404": _says("404 Not Found"),
    "410": _says("410 Gone"),
    "429": _says("429 Too Many Requests", "retry-after: 1"),
    "503-for-ages": _says("503 Service Unavailable", "retry-after: 99999999999999999999"),
    "redirect": _says("307 Temporary Redirect", "location: /elsewhere"),
    "garbage": b"\x00\xff\x1b]0;owned\x07 no HTTP at all\r\n\r\n",
    "half-a-head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "nothing": b"",
    "reset": _reset,
    "silence": _silence,
    "endless": _endless,
}


@dataclass
class BadShop:
    """What it has seen."""

    port: int
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each reference, the `webhook-id` of each call."""
    paths: set[str] = field(default_factory=set)

    def serve_one(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            head, _, body = _request(peer).partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
            reference = json.loads(body)["reference"]
            self.paths.add(line.split(" ")[1])
            self.ids[reference].append(headers["webhook-id"])
            way = WAYS[reference] if len(self.ids[reference]) == 1 else _OK
            if callable(way):
                way(peer)
            else:
                peer.sendall(way)


def _request(peer: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += _some(peer)
    head = seen.partition(b"\r\n\r\n")[0].lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(seen) < len(head) + 4 + length:
        seen += _some(peer)
    return seen


def _some(peer: socket.socket) -> bytes:
    chunk = peer.recv(65536)
    if not chunk:
        raise ConnectionError
    return chunk


@contextmanager
def bad_shop(port: int) -> Iterator[BadShop]:
    """Keep it open on `port`: a thread and an answer for each connection."""
    shop = BadShop(port)
    with socket.create_server(("127.0.0.1", port), backlog=64) as listening:
        thread = threading.Thread(target=_accept, args=(listening, shop), daemon=True)
        thread.start()
        try:
            yield shop
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listening: socket.socket, shop: BadShop) -> None:
    with suppress(OSError):
        while True:
            peer, _ = listening.accept()
            threading.Thread(target=shop.serve_one, args=(peer,), daemon=True).start()
