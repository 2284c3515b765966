"""The rules of asking: when, what counts as an answer, and who is told."""

import json
import os
import re
import signal
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.polling.asking import api, arrive, ask, asking, now_ms, said
from tests.store.building import NOW
from webhookctl import cli
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core import answers
from webhookctl.core.answers import Learned, Unfit, Unmoved
from webhookctl.core.asking import DAY, AskPolicy
from webhookctl.core.deliveries import Via
from webhookctl.core.events import Event, EventType, Item, StoredEvent
from webhookctl.core.mapping import read
from webhookctl.core.orders import CodesRule, Order, OrderStatus
from webhookctl.core.outcomes import MissedWebhooks
from webhookctl.core.ports.leases import Standing
from webhookctl.core.ports.supplier import Said
from webhookctl.core.redaction import Code
from webhookctl.core.retries import HOUR, MINUTE
from webhookctl.flows.poll import left_alone, look_at_missed

ORDER = Order("acme", "R-1", OrderStatus.PENDING, NOW, NOW, order_id="S-1")


def heard(type_: EventType = EventType.FULFILLED, *codes: str, order_id: str | None = "S-1") -> Event:
    items = tuple(Item(code=Code(code)) for code in codes)
    return Event("acme", type_, None, order_id, NOW, items, Via.POLL)


@pytest.mark.parametrize(
    ("asked", "age", "minutes"), [(1, 0, 5), (2, 0, 10), (3, 0, 15), (90, DAY - 1, 15), (4, DAY, 60), (900, DAY, 60)]
)
def test_the_intervals(asked: int, age: int, minutes: int) -> None:
    """5, 10, 15 minutes, then each 15 for a day, then hourly; in the middle of the jitter exactly that."""
    next_at = AskPolicy().next_at(asked=asked, created_at=NOW - age, now=NOW, chance=0.5)

    assert next_at == NOW + minutes * MINUTE


@given(st.integers(1, 10_000), st.integers(0, 8 * DAY), st.floats(0, 1, exclude_max=True))
def test_no_interval_is_far_off(asked: int, age: int, chance: float) -> None:
    """The jitter is a tenth either way: never at once, never later than an hour and a bit."""
    next_at = AskPolicy().next_at(asked=asked, created_at=NOW - age, now=NOW, chance=chance)

    assert 4.5 * MINUTE <= next_at - NOW <= 1.1 * HOUR


def find(event: Event, order: Order = ORDER, *, items: int = 1, by_reference: bool = False) -> answers.Finding:
    return answers.find(order, Said(event, by_reference), codes=CodesRule.REQUIRED, items=items)


def test_an_answer_is_ours_or_refused() -> None:
    """Another order id or another reference is refused; an id that is left out says nothing."""
    other = Event("acme", EventType.FAILED, "R-9", "S-1", via=Via.POLL)

    assert isinstance(find(heard(EventType.FAILED, order_id="S-2")), Unfit)
    assert isinstance(find(other), Unfit)
    assert isinstance(find(heard(EventType.FAILED, order_id=None)), Learned)
    nameless = Order("acme", "R-1", OrderStatus.PENDING, NOW, NOW)
    assert isinstance(find(heard(EventType.FAILED), nameless), Unfit)
    assert isinstance(find(heard(EventType.FAILED), nameless, by_reference=True), Learned)


def test_each_item_needs_its_code() -> None:
    """Two items known and one code given is not everything: nothing is learned."""
    assert isinstance(find(heard(EventType.FULFILLED, "A"), items=2), Unmoved)
    assert isinstance(find(heard(EventType.FULFILLED, "A", "B"), items=2), Learned)
    assert isinstance(find(heard(EventType.FULFILLED)), Unmoved)


def test_what_is_known_is_no_news() -> None:
    """Pending for a pending order, partial for a partial one: no event, again and again."""
    partial = Order("acme", "R-1", OrderStatus.PARTIAL, NOW, NOW, order_id="S-1")

    assert find(heard(EventType.CREATED)) == Unmoved()
    assert find(heard(EventType.PARTIAL), partial) == Unmoved()
    assert isinstance(find(heard(EventType.PARTIAL)), Learned)


