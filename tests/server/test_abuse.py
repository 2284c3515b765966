"""Whatever comes over a socket: no hang, no traceback, no 5xx but 503, and nothing stored that is not proven."""

import fcntl
import hmac
import re
import socket
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhookctl.core.deliveries import Verified
from webhookctl.core.outcomes import Stored
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.server.limits import Limits
from webhookctl.server.receiver import SupplierDoor

from .serving import SECRET, Client, ask, raw, request, served
from .test_conformance import everything, say
from .test_protocol import is_served, stored, until
from .test_receiver import _neutral as neutral

TCP_REPAIR: Final = 19
NOW_S: Final = 1_700_000_000
TIMED: Final = Scheme.parse(
    {
        "signature_header": "X-Webhook-Signature",
        "timestamp_header": "X-Timestamp",
        "signed": "{timestamp}.{body}",
        "tolerance": "5m",
    }
)


@dataclass
class Shop:
    """A running server, and the bodies that it stored."""

    port: int
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    found = Shop(0)

    def accept(batch: Sequence[Verified]) -> list[Stored]:
        found.bodies += [verified.delivery.body for verified in batch]
        return [Stored("acme") for _ in batch]

    with served(accept, limits=Limits(head_s=0.3, body_s=0.3)) as server:
        found.port = server.port
        yield found


def statuses(heard: bytes) -> set[int]:
    return {int(line[9:12]) for line in heard.split(b"\r\n") if re.match(rb"HTTP/1\.1 [0-9]{3} ", line)}


# Lines and pieces that requests are made of, right and wrong ones, in any order.
PIECES: Final = st.one_of(
    st.sampled_from(
        [
            b"POST /webhooks/acme HTTP/1.1\r\n",
            b"GET /webhooks/acme HTTP/1.1\r\n",
            b"Host: shop.example\r\n",
            b"Content-Length: 1\r\n",
            b"Content-Length: 0\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
            b"X-Webhook-Signature: " + b"0" * 64 + b"\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\x00",
            b"0\r\n\r\n",
            b"1\r\na\r\n",
            b"a",
        ]
    ),
    st.binary(max_size=12),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=14))
def test_any_bytes(shop: Shop, pieces: list[bytes]) -> None:
    """Refused or not heard to the end, and nothing is stored; the next one is served."""
    shop.bodies.clear()
    with Client(shop.port) as client:
        say(client, b"".join(pieces), apart=False)
        with suppress(OSError):
            client.sock.shutdown(socket.SHUT_WR)
        heard = everything(client)

    assert statuses(heard) <= {100, 400, 404, 405, 408, 413, 415, 417, 431}
    assert shop.bodies == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_body_that_is_signed_is_kept(shop: Shop, body: bytes, cut: int) -> None:
    """As it is, whatever it holds and wherever it is torn; the same body without its signature is rejected."""
    shop.bodies.clear()
    data = request(body)
    with Client(shop.port) as client:
        client.send(data[: len(data) - cut])
        kept = client.ask(data[len(data) - cut :])
        rejected = client.ask(raw("POST /webhooks/acme", body=body))

    assert (kept.status, rejected.status, shop.bodies) == (200, 400, [body])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80).filter(lambda value: not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value)))
def test_any_signature_that_is_none(shop: Shop, value: bytes) -> None:
    """400, whatever bytes a header may hold."""
    head = b"POST /webhooks/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nX-Webhook-Signature: " + value
    with Client(shop.port) as client:
        answer = client.ask(head + b"\r\n\r\na")

    assert neutral(answer) == (400, {"content-type": "text/plain", "content-length": "9"}, b"rejected\n")


GOOD: Final = hmac.digest(SECRET, b"a", "sha256").hex()


