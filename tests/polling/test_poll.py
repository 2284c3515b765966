"""Asking a supplier about open orders: what is learned walks like a webhook."""

import json

from pytest_httpserver import HTTPServer

from tests.polling.asking import KEY, actions_of, api, arrive, ask, order_of, said
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.events import EventState
from webhookctl.core.orders import CodesRule, OrderStatus
from webhookctl.core.outcomes import Found, NotAnswered, PersonTold, StillOpen, SupplierNotAsked
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.retries import HOUR, MINUTE


def test_a_fulfilled_order_is_delivered(store: SqliteStore, httpserver: HTTPServer) -> None:
    """What the API says fulfilled, with its code, moves the order and causes one delivery; asked at its own path."""
    arrive(store, 1)
    httpserver.expect_ordered_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))

    outcomes = ask(store, api(httpserver.url_for("")))

    order = order_of(store)
    assert outcomes == [Found("acme", "R-1", "pending", "fulfilled")]
    assert (order.status, order.learned_by.value) == (OrderStatus.FULFILLED, "poll")
    assert [item.code.reveal() for item in order.items if item.code] == ["CODE-1"]
    assert actions_of(store) == [("deliver", "order")]


def test_pending_changes_nothing_but_the_time(store: SqliteStore, httpserver: HTTPServer) -> None:
    """An order that the API calls pending makes no event, and is not asked about again at once."""
    arrive(store, 1)
    httpserver.expect_ordered_request("/orders/S-1").respond_with_json(said("S-1", "open"))

    first, second = ask(store, api(httpserver.url_for(""))), ask(store, api(httpserver.url_for("")))

    assert first == [StillOpen("acme", "R-1", None, fresh=False)]
    assert second == []
    assert len(store.events.find(EventQuery())) == 1
    assert len(httpserver.log) == 1


def test_what_is_young_is_left_alone(store: SqliteStore, httpserver: HTTPServer) -> None:
    """An order is asked about once its webhook is overdue: not before `after`."""
    arrive(store, 1, age=0)

    assert ask(store, api(httpserver.url_for(""))) == []
    assert httpserver.log == []
    assert store.leases.count_stale_orders("acme", older_than=0, now=0) == 0


def test_failed_and_refunded_walk_like_webhooks(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Failed alerts and refunds, refunded notifies: the same actions as a webhook's."""
    arrive(store, 1, 2)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "failed"))
    httpserver.expect_request("/orders/S-2").respond_with_json(said("S-2", "back"))

    ask(store, api(httpserver.url_for("")))

    assert sorted(kind for kind, _ in actions_of(store)) == ["alert", "refund"]
    assert [kind for kind, _ in actions_of(store, "R-2")] == ["notify"]


def test_a_late_webhook_is_a_duplicate_and_counted(store: SqliteStore, httpserver: HTTPServer) -> None:
    """A webhook that comes after asking is a duplicate of what asking learned, counted as late, delivered once."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))
    ask(store, api(httpserver.url_for("")))

    arrive(store, 1, age=-1000, status="done", code="CODE-1")

    newest = store.events.find(EventQuery())[0]
    found = next(event for event in store.events.find(EventQuery()) if event.via.value == "poll")
    (ended,) = store.leases.endings(since=0)
    assert (newest.state, newest.duplicate_of) == (EventState.DUPLICATE, found.id)
    assert actions_of(store) == [("deliver", "order")]
    assert (ended.ended, ended.found, ended.late, ended.missed) == (1, 1, 1, 0)
    assert 0 < ended.most_late_ms < HOUR


def test_a_webhook_that_says_otherwise_is_not_late(store: SqliteStore, httpserver: HTTPServer) -> None:
    """A webhook that contradicts what asking found is a conflict, alerted as such, and counts as no late one."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))
    ask(store, api(httpserver.url_for("")))

    arrive(store, 1, age=-1000, status="failed")

    (ended,) = store.leases.endings(since=0)
    assert (ended.late, ended.missed) == (0, 1)
    assert store.events.find(EventQuery())[0].state is EventState.DONE
    assert sorted(actions_of(store)) == [("alert", "failed after fulfilled"), ("deliver", "order")]


def test_a_missed_webhook_is_counted(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Of two orders that ended, one by webhook and one found by asking, one webhook is missed."""
    arrive(store, 1)
    arrive(store, 2, status="done", code="CODE-2")
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))

    ask(store, api(httpserver.url_for("")))

    (ended,) = store.leases.endings(since=0)
    assert (ended.ended, ended.found, ended.late, ended.missed) == (2, 1, 0, 1)


def test_another_orders_answer_is_refused(store: SqliteStore, httpserver: HTTPServer) -> None:
    """An answer about another order id moves nothing, and a person is told, once."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-2", "done", "CODE-2"))

    first = ask(store, api(httpserver.url_for("")))
    second = ask(store, api(httpserver.url_for("")), only="R-1")

    assert [type(one) for one in first] == [StillOpen, PersonTold]
    assert [type(one) for one in second] == [StillOpen]
    assert order_of(store).status is OrderStatus.PENDING
    assert actions_of(store) == [("alert", "unfit answer")]


