"""Many orders are asked about in few calls, where the supplier has such."""

import json
import re

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.polling.asking import api, arrive, ask, asking, order_of, said
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.orders import OrderStatus
from webhookctl.core.outcomes import Found, StillOpen


def test_a_hundred_orders_in_one_call(store: SqliteStore, httpserver: HTTPServer) -> None:
    """With a list endpoint the orders of a call are asked about together; those without codes alone, too."""
    arrive(store, *range(1, 101))
    rows = [said(f"S-{n}", "done", f"C-{n}") for n in range(1, 51)] + [said(f"S-{n}", "open") for n in range(51, 99)]
    rows.append(said("S-99", "done"))  # its code is given by its own page, S-100 is left out
    httpserver.expect_request("/orders", query_string=None).respond_with_json({"results": rows})
    httpserver.expect_request("/orders/S-99").respond_with_json(said("S-99", "done", "C-99"))
    listing = {"ids": "/orders?ids={order_ids}", "page_size": 100, "map": {"each": "/results/*", **_MAP}}

    outcomes = ask(store, api(httpserver.url_for(""), list=listing))

    assert sum(isinstance(one, Found) for one in outcomes) == 51
    assert sum(isinstance(one, StillOpen) for one in outcomes) == 49
    assert len(httpserver.log) == 2
    assert order_of(store, ("acme", "R-100")).status is OrderStatus.PENDING
    assert [item.code.reveal() for item in order_of(store, ("acme", "R-99")).items if item.code] == ["C-99"]


def test_a_run_begins_with_few_lists() -> None:
    """Before the first answer no more is leased than one round of lists: whether there is a list is not known yet."""
    listing = {"ids": "/orders?ids={order_ids}", "page_size": 100, "map": {"each": "/results/*", **_MAP}}

    first = asking(api("http://127.0.0.1:1", list=listing, concurrency=3), Outbound()).supplier.batch

    assert first == 300


def test_without_the_list_each_is_asked_about_alone(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Where the API has no such list as the preset says, that is asked once, and then order by order."""
    arrive(store, *range(1, 251))
    httpserver.expect_request("/orders").respond_with_data(status=404)
    httpserver.expect_request(re.compile(r"/orders/S-\d+")).respond_with_json({"status": "open"})
    listing = {"ids": "/orders?ids={order_ids}", "page_size": 100, "map": {"each": "/results/*", **_MAP}}

    outcomes = ask(store, api(httpserver.url_for(""), list=listing))

    assert sum(isinstance(one, StillOpen) for one in outcomes) == 250
    assert sum(request.path == "/orders" for request, _ in httpserver.log) == 1


def test_many_are_looked_for_in_the_list_of_their_time(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Without a list by ids, the pages of the list by time are read; who is not in them is asked about alone."""
    arrive(store, *range(1, 31))
    pages = {"1": range(1, 21), "2": range(21, 30)}

    def page(request: Request) -> Response:
        rows = [said(f"S-{n}", "done", f"C-{n}") for n in pages[request.args["page"]]]
        return Response(json.dumps({"results": rows}), content_type="application/json")

    httpserver.expect_request("/orders").respond_with_handler(page)
    httpserver.expect_request("/orders/S-30").respond_with_json(said("S-30", "done", "C-30"))
    listing = {"path": "/orders?since={since}&page={page}", "page_size": 20, "map": {"each": "/results/*", **_MAP}}

    outcomes = ask(store, api(httpserver.url_for(""), list=listing))

    assert sum(isinstance(one, Found) for one in outcomes) == 30
    assert len(httpserver.log) == 3


_MAP = {"order_id": "/id", "reference": "/reference", "status": "/status", "items": "/items/*", "code": "/code"}
