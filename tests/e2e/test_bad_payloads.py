"""Signed and unreadable: kept, answered 200, shown with its reason, and no harm to what follows."""

import hmac
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.program import PATIENCE_S, Program, Serving, free_port, until

EVIL: Final = "\x1b]0;owned\x07\x1b[2J\x9b31m[red][/x][link=file:///]\u202e\u2028\x00\r\n\x7f=cmd()"


def event(**changed: object) -> bytes:
    """Return an order.fulfilled that is right but for what is `changed`."""
    item = {"sku": "steam-20-usd", "code": "AAAAA-BBBBB-CCCCC", "pin": None}
    data = {"order_id": "SUP-1", "reference": "ORD-1", "status": "fulfilled", "items": [item]}
    payload = {"event": "order.fulfilled", "timestamp": "2026-05-01T14:23:11Z", "data": data}
    inner = {key.removeprefix("data_"): value for key, value in changed.items() if key.startswith("data_")}
    outer = {key: value for key, value in changed.items() if not key.startswith("data_")}
    return json.dumps(payload | {"data": data | inner} | outer).encode()


def spliced(written: str) -> bytes:
    """Return an order.failed with a member that no JSON library of ours would write."""
    return b'{"event":"order.failed","data":{"reference":"ORD-1","extra":' + written.encode() + b"}}"


# What comes correctly signed, the state it ends in, and words of the reason.
BAD: Final[dict[str, tuple[bytes, str, str]]] = {
    "nothing": (b"", "dead", "not JSON"),
    "blanks": (b" \n ", "dead", "not JSON"),
    "not JSON": (b"event=order.created&reference=ORD-1", "dead", "not JSON"),
    "XML": (b"<event>order.created</event>", "dead", "not JSON"),
    "half": (event()[:-20], "dead", "not JSON"),
    "two": (event() + event(), "dead", "not JSON"),
    "a comma too many": (event()[:-1] + b",}", "dead", "not JSON"),
    "NaN": (spliced("NaN"), "dead", "not JSON"),
    "infinity": (spliced("-Infinity"), "dead", "not JSON"),
    "10,000 deep": (spliced("[" * 10_000 + "]" * 10_000), "dead", "too deeply"),
    "10,000 deep and open": (b"[" * 10_000, "dead", "too deeply"),
    "invalid UTF-8": (event().replace(b"SUP-1", b"SUP-\xff\xfe"), "dead", "not UTF-8"),
    "UTF-16": (event().decode().encode("utf-16"), "dead", "not UTF-8"),
    "a BOM": (b"\xef\xbb\xbf" + event(), "dead", "byte order mark"),
    "NUL": (event().replace(b"SUP-1", b"SUP-\x00"), "dead", "not JSON"),
    "a raw escape": (event().replace(b"SUP-1", b"\x1b[2J"), "dead", "not JSON"),
    "a lone surrogate": (event(data_order_id="X").replace(b'"X"', b'"\\ud800"'), "dead", "surrogate"),
    "a list": (b"[" + event() + b"]", "dead", "no event type"),
    "a text": (b'"order.created"', "dead", "no event type"),
    "a number": (b"1", "dead", "no event type"),
    "null": (b"null", "dead", "no event type"),
    "no type": (b"{}", "dead", "no event type"),
    "type of another type": (event(event=["order.fulfilled"]), "dead", "a list, not a text"),
    "a type nobody knows": (event(event="order.exploded"), "ignored", "says nothing about an order"),
    "a type of escapes": (event(event=EVIL), "ignored", "says nothing about an order"),
    "type and status that contradict": (event(data_status="failed"), "dead", "contradict"),
    "a status nobody knows": (event(data_status="exploded"), "done", "is not known"),
    "no reference": (event(data_reference=None), "dead", "reference"),
    "an empty reference": (event(data_reference=""), "dead", "reference"),
    "a reference of another type": (event(data_reference={"a": 1}), "dead", "reference"),
    "no data": (event(data=None), "dead", "no reference"),
    "data of another type": (event(data="x"), "dead", "no reference"),
    "a reference of 10,000 letters": (event(data_reference="x" * 10_000), "dead", "reference"),
    "a code of another type": (event(data_items=[{"sku": "x", "code": {"a": 1}}]), "dead", "an object, not a text"),
    "two references": (event().replace(b'"reference"', b'"reference": "ORD-2", "reference"'), "dead", "twice"),
    "two types": (event().replace(b'"event"', b'"event": "order.failed", "event"'), "dead", "twice"),
}
# Odd, and right: it means what it says.
ODD: Final[dict[str, bytes]] = {
    "a number of a million digits": spliced("1" * 1_000_000),
    "a number beyond floats": spliced("1e999"),
    "members twice that nobody asks for": spliced('{"a": 1, "a": 2}'),
    "escapes in every field": event(
        data_reference=EVIL, data_order_id=EVIL, data_items=[{"sku": EVIL, "code": EVIL, "pin": EVIL}]
    ),
    "items that are none": event(data_items="x", data_reference="ORD-3"),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Serving, "Posted"]]:
    """One `serve` for all: whatever came before must not matter."""
    program = Program(tmp_path_factory.mktemp("demo"))
    with program.serve("--listen", f"127.0.0.1:{free_port()}") as serving:
        yield program, serving, Posted(program.folder, serving)


