"""Whatever a supplier's API does, a run ends in time, nothing moves, and the operator hears why."""

import asyncio
import datetime as dt
import gzip
import json
import ssl
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.actions.raw_server import Peer, raw_server
from tests.polling.answering import BODY, Answer, always, ask_raw, dripping, gigabyte, hanging_up, response, silent
from tests.polling.asking import actions_of, api, arrive, asking, order_of, poll_of, run, said
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.orders import OrderStatus
from webhookctl.core.outcomes import Asked, Found, NotAnswered, PutOff, SupplierNotAsked

TWICE = gzip.compress(gzip.compress(BODY))
FAULTS: dict[str, tuple[Answer, str]] = {
    "500": (always(response("500 Oops")), "answered 500"),
    "HTML": (always(response("200 OK", b"<!doctype html>\n<p>maintenance")), "HTML instead of JSON: <!doctype html>"),
    "nothing": (silent, "did not answer within 0.3 s"),
    "a byte at a time": (dripping, "a body that broke off"),
    "a gigabyte": (gigabyte, "more than 1 MiB"),
    "gzip in gzip": (
        always(response("200 OK", TWICE, "content-encoding: gzip")),
        "compressed (gzip), which was not asked for",
    ),
    "another host": (
        always(response("302 Found", b"", "location: https://evil.example/orders")),
        "pointing to https://evil.example/orders, which is not followed",
    ),
    "no JSON": (always(response("200 OK", b"oops")), "the body is not JSON"),
    "no status": (always(response("200 OK", b'{"id": "S-1"}')), "no status"),
    "a reset": (hanging_up, "broke the connection off"),
    "no HTTP": (always(b"220 smtp.example ESMTP\r\n\r\n"), "not HTTP"),
    "a teapot": (always(response("418 Teapot")), "answered 418"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_moves_nothing_and_is_told(store: SqliteStore, name: str) -> None:
    """The order stays, the reason is a sentence, and it is asked about again later."""
    answer, words = FAULTS[name]
    arrive(store, 1)

    outcomes, _ = ask_raw(store, answer, timeout="300ms")

    reasons = [one.reason for one in outcomes if isinstance(one, NotAnswered)]
    assert len(reasons) == 1
    assert words in reasons[0]
    assert order_of(store).status is OrderStatus.PENDING
    assert actions_of(store) == []


def test_nobody_connects_to_where_a_redirect_points(store: SqliteStore) -> None:
    """A redirect to another host is an error; that host is never called."""
    arrive(store, 1)

    async def all_of_it() -> int:
        async with raw_server(always(response("200 OK", BODY))) as evil:
            redirect = response("302 Found", b"", f"location: {evil.url}/orders/S-1")
            async with raw_server(always(redirect)) as server, aclosing(Outbound()) as outbound:
                await run(poll_of(store, asking(api(server.url), outbound)), applied=store)
            return len(evil.connections)

    assert asyncio.run(all_of_it()) == 0
    assert order_of(store).status is OrderStatus.PENDING


def test_a_hiccup_is_tried_again_in_the_same_run(store: SqliteStore) -> None:
    """Once a supplier has answered, a 500 in between is tried again, with backoff."""
    arrive(store, 1, 2)
    ok = response("200 OK", json.dumps(said("S-1", "open")).encode())
    two = response("200 OK", json.dumps(said("S-2", "done", "CODE-2")).encode())

    outcomes, _ = ask_raw(store, always(ok, response("500 Oops"), two), concurrency=1)

    assert Found("acme", "R-2", "pending", "fulfilled") in outcomes


def test_a_supplier_that_breaks_down_is_left_alone(store: SqliteStore) -> None:
    """Three answers in a row that are of no use, and nothing more is asked; the orders keep their turn."""
    arrive(store, *range(1, 400))

    outcomes, _ = ask_raw(store, always(response("500 Oops")))

    assert sum(isinstance(one, NotAnswered) for one in outcomes) == 3
    assert sum(isinstance(one, SupplierNotAsked) for one in outcomes) == 1
    later = store.leases.count_stale_orders("acme", older_than=_now(), now=_now())
    assert later == 396


def _now() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_refused_credentials_stop_the_supplier(store: SqliteStore, status: str) -> None:
    """401 and 403 end the run after one question, with a sentence: asking on may lock us out."""
    arrive(store, *range(1, 100))

    outcomes, connections = ask_raw(store, always(response(status)))

    (stopped,) = [one for one in outcomes if isinstance(one, SupplierNotAsked)]
    assert "our credentials are not accepted" in stopped.reason
    assert connections == 1
    assert not [one for one in outcomes if isinstance(one, NotAnswered)]


def test_retry_after_stops_the_run_and_is_kept_to(store: SqliteStore) -> None:
    """429 with a long Retry-After ends the run; the time is remembered for the next one, and clamped to an hour."""
    arrive(store, *range(1, 10))
    busy = always(response("429 Too Many Requests", b"", "retry-after: 999999"))

    outcomes, _ = ask_raw(store, busy)

    standing = store.leases.standing("acme")
    assert any(isinstance(one, SupplierNotAsked) and "left alone" in one.reason for one in outcomes)
    assert standing.not_before is not None
    assert 3_500_000 < standing.not_before - _now() <= 3_600_000


def test_a_short_retry_after_is_waited_for(store: SqliteStore) -> None:
    """429 with a second to wait, given as a date, is waited for within the run; then the answer counts."""
    arrive(store, 1)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    busy = response("429 Too Many Requests", b"", f"retry-after: {at:%a, %d %b %Y %H:%M:%S} GMT")
    began = time.monotonic()

    outcomes, _ = ask_raw(store, always(busy, response("200 OK", BODY)), deadline_s=20)

    assert outcomes == [Found("acme", "R-1", "pending", "fulfilled")]
    assert time.monotonic() - began >= 0.9


def test_429_without_an_end_does_not_hold_a_run(store: SqliteStore) -> None:
    """A supplier that answers 429 for ten minutes ends the run by its deadline, and is told."""
    arrive(store, *range(1, 50))
    began = time.monotonic()

    outcomes, _ = ask_raw(store, always(response("429 Too Many Requests")), deadline_s=1)

    assert any(isinstance(one, SupplierNotAsked) for one in outcomes)
    assert time.monotonic() - began < 10


def test_the_deadline_ends_a_run(store: SqliteStore) -> None:
    """What was not asked by the deadline is given back at once, for the next run to take."""
    arrive(store, *range(1, 100))

    async def slow(peer: Peer) -> None:
        while True:
            await peer.request()
            await asyncio.sleep(0.2)
            await peer.say(response("200 OK", json.dumps(said("S-1", "open", reference=None, id=None)).encode()))

    outcomes, _ = ask_raw(store, slow, deadline_s=1, concurrency=2)

    put_off = sum(isinstance(one, PutOff) for one in outcomes)
    assert put_off > 10
    assert store.leases.count_stale_orders("acme", older_than=_now(), now=_now()) > 80


def test_an_expired_certificate_is_told(store: SqliteStore, tmp_path: Path) -> None:
    """A certificate that has expired, or that nobody vouches for, is refused with a sentence."""
    arrive(store, 1)

    outcomes, _ = ask_raw(store, always(response("200 OK", BODY)), tls=_expired(tmp_path))

    (reason,) = [one.reason for one in outcomes if isinstance(one, NotAnswered)]
    assert "certificate that can't be trusted" in reason
    assert order_of(store).status is OrderStatus.PENDING


def _expired(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(long_ago)
        .not_valid_after(long_ago + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "expired.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "expired.pem")
    return context


def test_a_name_that_does_not_resolve_is_told(store: SqliteStore) -> None:
    """DNS that fails is one question and a sentence."""
    arrive(store, 1, 2)

    async def all_of_it() -> list[Asked]:
        async with aclosing(Outbound()) as outbound:
            return await run(poll_of(store, asking(api("https://nowhere.invalid"), outbound)))

    (reason,) = [one.reason for one in asyncio.run(all_of_it()) if isinstance(one, NotAnswered)]
    assert "can't be resolved" in reason


def test_clocks_that_differ_change_nothing(store: SqliteStore) -> None:
    """A supplier whose clock is two hours off, either way, has its orders moved all the same."""
    arrive(store, 1, 2)
    moments = [dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours) for hours in (-2, 2)]
    answers = [
        response("200 OK", json.dumps(said(f"S-{n}", "done", f"C-{n}", updated=moment.isoformat())).encode())
        for n, moment in enumerate(moments, 1)
    ]
    places = {"occurred_at": "/updated", "order_id": "/id", "status": "/status", "items": "/items/*", "code": "/code"}

    outcomes, _ = ask_raw(store, always(*answers), concurrency=1, map=places)

    assert sum(isinstance(one, Found) for one in outcomes) == 2
    assert order_of(store).status is OrderStatus.FULFILLED


def test_the_same_page_for_ever_is_an_error(store: SqliteStore) -> None:
    """Paging that never gets on ends with a sentence, not with a full memory."""
    arrive(store, 1)
    fulfilled = response("200 OK", json.dumps(said("S-1", "done")).encode())
    page = response("200 OK", json.dumps([{"serial": "A"}, {"serial": "B"}]).encode())
    then = {"path": "/orders/{order_id}/keys?page={page}", "page_size": 2, "map": {"items": "/*", "code": "/serial"}}

    outcomes, _ = ask_raw(store, always(fulfilled, page, page), then=then)

    (reason,) = [one.reason for one in outcomes if isinstance(one, NotAnswered)]
    assert "the same page again and again" in reason
    assert order_of(store).status is OrderStatus.PENDING


def test_an_id_never_becomes_another_path(store: SqliteStore) -> None:
    """An order id that would be another path can't be asked about; slashes and blanks are encoded."""
    arrive(store, 1, 2)
    with store.connection.writing() as raw:
        raw.execute("UPDATE orders SET order_id = '..' WHERE reference = 'R-1'")
        raw.execute("UPDATE orders SET order_id = 'S 2/?#' WHERE reference = 'R-2'")
    seen = list[str]()

    async def answer(peer: Peer) -> None:
        while True:
            seen.append((await peer.request())[0])
            await peer.say(response("404 Not Found"))

    ask_raw(store, answer)

    assert seen == ["GET /orders/S%202%2F%3F%23 HTTP/1.1"]
