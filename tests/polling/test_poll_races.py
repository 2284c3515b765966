"""Webhook and poll for one order at once, runs that overlap, and a run that is killed."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.chaos.poll_race import race
from tests.polling.asking import api, arrive, ask, order_of, said
from tests.store.building import Store
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.orders import OrderStatus
from webhookctl.core.outcomes import Found
from webhookctl.core.ports.outbox import ActionQuery

ROUNDS = 200
"""`python -m tests.chaos.poll_race` makes a thousand."""


def test_webhook_and_poll_deliver_once(store: SqliteStore, tmp_path: Path) -> None:
    """Hundreds of orders, each told by a webhook and by asking at the same moment: each is delivered once."""
    delivered = race(tmp_path / "shop.db", ROUNDS)

    assert sorted(delivered) == sorted(f"R-{number}" for number in range(ROUNDS))
    assert all(order_of(store, ("acme", one)).status is OrderStatus.FULFILLED for one in delivered)


def _assert_delivered_once(store: Store, orders: int) -> None:
    delivers = [one for one in store.outbox.find(ActionQuery(limit=10 * orders)) if one.kind.value == "deliver"]
    assert len(delivers) == orders
    assert len({one.subject for one in delivers}) == orders


def test_runs_that_overlap_ask_once(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Five runs at once share the orders: each order is asked about by one of them."""
    arrive(store, *range(200))
    httpserver.expect_request("/orders").respond_with_data(status=404)
    httpserver.expect_request(re.compile(r"/orders/S-\d+")).respond_with_handler(_pending)
    url = httpserver.url_for("")
    threads = [threading.Thread(target=ask, args=(store, api(url))) for _ in range(5)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    asked = [request.path for request, _ in httpserver.log]
    assert len(asked) == len(set(asked)) == 200


def _pending(request: Request) -> Response:

    return Response(json.dumps(said(request.path.rsplit("/", 1)[1], "open")), content_type="application/json")


KILLED = """
import sys
from contextlib import closing
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from tests.chaos.poll_race import race
from tests.polling.asking import api, ask
with closing(open_store(sys.argv[1], AesGcmCipher([bytes(range(32))]), create=False)) as store:
    ask(store, api(sys.argv[2]))
"""


def test_a_killed_run_is_finished_by_the_next(store: SqliteStore, httpserver: HTTPServer, tmp_path: Path) -> None:
    """Kill -9 amid a thousand orders: the next run asks about the rest, nothing twice within its lease."""
    arrive(store, *range(1_000))
    httpserver.expect_request(re.compile(r"/orders/S-\d+")).respond_with_handler(_fulfilled)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "shop.db"), httpserver.url_for("")]
    process = subprocess.Popen(arguments)  # noqa: S603 - our own program
    end = time.monotonic() + 60
    while len(httpserver.log) < 300 and time.monotonic() < end:
        time.sleep(0.01)

    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(httpserver.log)
    ask(store, api(httpserver.url_for("")))
    asked = [request.path for request, _ in httpserver.log]
    held_back = 1_000 - len(set(asked))
    within_lease = len(asked) == len(set(asked))
    after = ask(store, api(httpserver.url_for("")), later_ms=301_000)

    assert within_lease
    assert len(asked) > before
    assert 0 < held_back <= len(after)
    assert all(isinstance(one, Found) for one in after)
    assert all(order_of(store, ("acme", f"R-{n}")).status is OrderStatus.FULFILLED for n in range(1_000))
    _assert_delivered_once(store, 1_000)


def _fulfilled(request: Request) -> Response:

    order_id = request.path.rsplit("/", 1)[1]
    return Response(json.dumps(said(order_id, "done", f"CODE-{order_id}")), content_type="application/json")
