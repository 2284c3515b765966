"""A shop that is down is not hammered, and gets everything when it is back."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvloop
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.actions.raw_server import Peer, raw_server
from tests.actions.seeded import Clock, Scripted, acting, actions, add, deliver, only, opened, order, turn
from tests.actions.test_action_http import ONCE, TASK, handler
from tests.actions.test_outbound import TLS, refused
from webhookctl.adapters.outbound import PER_HOST, Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.breaker import FIRST_PAUSE_S, SILENT_AT_MOST
from webhookctl.core.orders import ActionKind, ActionState, NewAction, Restraint
from webhookctl.core.outcomes import Deferred, Delivered
from webhookctl.core.ports.handler import Failed, NotYet, Result, Succeeded
from webhookctl.core.retries import SECOND


@dataclass
class Steady:
    """Seconds that only the test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path) as store:
        yield store


def test_a_dead_shop_is_left_alone_and_found_again(httpserver: HTTPServer) -> None:
    """After five calls in vain none goes out; after a pause one asks, and its answer lets all others through."""
    answers = [503] * SILENT_AT_MOST + [200] * 3
    httpserver.expect_request("/").respond_with_handler(lambda _: Response(status=answers.pop(0)))
    steady = Steady()

    async def scenario() -> list[Result]:
        async with aclosing(Outbound(TLS)) as outbound:
            http = replace(handler(httpserver.url_for("/"), outbound), steady=steady)
            results = [await http.handle(TASK) for _ in range(SILENT_AT_MOST + 2)]
            assert not http.ready
            steady.now = FIRST_PAUSE_S
            assert http.ready
            return [*results, *[await http.handle(TASK) for _ in range(3)]]

    results = uvloop.run(scenario())

    assert [type(result) for result in results] == [*[Failed] * SILENT_AT_MOST, NotYet, NotYet, *[Succeeded] * 3]
    assert answers == []
    assert results[SILENT_AT_MOST] == NotYet(
        f"{httpserver.url_for('/')} did not answer lately and is left alone for a while.", 5 * SECOND
    )


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_shop_that_refuses_is_there(httpserver: HTTPServer, status: int) -> None:
    """Whatever it thinks of one order, a shop that answers is asked about the next."""
    httpserver.expect_request("/").respond_with_data("no", status=status)

    async def scenario() -> bool:
        async with aclosing(Outbound(TLS)) as outbound:
            http = handler(httpserver.url_for("/"), outbound)
            for _ in range(3 * SILENT_AT_MOST):
                await http.handle(TASK)
            return http.ready

    assert uvloop.run(scenario())


def test_handlers_of_one_host_share_what_they_know() -> None:
    """Refunds need not find out again that the shop which takes deliveries is down; another host is another matter."""

    async def scenario() -> list[bool]:
        async with aclosing(Outbound(TLS)) as outbound:
            down, elsewhere = refused(), refused()
            deliveries = handler(f"{down}/deliveries", outbound)
            for _ in range(SILENT_AT_MOST):
                await deliveries.handle(TASK)
            return [deliveries.ready, handler(f"{down}/refunds", outbound).ready, handler(elsewhere, outbound).ready]

    assert uvloop.run(scenario()) == [False, False, True]


def test_what_rests_is_not_taken(store: SqliteStore) -> None:
    """While a shop is left alone its actions stay where they are: no claim, no attempt, no write."""
    add(store, deliver(), orders=[order("SHOP-1")])
    handler = Scripted(ready=False)
    act = acting(store, Clock(), handler)

    assert turn(act) == []
    assert only(store).attempts == 0
    handler.ready = True
    assert [type(outcome) for outcome in turn(act)] == [Delivered]


@pytest.mark.parametrize("repeat", [ONCE, Scripted().repeat])
def test_not_yet_is_no_attempt(store: SqliteStore, repeat: object) -> None:
    """What came at the wrong time is due later, uncounted, with no attempt in its history."""
    add(store, deliver(), orders=[order("SHOP-1")])
    clock = Clock()
    scripted = Scripted([NotYet("later", 7 * SECOND)], repeat)  # type: ignore[arg-type] # of the enum, both
    act = acting(store, clock, scripted)

    (outcome,) = turn(act)
    early = turn(act)
    clock.forward(7 * SECOND)
    (second,) = turn(act)

    found = store.outbox.get(only(store).id)
    assert found is not None
    assert (type(outcome), early, type(second)) == (Deferred, [], Delivered)
    assert [attempt.number for attempt in found[1]] == [1]


def test_not_yet_of_what_was_cancelled_meanwhile(store: SqliteStore) -> None:
    """A refund of the order that comes during the pause wins: the delivery is cancelled, not tried later."""
    add(store, deliver(), orders=[order("SHOP-1")])
    act = acting(store, Clock(), Scripted([NotYet("later", SECOND)]))
    (held,) = act.take(1)
    with store.connection.writing() as raw:
        from webhookctl.adapters.store_sqlite.action_rows import restrain  # noqa: PLC0415 - what `apply` does

        cancelled = Restraint(ActionKind.DELIVER, ActionState.CANCELLED, "refunded")
        restrain(raw, ("acme", "SHOP-1"), cancelled, now=0)

    act.settle([asyncio.run(act.call(held))])

    assert only(store).state is ActionState.CANCELLED


def test_what_spends_money_is_not_begun_while_the_shop_rests(store: SqliteStore) -> None:
    """A refund that was taken just before the shop fell silent is put off before it counts as begun."""
    add(store, NewAction("acme", "SHOP-1", ActionKind.REFUND, "failed"), orders=[order("SHOP-1")])
    scripted = Scripted(repeat=ONCE)
    act = acting(store, Clock(), scripted, ActionKind.REFUND)
    (held,) = act.take(1)
    scripted.ready = False

    (outcome,) = act.settle([asyncio.run(act.call(held))])

    (refund,) = actions(store, ActionKind.REFUND)
    assert isinstance(outcome, Deferred)
    assert (scripted.tasks, refund.state, refund.started_at) == ([], ActionState.WAITING, None)


def test_calls_at_one_host_are_limited() -> None:
    """However many actions are due, so many calls and no more are at one host at the same time."""
    open_now, most = 0, 0

    async def shop(peer: Peer) -> None:
        nonlocal open_now, most
        while True:
            await peer.request()
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0.02)
            open_now -= 1
            await peer.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def scenario() -> list[Result]:
        async with raw_server(shop) as server, aclosing(Outbound(TLS)) as outbound:
            http = handler(server.url, outbound)
            return await asyncio.gather(*(http.handle(TASK) for _ in range(4 * PER_HOST)))

    results = uvloop.run(scenario())

    assert {type(result) for result in results} == {Succeeded}
    assert most == PER_HOST


def test_waiting_for_others_does_not_use_up_the_time() -> None:
    """Who waits until there is room at the host has its whole time once its turn has come."""

    async def shop(peer: Peer) -> None:
        while True:
            await peer.request()
            await asyncio.sleep(0.6)
            await peer.say(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def scenario() -> list[Result]:
        async with raw_server(shop) as server, aclosing(Outbound(TLS)) as outbound:
            http = handler(server.url, outbound, timeout_s=2.0)
            return await asyncio.gather(*(http.handle(TASK) for _ in range(4 * PER_HOST)))

    assert {type(result) for result in uvloop.run(scenario())} == {Succeeded}
