"""An action as a POST to the shop, against a real server and the Standard Webhooks library."""

import asyncio
import base64
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, formatdate
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from tests.actions.raw_server import Peer, raw_server
from tests.actions.seeded import CODE, START, Clock, acting, add, deliver, only, opened, order
from tests.actions.test_outbound import TLS, refused
from webhookctl import suppliers
from webhookctl.adapters.action_http import HttpAction
from webhookctl.adapters.outbound import Outbound, retry_after
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.documents import document
from webhookctl.core.orders import Action, ActionKind, ActionState
from webhookctl.core.outcomes import Delivered, Postponed
from webhookctl.core.ports.handler import Failed, GivenUp, Repeat, Result, Succeeded, Task, Unknown
from webhookctl.core.retries import HOUR, RetryPolicy
from webhookctl.core.signatures import Scheme, Secret

RAW_SECRET = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(RAW_SECRET).decode()
ONCE, OFTEN = Repeat.AT_MOST_ONCE, Repeat.AT_LEAST_ONCE
ACTION = Action(
    "0199aa00-0000-7000-8000-000000000001",
    "acme",
    "SHOP-1",
    ActionKind.DELIVER,
    "fulfilled",
    1,
    ActionState.RUNNING,
    "",
    START,
    1,
    None,
    None,
    None,
)
TASK = Task(ACTION, document(ACTION, order("SHOP-1")), order("SHOP-1"))


def now() -> int:
    return time.time_ns() // 1_000_000


def handler(
    url: str, outbound: Outbound, repeat: Repeat = OFTEN, secret: str = SECRET, timeout_s: float = 20.0
) -> HttpAction:
    scheme = Scheme.parse(suppliers.scheme_of("standard-webhooks"))
    (key,) = scheme.keys([Secret(secret.encode(), "env:SHOP_SECRET")])
    return HttpAction(url, scheme, key, repeat, RetryPolicy(), outbound, now, timeout_s)


def handled(url: str, repeat: Repeat = OFTEN, secret: str = SECRET, timeout_s: float = 20.0) -> Result:
    async def scenario() -> Result:
        async with aclosing(Outbound(TLS)) as outbound:
            return await handler(url, outbound, repeat, secret, timeout_s).handle(TASK)

    return uvloop.run(scenario())


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_shop_verifies_it_with_the_standard_library(httpserver: HTTPServer, secret: str) -> None:
    """Any Standard Webhooks library verifies what the shop gets: the document, under the action's id."""
    got = list[Request]()

    def shop(request: Request) -> Response:
        got.append(request)
        Webhook(SECRET).verify(request.get_data(), dict(request.headers))
        return Response(status=204)

    httpserver.expect_request("/deliveries", method="POST").respond_with_handler(shop)

    result = handled(httpserver.url_for("/deliveries"), secret=secret)

    (request,) = got
    assert result == Succeeded(f"{httpserver.url_for('/deliveries')} answered 204.")
    assert request.get_data() == TASK.document
    assert request.headers["webhook-id"] == ACTION.id
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("webhookctl/")


