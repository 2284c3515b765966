"""Alerts and notices to people, against a real mail server and a real HTTP one."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default as email_policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiosmtpd.controller import Controller
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.actions.raw_server import Peer, raw_server
from tests.actions.seeded import CODE, Scripted, acting, actions, add, deliver, opened, order
from tests.test_worker import LONG_S, none, nothing
from webhookctl.adapters import telemetry
from webhookctl.adapters.action_notify import AT_ONCE, Channel, NotifyAction
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.errors import SettingsError
from webhookctl.core.notices import Wording
from webhookctl.core.orders import ActionKind, ActionState, NewAction
from webhookctl.core.ports.handler import Result
from webhookctl.core.retries import RetryPolicy
from webhookctl.worker import Line, Outcome, Worker

ALERT = ActionKind.ALERT


@dataclass
class Mails:
    """A mail server's inbox."""

    got: list[tuple[str, str]] = field(default_factory=list)
    """Subject and text."""

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's
        mail = message_from_bytes(envelope.content, policy=email_policy)
        body = mail.get_body(("plain",))
        assert body is not None
        self.got.append((str(mail["subject"]), body.get_content().strip()))
        return "250 kept"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(port: int) -> Iterator[Mails]:
    mails = Mails()
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()


def mailto(port: int) -> Channel:
    return Channel("env:OPS_URL", f"mailto://127.0.0.1:{port}?from=shop@shop.example&to=ops@shop.example&format=text")


def chat(server: HTTPServer) -> Channel:
    return Channel("env:CHAT_URL", server.url_for("/hooks/t0p-secret-t0ken").replace("http:", "json:"))


def notifying(*channels: Channel, every_s: float = 0.3, gather_s: float = 0.3) -> NotifyAction:
    return NotifyAction(channels, Wording(), every_s, RetryPolicy(first=50, longest=50), gather_s=gather_s)


def alert(number: int, detail: str = "The shop answered 404.") -> NewAction:
    return NewAction("acme", f"SHOP-{number}", ALERT, "refused:deliver", detail=detail)


def settled(store: SqliteStore, count: int) -> bool:
    return store.reports.summary(now=now()).actions.get((ALERT, ActionState.DONE), 0) == count


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path) as store:
        yield store


async def working(lines: list[Line], until: Callable[[], bool]) -> list[Outcome]:
    """Work as `serve` does, until something holds."""
    recorded, stop = list[Outcome](), asyncio.Event()
    worker = Worker(none, lines, nothing, recorded.append, asyncio.Event(), 1.0)
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(LONG_S):
        while not until():  # noqa: ASYNC110 - looks from outside at what has no event to wait for
            await asyncio.sleep(0.02)
    stop.set()
    await running
    return recorded


def line(store: SqliteStore, handler: NotifyAction) -> Line:
    act = acting(store, now, handler, ALERT)  # type: ignore[arg-type] # the real clock, not one that a test moves
    return Line(act, AT_ONCE)


def now() -> int:
    return time.time_ns() // 1_000_000


def told(store: SqliteStore, handler: NotifyAction, count: int) -> None:
    uvloop.run(working([line(store, handler)], partial(settled, store, count)))


def test_two_hundred_failures_are_one_mail(store: SqliteStore) -> None:
    """What comes within seconds goes out together: one message that says how many and names the first."""
    add(store, *(alert(number) for number in range(1, 201)))

    with mail_server(port := free_port()) as mails:
        told(store, notifying(mailto(port)), 200)

    ((subject, text),) = mails.got
    assert subject == "webhookctl: 200 alerts (acme)"
    assert "refused:deliver, acme, SHOP-1, SHOP-2," in text
    assert "and 190 more (200): The shop answered 404." in text
    assert {action.attempts for action in actions(store, ALERT)} == {1}


def test_later_ones_wait_for_their_turn(store: SqliteStore, httpserver: HTTPServer) -> None:
    """After a message there is a pause; what comes meanwhile is not even taken, and goes out together at its end."""
    got = list[str]()
    httpserver.expect_request("/hooks/t0p-secret-t0ken").respond_with_handler(partial(_took, got))
    handler = notifying(chat(httpserver), every_s=1.0, gather_s=0.1)
    add(store, alert(1), alert(2))
    told(store, handler, 2)
    resting = handler.ready
    add(store, *(alert(number) for number in range(3, 30)))
    told(store, handler, 29)

    assert not resting
    assert got == ["webhookctl: 2 alerts (acme)", "webhookctl: 27 alerts (acme)"]


def _took(got: list[str], request: Request) -> Response:
    got.append(request.get_json()["title"])
    return Response()


def test_each_its_own_message(store: SqliteStore, httpserver: HTTPServer) -> None:
    """With `every = "0s"` nothing is gathered: each notice is a message, at once."""
    got = list[str]()
    httpserver.expect_request("/hooks/t0p-secret-t0ken").respond_with_handler(partial(_took, got))
    add(store, alert(1), alert(2), alert(3))

    told(store, notifying(chat(httpserver), every_s=0), 3)

    assert got == ["webhookctl: 1 alert (acme)"] * 3