def test_the_answers_reference_must_be_ours(store: SqliteStore, httpserver: HTTPServer) -> None:
    """The right order id with another shop's reference is refused: else one could have another's code."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE", reference="R-9"))

    ask(store, api(httpserver.url_for("")))

    assert order_of(store).status is OrderStatus.PENDING
    assert actions_of(store) == [("alert", "unfit answer")]


def test_fulfilled_without_codes_moves_nothing(store: SqliteStore, httpserver: HTTPServer) -> None:
    """A code list that is empty moves nothing and waits; after an hour a person is told, once."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done"))
    settings = api(httpserver.url_for(""))

    young = ask(store, settings)
    old = ask(store, settings, later_ms=2 * HOUR)
    older = ask(store, settings, later_ms=4 * HOUR)

    assert [type(one) for one in young] == [StillOpen]
    assert [type(one) for one in old] == [StillOpen, PersonTold]
    assert [type(one) for one in older] == [StillOpen]
    assert order_of(store).status is OrderStatus.PENDING


def test_top_ups_need_no_codes(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Where the settings say that there are no codes, fulfilled is enough to be an event."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done"))

    assert ask(store, api(httpserver.url_for("")), codes=CodesRule.NONE) == [
        Found("acme", "R-1", "pending", "fulfilled")
    ]


def test_other_codes_than_the_webhook_gave_are_alerted(store: SqliteStore, httpserver: HTTPServer) -> None:
    """A code that differs from the one delivered is a conflict: alerted, and never delivered twice."""
    arrive(store, 1, status="done", code="CODE-1")
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-2"))

    ask(store, api(httpserver.url_for("")), only="R-1")

    codes = [item.code.reveal() for item in order_of(store).items if item.code]
    assert codes == ["CODE-1"]
    assert sorted(actions_of(store)) == [("alert", "other codes"), ("deliver", "order")]


def test_an_order_never_goes_back(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Pending, or nothing at all, for an order that is fulfilled moves nothing and tells nobody."""
    arrive(store, 1, 2, status="done", code="CODE-1")
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "open"))
    httpserver.expect_request("/orders/S-2").respond_with_data(status=404)

    outcomes = ask(store, api(httpserver.url_for("")), only="R-1", later_ms=3 * HOUR)
    outcomes += ask(store, api(httpserver.url_for("")), only="R-2", later_ms=3 * HOUR)

    assert [type(one) for one in outcomes] == [StillOpen, StillOpen]
    assert order_of(store).status is OrderStatus.FULFILLED
    assert actions_of(store, "R-2") == [("deliver", "order")]


def test_an_unknown_status_is_shown_once(store: SqliteStore, httpserver: HTTPServer) -> None:
    """A status word that we don't know moves nothing and is shown when it is new; after an hour a person is told."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "shipped?"))
    settings = api(httpserver.url_for(""))

    (first,) = ask(store, settings)
    second, third = ask(store, settings, later_ms=2 * HOUR)

    assert isinstance(first, StillOpen)
    assert first.fresh
    assert "shipped?" in (first.note or "")
    assert isinstance(second, StillOpen)
    assert not second.fresh
    assert isinstance(third, PersonTold)


def test_not_found_is_pending_while_young(store: SqliteStore, httpserver: HTTPServer) -> None:
    """404 of a young order means that the supplier is not that far; of an old one a person is told, once."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_data(status=404)
    settings = api(httpserver.url_for(""))

    young = ask(store, settings)
    old = ask(store, settings, later_ms=2 * HOUR)

    assert [type(one) for one in young] == [StillOpen]
    assert [type(one) for one in old] == [StillOpen, PersonTold]
    assert order_of(store).status is OrderStatus.PENDING


def test_after_a_week_it_is_a_persons(store: SqliteStore, httpserver: HTTPServer) -> None:
    """What asking hasn't ended within `give_up` is handed over once, held and seen, and not asked about any more."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "open"))
    settings = api(httpserver.url_for(""))

    outcomes = ask(store, settings, later_ms=8 * 24 * HOUR)
    again = ask(store, settings, later_ms=9 * 24 * HOUR)

    assert [type(one) for one in outcomes] == [StillOpen, PersonTold]
    assert again == []
    assert order_of(store).held == "asking has not brought it to its end"
    assert store.reports.summary(now=0).held_orders == 1


def test_codes_that_never_come_are_a_persons_though_nobody_polls(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Said to be fulfilled, an order stays to be asked about until its codes come: a person is told, then it is held.

    It has no time by which it is due, and nothing but `serve` asks, which asks about no others without `poll_every`.
    """
    arrive(store, 1, age=0, status="done")
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done"))
    settings = api(httpserver.url_for(""))

    at = [0, 1, 6 * MINUTE, 2 * HOUR, 2 * HOUR + 1, 8 * 24 * HOUR, 9 * 24 * HOUR]
    outcomes = [[type(one) for one in ask(store, settings, later_ms=ms, wanted_only=True)] for ms in at]

    assert outcomes == [[StillOpen], [], [StillOpen], [StillOpen, PersonTold], [], [StillOpen, PersonTold], []]
    assert order_of(store).held == "asking has not brought it to its end"


def test_codes_come_by_a_second_call(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Where codes come apart they are fetched page by page, once the order is fulfilled, and only then."""
    arrive(store, 1, 2)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done"))
    httpserver.expect_request("/orders/S-2").respond_with_json(said("S-2", "open"))
    for page, serials in ((1, ["A", "B"]), (2, ["C"])):
        keys = [{"serial": serial, "type": "text/plain"} for serial in serials]
        httpserver.expect_request("/orders/S-1/keys", query_string=f"page={page}").respond_with_json(keys)
    then = {
        "path": "/orders/{order_id}/keys?page={page}",
        "page_size": 2,
        "map": {"items": "/*", "code": "/serial", "media_type": "/type"},
    }

    ask(store, api(httpserver.url_for(""), then=then))

    assert [item.code.reveal() for item in order_of(store).items if item.code] == ["A", "B", "C"]
    assert len(httpserver.log) == 4


def test_the_intervals_grow(store: SqliteStore, httpserver: HTTPServer) -> None:
    """An order is asked about after 5, 10 and then each 15 minutes."""
    arrive(store, 1, age=0)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "open"))
    settings = api(httpserver.url_for(""))

    asked = [
        minute
        for minute in (4, 5, 9, 10, 19, 20, 34, 35, 49, 50)
        if ask(store, settings, later_ms=minute * 60_000 + 1_000)
    ]

    assert asked == [5, 10, 20, 35, 50]