@pytest.mark.parametrize(
    "headers",
    [
        (f"X-Webhook-Signature: {GOOD}", f"X-Webhook-Signature: {GOOD}"),
        (f"X-Webhook-Signature: {GOOD}", "X-Webhook-Signature: " + "0" * 64),
        ("X-Webhook-Signature: " + "0" * 64, f"X-Webhook-Signature: {GOOD}"),
        (f"X-Webhook-Signature: {GOOD}{GOOD}",),
        (f"X-Webhook-Signature: {GOOD}00",),
        (f"X-Webhook-Signature: {GOOD[:-1]}",),
        (f"X-Webhook-Signature: {GOOD}, {GOOD}",),
        (f"X-Webhook-Signature: {GOOD[:32]} {GOOD[32:]}",),
    ],
    ids=["twice", "good and bad", "bad and good", "two in one", "long", "short", "a list", "with a blank"],
)
def test_a_signature_that_could_be_read_in_two_ways(shop: Shop, headers: tuple[str, ...]) -> None:
    """A good one with anything more or less is none."""
    shop.bodies.clear()
    answer = ask(shop.port, raw("POST /webhooks/acme", *headers, body=b"a"))

    assert (answer.status, answer.body, shop.bodies) == (400, b"rejected\n", [])


TIMESTAMPS: Final = {
    "right": (str(NOW_S), 200),
    "a little late": (str(NOW_S - 299), 200),
    "missing": (None, 400),
    "empty": ("", 400),
    "old": (str(NOW_S - 301), 400),
    "in the future": (str(NOW_S + 301), 400),
    "milliseconds": (f"{NOW_S}000", 400),
    "nan": ("nan", 400),
    "an exponent": ("1.7e9", 400),
    "a sign": (f"+{NOW_S}", 400),
    "a fraction": (f"{NOW_S}.0", 400),
    "underscores": ("1_700_000_000", 400),
    "hex": (hex(NOW_S), 400),
    "arabic digits": (str(NOW_S).translate({48 + n: 0x660 + n for n in range(10)}), 400),
    "superscripts": ("\xb2\xb9", 400),
    "400 digits": ("1" * 400, 400),
    "below nothing": (f"-{NOW_S}", 400),
}


@pytest.mark.parametrize("case", TIMESTAMPS)
def test_timestamps(case: str) -> None:
    """Whole seconds in ASCII, near our clock; all else is rejected in the same words, however well it is signed."""
    written, status = TIMESTAMPS[case]
    text = (written or "").encode()
    signature = hmac.digest(SECRET, text + b".a", "sha256").hex()
    door = SupplierDoor("acme", TIMED, TIMED.keys([Secret(SECRET, "env:SECRET")]))
    lines = [
        b"POST /webhooks/acme HTTP/1.1",
        b"Host: x",
        b"Content-Length: 1",
        b"X-Webhook-Signature: " + signature.encode(),
    ]
    lines += [] if written is None else [b"X-Timestamp: " + text]
    with served(stored, acme=door, now=lambda: 1000 * NOW_S) as server:
        answer = ask(server.port, b"\r\n".join([*lines, b"", b"a"]))

    assert (answer.status, answer.body) == ((200, b"") if status == 200 else (400, b"rejected\n"))


def vanish(client: Client) -> None:
    """Have the client's machine lose its power, so that the other side hears nothing of it, where this user can."""
    # Were an acknowledgement still on its way, the system would answer it with a reset, and all would be over at once.
    until(lambda: not unacknowledged(client))
    try:
        client.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except OSError:
        return
    client.sock.close()


def unacknowledged(client: Client) -> int:
    """Return how many bytes of what the client sent have not been acknowledged by the other side's system."""
    return int.from_bytes(fcntl.ioctl(client.sock, termios.TIOCOUTQ, b"\0" * 4), sys.byteorder)


@pytest.mark.parametrize(
    "said",
    [b"", request(b"x" * 100)[:40], request(b"x" * 100)[:-50], b"POST /webhooks/acme HTTP/1.1\r\nTransfer-Encoding: c"],
    ids=["nothing", "half a head", "half a body", "half a header"],
)
def test_whoever_vanished_is_not_waited_for(said: bytes) -> None:
    """A connection whose other end is gone without a word ends in time, and its place is another's."""
    limits = Limits(connections=2, head_s=0.5, body_s=0.5, answer_s=0.5)
    with served(stored, limits=limits) as server, Client(server.port) as used, Client(server.port) as unused:
        used.ask(request(b"1"))
        for client in (used, unused):
            client.send(said)
            vanish(client)  # where it can't, whoever is silent to the end of this looks the same from there
        until(lambda: is_served(server.port))  # fails where it never is