@pytest.mark.parametrize(
    ("status", "often", "once", "alert"),
    [
        (200, Succeeded, Succeeded, False),
        (202, Succeeded, Succeeded, False),
        (299, Succeeded, Succeeded, False),
        (301, Failed, Failed, False),
        (302, Failed, Unknown, False),
        (303, Failed, Unknown, False),
        (308, Failed, Failed, False),
        (400, Failed, Failed, True),
        (401, Failed, Failed, True),
        (404, Failed, Failed, True),
        (408, Failed, Failed, False),
        (409, Failed, Failed, False),
        (410, GivenUp, GivenUp, False),
        (422, Failed, Failed, True),
        (425, Failed, Failed, False),
        (429, Failed, Failed, False),
        (500, Failed, Unknown, False),
        (502, Failed, Unknown, False),
        (503, Failed, Failed, False),
        (504, Failed, Unknown, False),
        (599, Failed, Unknown, False),
        (777, Failed, Failed, False),
    ],
)
def test_status_says_how_it_went(
    httpserver: HTTPServer, status: int, often: type[Result], once: type[Result], *, alert: bool
) -> None:
    """Each status has its meaning; where it leaves open whether there was an effect, that is not guessed."""
    httpserver.expect_request("/").respond_with_data("so it is", status=status)

    results = [handled(httpserver.url_for("/"), repeat) for repeat in (OFTEN, ONCE)]

    assert [type(result) for result in results] == [often, once]
    assert all(f"answered {status}" in result.detail for result in results)
    assert [getattr(result, "alert", False) for result in results] == [alert, alert]


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (429, "7", 7_000),
        (503, "7", 7_000),
        (503, "99999", HOUR),
        (503, "1" + "0" * 20, HOUR),
        (503, "-7", None),
        (503, "soon", None),
        (500, "7", None),
        (404, "7", None),
    ],
)
def test_retry_after_is_heard(httpserver: HTTPServer, status: int, header: str, wait: int | None) -> None:
    """A shop that is too busy or closed says when to come back, within reason; from others it means nothing."""
    httpserver.expect_request("/").respond_with_data("", status=status, headers={"Retry-After": header})

    result = handled(httpserver.url_for("/"))

    assert isinstance(result, Failed)
    assert result.retry_after_ms == wait