def test_what_is_learned_twice_is_one_event(store: SqliteStore, httpserver: HTTPServer) -> None:
    """Cut off between the event and the lease, the same answer comes again and is a duplicate."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))
    settings = api(httpserver.url_for(""))

    ask(store, settings)
    ask(store, settings, only="R-1")

    states = [event.state for event in store.events.find(EventQuery()) if event.via.value == "poll"]
    assert sorted(states) == [EventState.DONE, EventState.DUPLICATE]
    assert actions_of(store) == [("deliver", "order")]


def test_the_event_says_all_in_our_own_words(store: SqliteStore, httpserver: HTTPServer) -> None:
    """The stored body is the documented JSON, whatever the API's own looks like."""
    arrive(store, 1)
    httpserver.expect_request("/orders/S-1").respond_with_json(said("S-1", "done", "CODE-1"))
    ask(store, api(httpserver.url_for("")))

    stored = store.events.get(str(store.events.find(EventQuery())[0].id))

    assert stored is not None
    assert json.loads(stored.body) == {
        "version": 1,
        "reference": "R-1",
        "order_id": "S-1",
        "status": "fulfilled",
        "updated_at": None,
        "items": [{"sku": None, "code": "CODE-1", "pin": None, "media_type": None}],
    }


def test_what_can_not_be_asked_about_is_told(store: SqliteStore, httpserver: HTTPServer) -> None:
    """An order of which no id is known that the path needs stays open; after an hour a person is told."""
    arrive(store, 1)
    settings = api(httpserver.url_for(""), order="/orders/{order_id}")
    with store.connection.writing() as raw:
        raw.execute("UPDATE orders SET order_id = NULL")

    outcomes = ask(store, settings, later_ms=2 * HOUR)

    assert [type(one) for one in outcomes] == [StillOpen, PersonTold]
    assert httpserver.log == []
    assert KEY in store.orders.get([KEY])


def test_it_can_be_asked_by_the_reference(store: SqliteStore, httpserver: HTTPServer) -> None:
    """The first path of which everything is known is taken: by our reference where the supplier's id is not known."""
    arrive(store, 1)
    with store.connection.writing() as raw:
        raw.execute("UPDATE orders SET order_id = NULL, reference = 'R/1'")
    httpserver.expect_request("/by-ref/R/1").respond_with_json(said("S-1", "failed", reference="R/1"))

    outcomes = ask(store, api(httpserver.url_for(""), order=["/orders/{order_id}", "/by-ref/{reference}"]))

    assert outcomes == [Found("acme", "R/1", "pending", "failed")]
    assert order_of(store, ("acme", "R/1")).order_id == "S-1"


def test_one_question_where_the_supplier_is_down(store: SqliteStore) -> None:
    """A supplier that can't be reached gets one probe, not five hundred."""
    arrive(store, *range(1, 500))

    outcomes = ask(store, api("http://127.0.0.1:9"))

    assert sum(isinstance(one, NotAnswered) for one in outcomes) == 1
    assert isinstance(outcomes[-1], SupplierNotAsked)
    assert store.leases.standing("acme").failing_since is not None