class Posted:
    """The supplier `demo`."""

    def __init__(self, folder: Path, serving: Serving) -> None:
        self._secret = (folder / "demo.secret").read_text().strip().encode()
        self._address = serving.url.removeprefix("http://")

    def __call__(self, body: bytes, *, signed: bool = True) -> int:
        headers = {"X-Webhook-Signature": hmac.digest(self._secret, body, "sha256").hex()} if signed else {}
        connection = http.client.HTTPConnection(self._address, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/webhooks/demo", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def handled(program: Program, number: int) -> Iterator[list[dict[str, Any]]]:
    """Yield, newest first, the events of what is done within, once `number` of them are handled."""
    before = len(program.json("events", "list", "--limit", "1000"))
    news = list[dict[str, Any]]()
    yield news

    def done() -> bool:
        found = program.json("events", "list", "--limit", "1000")
        news[:] = found[: len(found) - before]
        return len(news) >= number and all(one["state"] != "queued" for one in news)

    until(done, f"{number} events are handled")


def test_what_can_not_be_read_is_kept_and_shown(demo: tuple[Program, Serving, Posted]) -> None:
    """Each is answered 200, and is dead or ignored with its reason; the good event behind them is handled."""
    program, serving, post = demo
    with handled(program, len(BAD) + 1) as news:
        statuses = {name: post(body) for name, (body, *_) in BAD.items()}
        assert post(b'{"event":"order.created","data":{"reference":"GOOD-1"}}') == 200

    assert statuses == dict.fromkeys(BAD, 200)
    good, *bad = news
    assert (good["state"], good["reference"]) == ("done", "GOOD-1")
    told = dict(zip(BAD, reversed(bad), strict=True))
    assert {name: told[name]["state"] for name in BAD} == {name: state for name, (_, state, _) in BAD.items()}
    unsaid = {name: told[name]["reason"] for name, (_, _, words) in BAD.items() if words not in told[name]["reason"]}
    assert unsaid == {}
    assert all(one["reason"] for one in bad)
    assert [one["reference"] for one in program.json("orders", "list")] == ["GOOD-1"]
    assert serving.process.poll() is None
    assert_harmless(program, serving, news)


def test_what_is_odd_and_right_means_what_it_says(demo: tuple[Program, Serving, Posted]) -> None:
    """Each moves its order; what is shown of it can't act on a terminal."""
    program, serving, post = demo
    with handled(program, len(ODD)) as news:
        assert {name: post(body) for name, body in ODD.items()} == dict.fromkeys(ODD, 200)

    assert {name: one["state"] for name, one in zip(ODD, reversed(news), strict=True)} == dict.fromkeys(ODD, "done")
    assert {EVIL, "ORD-1", "ORD-3"} <= {one["reference"] for one in program.json("orders", "list")}
    assert_harmless(program, serving, news)


def assert_harmless(program: Program, serving: Serving, events: list[dict[str, Any]]) -> None:
    """Show `events` and everything else, and look for what could act on a terminal, and for codes."""
    pages = [program.ok("events", "show", str(one["id"])) for one in events[::6]]
    pages += [program.ok("events", "list", "--limit", "1000"), program.ok("orders", "list"), program.ok("status")]
    pages += [
        program.ok("orders", "show", one["reference"])
        for one in program.json("orders", "list")
        if "\0" not in one["reference"]
    ]
    for page in [*pages, serving.words]:
        assert {letter for letter in page if not letter.isprintable()} <= {"\n", "\t"}
        assert "AAAAA-BBBBB" not in page
        assert "Traceback" not in page


def test_nothing_unsigned_is_kept(demo: tuple[Program, Serving, Posted]) -> None:
    """The same bodies without a signature: 400, no row, whatever they hold."""
    program, serving, post = demo
    before = program.json("status")["events"]
    statuses = {
        name: post(body, signed=False) for name, body in {**{n: b for n, (b, *_) in BAD.items()}, **ODD}.items()
    }

    assert set(statuses.values()) == {400}
    assert program.json("status")["events"] == before
    assert "Traceback" not in serving.words