DATE = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""`START`, as a date."""


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (format_datetime(DATE + timedelta(seconds=90), usegmt=True), 90_000),
        (format_datetime((DATE + timedelta(seconds=90)).astimezone(timezone(timedelta(hours=2)))), 90_000),
        (format_datetime((DATE + timedelta(seconds=90)).replace(tzinfo=None)), 90_000),
        ("Monday, 21-Sep-26 14:14:50 GMT", 90_000),
        (formatdate(START / 1000 + 7200, usegmt=True), HOUR),
        (format_datetime(DATE, usegmt=True), None),
        (formatdate(0, usegmt=True), None),
        ("Mon, 21 Sep 99999 14:14:50 GMT", None),
        ("", None),
        ("0", None),
        ("000", None),
        ("007", 7_000),
        (" 7 ", 7_000),
        ("7.5", None),
        ("\u0667", None),
        ("²", None),
    ],
)
def test_retry_after(header: str, wait: int | None) -> None:
    """Seconds and dates are understood; zero, the past and nonsense say nothing."""
    assert retry_after(header, START) == wait


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), st.integers(0, 2**53))
def test_retry_after_is_bounded(header: str, at: int) -> None:
    """Whatever stands in the header, the wait is between nothing and an hour."""
    wait = retry_after(header, at)

    assert wait is None or 0 < wait <= HOUR


@given(st.dates().map(lambda day: formatdate(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())))
def test_retry_after_takes_any_date(header: str) -> None:
    """Any date is understood or says nothing."""
    wait = retry_after(header, START)

    assert wait is None or 0 < wait <= HOUR


def test_codes_in_the_answer_are_not_kept(httpserver: HTTPServer) -> None:
    """A shop that repeats the document in its answer leaves no code in the record, and not much of anything."""
    httpserver.expect_request("/").respond_with_handler(
        lambda request: Response(request.get_data() + b"\n\x1b[31m" + b"x" * 100_000, status=500)
    )

    result = handled(httpserver.url_for("/"))

    assert '"code":"•••••"' in result.detail
    assert CODE not in result.detail
    assert "\x1b" not in result.detail
    assert len(result.detail) < 1200


@pytest.mark.parametrize("repeat", [OFTEN, ONCE])
def test_not_sent_is_tried_again(repeat: Repeat) -> None:
    """Where no connection came about there was no effect, whatever the rule of repetition."""
    result = handled(refused(), repeat)

    assert isinstance(result, Failed)
    assert "can't be connected to (connection refused)" in result.detail


async def silence(peer: Peer) -> None:
    await peer.request()
    await asyncio.sleep(20)


async def reset(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def garbage(peer: Peer) -> None:
    await peer.request()
    await peer.say(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("shop", [silence, reset, garbage])
@pytest.mark.parametrize(("repeat", "kind"), [(OFTEN, Failed), (ONCE, Unknown)])
def test_no_answer(shop: Callable[[Peer], Awaitable[None]], repeat: Repeat, kind: type[Result]) -> None:
    """A shop that took the request and gave no answer may have acted on it."""

    async def scenario() -> Result:
        async with raw_server(shop) as server, aclosing(Outbound(TLS)) as outbound:
            return await handler(server.url, outbound, repeat, timeout_s=0.4).handle(TASK)

    assert type(uvloop.run(scenario())) is kind


def test_repr_holds_no_secret() -> None:
    """What is set up is not printed by accident: the key, and the address that may hold a password."""
    outbound = Outbound(TLS)
    made = repr(handler("https://user:hunter2@shop.example/", outbound))
    uvloop.run(outbound.aclose())

    assert "hunter2" not in made
    assert SECRET not in made
    assert repr(RAW_SECRET) not in made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path) as store:
        yield store


def test_each_attempt_has_the_same_id(httpserver: HTTPServer, store: SqliteStore) -> None:
    """The shop can tell a repeat: the same id and document in each attempt, by whichever worker, signed afresh."""
    got = list[tuple[str, bytes]]()

    def shop(request: Request) -> Response:
        Webhook(SECRET).verify(request.get_data(), dict(request.headers))
        got.append((request.headers["webhook-id"], request.get_data()))
        return Response(status=500 if len(got) < 3 else 200)

    httpserver.expect_request("/").respond_with_handler(shop)
    add(store, deliver(), orders=[order("SHOP-1")])
    clock = Clock()

    async def attempt() -> object:
        async with aclosing(Outbound(TLS)) as outbound:
            act = acting(store, clock, handler(httpserver.url_for("/"), outbound))
            (held,) = act.take(1)
            (outcome,) = act.settle([await act.call(held)])
            return type(outcome)

    outcomes = list[object]()
    for _ in range(3):
        outcomes.append(uvloop.run(attempt()))
        clock.forward(HOUR)

    assert outcomes == [Postponed, Postponed, Delivered]
    assert got == [got[0]] * 3
    assert got[0][0] == only(store).id


@pytest.mark.parametrize(("status", "kind"), [(200, Succeeded), (500, Failed), (410, GivenUp)])
def test_the_answer_is_kept(httpserver: HTTPServer, status: int, kind: type[Result]) -> None:
    """What the shop said is kept with its status, of success too: up to a kilobyte, without codes."""
    httpserver.expect_request("/").respond_with_data(f'{{"kept": "{CODE}", "token": "t0p"}}' + "x" * 4000, status)

    result = handled(httpserver.url_for("/"))

    assert isinstance(result, kind)
    assert f'answered {status}: {{"kept": "•••••", "token": "•••••"}}xxx' in result.detail
    assert 1024 < len(result.detail) < 1200


def test_a_code_that_was_not_sent_is_not_kept_either(httpserver: HTTPServer) -> None:
    """The shop may know the code of an order that it is told to refund, and say it."""
    httpserver.expect_request("/").respond_with_data(f"{CODE} is void", 500)
    action = dataclasses.replace(ACTION, kind=ActionKind.REFUND)
    task = Task(action, document(action, order("SHOP-1")), order("SHOP-1"))

    async def scenario() -> Result:
        async with aclosing(Outbound(TLS)) as outbound:
            return await handler(httpserver.url_for("/"), outbound).handle(task)

    assert CODE.encode() not in task.document
    assert uvloop.run(scenario()).detail.endswith("answered 500: ••••• is void")