def test_the_key_is_of_what_was_learned() -> None:
    """Same order, status, time and codes: same key; any other of them: another. No code can be read from it."""
    first = Event("acme", EventType.FULFILLED, "R-1", "S-1", NOW, (Item(code=Code("SECRET")),), Via.POLL)
    failed = replace(first, type=EventType.FAILED, items=())
    events = [
        first,
        replace(first, items=(Item(code=Code("OTHER")),)),
        failed,
        replace(failed, reference="R-2"),
        replace(failed, occurred_at=None),
    ]
    keys = [answers.key(event) for event in events]

    assert len(set(keys)) == len(keys)
    assert keys[0].startswith(b"poll:S-1:fulfilled:%d:" % NOW)
    assert b"SECRET" not in keys[0]


@given(st.text(min_size=1, max_size=40).filter(str.strip), st.sampled_from(list(OrderStatus)))
def test_what_is_stored_is_read_back(code: str, status: OrderStatus) -> None:
    """Whatever the code's characters, our own JSON gives back the event that was learned."""
    type_ = next(one for one in EventType if one is not EventType.BALANCE_LOW and answers.status_of(_of(one)) is status)
    lost = type_ in {EventType.FAILED, EventType.REFUNDED}
    event = Event("acme", type_, "R-1", "S-1", NOW, () if lost else (Item("sku", Code(code)),), Via.POLL)

    verified = answers.delivery_of(event, now=NOW, delivery_id=bytes(16))
    stored = StoredEvent(1, "acme", NOW, Via.POLL, "", "api", (), verified.delivery.body)

    assert read(stored, answers.POLLED).said == (event,)


def _of(type_: EventType) -> Event:
    return Event("acme", type_, "R-1")


def test_a_supplier_is_left_alone_for_an_hour_at_most() -> None:
    """Retry-After outlives the run; what a clock that was put back makes of it does not hold us."""
    assert left_alone(Standing("acme", not_before=NOW + MINUTE, reason="429."), NOW) is not None
    assert left_alone(Standing("acme", not_before=NOW + 2 * HOUR, reason="429."), NOW) is None
    assert left_alone(Standing("acme", not_before=NOW - 1), NOW) is None
    assert left_alone(Standing("acme"), NOW) is None


def test_too_many_missed_webhooks_are_told_once(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Above the share, of twenty orders or more, a person is told once; a smaller number says nothing."""
    arrive(store, *range(1, 21))
    for number in range(1, 21):
        answer = said(f"S-{number}", "done", f"C-{number}")
        httpserver.expect_request(f"/orders/S-{number}").respond_with_json(answer)
    ask(store, api(httpserver.url_for("")))
    strict = asking(api(httpserver.url_for("")), Outbound())

    told = [look_at_missed(store.leases, [strict], now=now_ms()) for _ in range(2)]
    tolerant = replace(strict, missed_alert=1.0)

    assert [type(one) for one in told[0]] == [MissedWebhooks]
    assert told[1] == []
    assert look_at_missed(store.leases, [tolerant], now=now_ms()) == []


_SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:webhookctl.key"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME"]
[suppliers.acme.api]
base_url = "{url}"
auth = {{ kind = "none" }}
order = "/orders/{{order_id}}"
list = {{ ids = "/orders?ids={{order_ids}}", page_size = 1 }}
concurrency = 2
"""


def test_ctrl_c_leaves_everything_consistent(
    tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends a run with 130: what was answered is kept, what was not is due again at once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "webhookctl.key").write_text(bytes(range(32)).hex())
    (tmp_path / "webhookctl.key").chmod(0o600)
    (tmp_path / "webhookctl.toml").write_text(_SETTINGS.format(url=httpserver.url_for("").rstrip("/")))
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(range(32))]), create=True)) as store:
        arrive(store, *range(1, 200))
    seen = threading.Event()

    def slow(request: Request) -> Response:
        seen.set()
        time.sleep(0.05)
        name = request.path.rpartition("/")[2]
        answer = {"order_id": name, "status": "fulfilled", "items": [{"code": f"C-{name}"}]}
        return Response(json.dumps(answer), content_type="application/json")

    httpserver.expect_request(_ANY).respond_with_handler(slow)

    def interrupt() -> None:
        seen.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    monkeypatch.setattr(sys, "argv", ["webhookctl", "poll"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    interrupting.join()

    assert ended.value.code == 130
    assert "Interrupted:" in capsys.readouterr().err
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(range(32))]), create=False)) as store:
        open_orders = store.leases.count_stale_orders("acme", older_than=now_ms(), now=now_ms())
        fulfilled = store.reports.summary(now=0).orders.get("fulfilled", 0)
    assert open_orders + fulfilled == 199
    assert 0 < fulfilled < 199


_ANY = re.compile(r"/orders/S-\d+")