def test_no_code_is_sent(store: SqliteStore) -> None:
    """Whatever an alert's sentence holds, the codes of its order are not in the mail."""
    add(store, alert(1, f"The shop answered 500: {CODE} is taken"), orders=[order("SHOP-1")])

    with mail_server(port := free_port()) as mails:
        told(store, notifying(mailto(port)), 1)

    ((_, text),) = mails.got
    assert text.endswith("The shop answered 500: ••••• is taken")


def test_an_alert_that_can_not_be_sent_is_tried_again(store: SqliteStore) -> None:
    """While the mail server is down alerts wait and are counted; when it is back they go out, once."""
    add(store, alert(1), alert(2))
    handler = notifying(mailto(port := free_port()), every_s=0.1, gather_s=0.05)

    def has_failed() -> bool:
        return store.reports.summary(now=now()).untold_alerts == 2

    uvloop.run(working([line(store, handler)], has_failed))
    (waiting, _) = actions(store, ALERT)
    with mail_server(port) as mails:
        told(store, handler, 2)

    assert waiting.state is ActionState.WAITING
    assert waiting.error == "env:OPS_URL did not take the message; `apprise -vv` shows why."
    assert [subject for subject, _ in mails.got] == ["webhookctl: 2 alerts (acme)"]
    assert store.reports.summary(now=now()).untold_alerts == 0


def test_who_was_told_is_not_told_again(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Of two channels the one that took the message does not get it a second time when the other is tried again."""
    got, down = list[str](), [True, True]

    def mail(_request: Request) -> Response:
        return Response(status=500 if down and down.pop() else 200)

    httpserver.expect_request("/hooks/t0p-secret-t0ken").respond_with_handler(partial(_took, got))
    httpserver.expect_request("/mail").respond_with_handler(mail)
    other = Channel("env:MAIL_URL", httpserver.url_for("/mail").replace("http:", "json:"))
    add(store, alert(1))

    told(store, notifying(chat(httpserver), other, every_s=0.05, gather_s=0.05), 1)

    assert got == ["webhookctl: 1 alert (acme)"]
    assert down == []


def test_a_mail_server_that_hangs_holds_no_delivery_up(store: SqliteStore) -> None:
    """Deliveries have a line of their own: they are done while an alert is still being sent."""
    add(store, alert(1), deliver("SHOP-2"), orders=[order("SHOP-2")])
    asked = asyncio.Event()

    async def mute(peer: Peer) -> None:
        asked.set()
        await peer.reader.read()

    async def scenario() -> list[ActionState]:
        async with raw_server(mute) as server:
            handler = notifying(mailto(int(server.url.rpartition(":")[2])), gather_s=0)
            handler.timeout_s = 1.0
            delivered = acting(store, now, shop := Scripted())  # type: ignore[arg-type] # as above
            lines = [Line(delivered), line(store, handler)]
            await working(lines, lambda: bool(shop.tasks) and asked.is_set())
            return [action.state for action in actions(store)]

    assert uvloop.run(scenario()) == [ActionState.DONE]


def test_a_worker_that_stops_loses_nothing(store: SqliteStore) -> None:
    """What was being gathered when the worker stopped is told by the next one."""
    add(store, alert(1))
    handler = notifying(mailto(port := free_port()), gather_s=30)
    uvloop.run(working([line(store, handler)], lambda: not handler.ready))
    with store.connection.writing() as raw:
        raw.execute("UPDATE actions SET next_at = 0")  # as if the half minute were over

    with mail_server(port) as mails:
        told(store, notifying(mailto(port)), 1)

    assert len(mails.got) == 1


@pytest.mark.parametrize("url", ["nonsense", "", "slack://abc", "ftp://ops.example"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """At the start, with the name of the reference and without what stands in it."""
    with pytest.raises(SettingsError, match=r"^env:OPS_URL holds no address that apprise can send to") as refused:
        Channel("env:OPS_URL", url).service()

    assert url not in str(refused.value) or not url


def test_nothing_of_the_address_is_shown(
    httpserver: HTTPServer, store: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither printing it nor failing to reach it says the token that stands in it."""
    httpserver.expect_request("/hooks/t0p-secret-t0ken").respond_with_data("no", 403)
    telemetry.configure_logging(verbose=True)
    add(store, alert(1))
    handler = notifying(chat(httpserver), every_s=0.05, gather_s=0)
    outcomes = uvloop.run(working([line(store, handler)], lambda: actions(store, ALERT)[0].error is not None))
    for outcome in outcomes:
        telemetry.record(outcome)

    shown = "".join(capsys.readouterr()) + repr(handler) + repr(outcomes) + repr(actions(store, ALERT))
    assert "env:CHAT_URL did not take the message" in shown
    assert "t0p-secret" not in shown


def test_the_end_of_the_leader_lets_go_of_the_others() -> None:
    """Whoever is cancelled while it sends leaves nobody waiting for ever."""

    async def scenario() -> list[Result | BaseException]:
        from tests.core.test_notices import task  # noqa: PLC0415 - its tasks

        handler = notifying(mailto(1), gather_s=0)
        running = [asyncio.create_task(handler.handle(task(number))) for number in (1, 2)]
        await asyncio.sleep(0.05)
        running[0].cancel()
        return await asyncio.gather(*running, return_exceptions=True)

    assert all(isinstance(one, asyncio.CancelledError) for one in uvloop.run(scenario()))
