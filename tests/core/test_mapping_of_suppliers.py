"""What real suppliers' bodies ask of the mapping: forms, several orders, odd words, images, balances."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_mapping import GENERIC, json_values, one, payload, read_json, stored
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import SettingsError
from webhookctl.core.events import Event, EventState, EventType, Unmapped
from webhookctl.core.mapping import Mapping, codes_in, form_of, read, read_answer
from webhookctl.core.redaction import Code

FORM = Mapping.parse(
    {
        "body": "form",
        "reference": "/data/ref",
        "order_id": "/data/trxid",
        "status": "/data/status",
        "items": "/data/items/*",
        "code": "/sn",
        "statuses": {"success": "fulfilled"},
    }
)
MANY = Mapping.parse(
    {
        "each": "/orders/*",
        "order_id": "/id",
        "reference": "/ref",
        "status": "/status",
        "event_id": "{order_id}:{status}:{/at}",
        "statuses": {"done": "fulfilled", "bad": "failed"},
    }
)


def test_a_status_never_seen_moves_nothing_and_is_shown() -> None:
    """The event is done, with the word and its place; it is found at the order that it names."""
    for value in (payload(status="shipped"), payload(status="shipped") | {"event": "order.failed"}):
        said = read_json(value)

        assert isinstance(said, Unmapped)
        assert (said.state, said.reference, said.order_id) == (EventState.DONE, "ORD-1", "SUP-1")
        assert "the status 'shipped' at /data/status is not known" in said.reason


def test_an_event_name_may_leave_it_to_the_status() -> None:
    """`order.status` announces a change; what it is stands in the status."""
    table = {"event_type": "header:X-Event", "reference": "/r", "status": "/s"}
    mapping = Mapping.parse(table | {"types": {"order.status": "status"}, "statuses": {"completed": "fulfilled"}})
    named = ((b"x-event", b"order.status"),)

    known = one(stored(b'{"r": "a", "s": "completed"}', named), mapping)
    lacking = one(stored(b'{"r": "a"}', named), mapping)

    assert isinstance(known, Event)
    assert known.type is EventType.FULFILLED
    assert isinstance(lacking, Unmapped)
    assert lacking.reason == "no status: looked at /s"


def test_the_first_alternative_that_holds_something_counts() -> None:
    """What is absent, null or blank is passed over."""
    places = ["/a", "/b/c", "header:X-Ref"]
    header = ((b"x-ref", b"from the header"),)
    bodies: list[dict[str, object]] = [
        {"a": "1", "b": {"c": "2"}},
        {"a": None, "b": {"c": "2"}},
        {"a": " ", "b": {"c": "2"}},
        {"b": []},
    ]
    mapping = Mapping.parse({"reference": places, "status": "/s", "statuses": {"ok": "pending"}})

    found = [one(stored(json.dumps({**body, "s": "ok"}).encode(), header), mapping) for body in bodies]

    assert [said.reference for said in found] == ["1", "2", "2", "from the header"]


def test_keys_with_dots_slashes_and_tildes() -> None:
    """A JSON Pointer reaches every key; a list is reached by its numbers."""
    mapping = Mapping.parse({"reference": "/a.b/c~1d/e~0f/0", "status": "/", "statuses": {"ok": "pending"}})

    event = one(stored(b'{"a.b": {"c/d": {"e~f": ["R"]}}, "": "ok"}'), mapping)

    assert isinstance(event, Event)
    assert event.reference == "R"


def test_numbers_are_taken_digit_by_digit() -> None:
    """What is beyond 2^64, or would lose a zero as a float, is as it was sent."""
    body = b'{"event":"order.created","data":{"reference":18446744073709551616000000001,"order_id":1.50e3}}'

    event = one(stored(body), Mapping.parse(GENERIC))

    assert isinstance(event, Event)
    assert (event.reference, event.order_id) == ("18446744073709551616000000001", "1.50e3")


def test_a_form_body_with_brackets() -> None:
    """`data[trxid]` is found at /data/trxid, and what is numbered or unnumbered in brackets is a list."""
    body = b"data[trxid]=T+1&data%5Bref%5D=R%20%C3%A9&data[status]=success&data[items][0][sn]=A&data[items][1][sn]=B"
    plain = b"data[trxid]=T&data[ref]=R&data[status]=success&data[items][][sn]=A&x&=1&y[=2"

    first, second = one(stored(body), FORM), one(stored(plain), FORM)

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert (first.order_id, first.reference) == ("T 1", "R \N{LATIN SMALL LETTER E WITH ACUTE}")
    assert [item.code for item in first.items] == [Code("A"), Code("B")]
    assert [item.code for item in second.items] == [Code("A")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"data": {}}', "the body is no form"),
        (b"", "the body is no form"),
        (b"a=%ff", "not in UTF-8"),
        (b"a=\xff", "not in UTF-8"),
        (b"&".join([b"a=1"] * 10_001), "more than 10000 fields"),
        (b"a" + b"[b]" * 40 + b"=1", "nested too deeply"),
        (b"data[ref]=R&data[ref]=S&data[status]=success", "/data/ref stands twice"),
        (b"data[ref]=R&data[ref][x]=S&data[status]=success", "/data/ref stands twice"),
        (b"data[ref][x]=R&data[status]=success", "/data/ref holds an object"),
        (b"other=1", "no status: looked at /data/status"),
    ],
)
def test_forms_that_cannot_be_read(body: bytes, words: str) -> None:
    """They say what was looked for and where, as JSON does."""
    said = one(stored(body), FORM)

    assert isinstance(said, Unmapped)
    assert said.state is EventState.DEAD
    assert words in said.reason


def test_a_form_is_shown_as_an_object() -> None:
    """What it names twice says so; what is no form is not shown as one."""
    assert form_of(b"a[b]=1&a[c]=2&d=1&d=2&e[]=1") == {"a": {"b": "1", "c": "2"}, "d": "(stands twice)", "e": ["1"]}
    assert form_of(b"{}") is None


def test_several_orders_in_one_webhook() -> None:
    """Each order that can be read is an event; each that can't says what was looked for, and who it seems to be."""
    orders = [{"id": 1, "ref": "A", "status": "done"}, {"id": 2, "ref": "B"}, "x", {"id": 3, "status": "bad"}]

    said = read(stored(json.dumps({"orders": orders}).encode()), MANY).said

    assert [type(one) for one in said] == [Event, Unmapped, Unmapped, Event]
    assert [(one.reference, one.order_id) for one in said] == [("A", "1"), ("B", "2"), (None, None), (None, "3")]
    assert [one.reason for one in said if isinstance(one, Unmapped)] == ["no status: looked at /status"] * 2


@pytest.mark.parametrize(
    ("value", "state", "words"),
    [
        ({"orders": []}, EventState.IGNORED, "no order: looked at /orders/*"),
        ({}, EventState.DEAD, "no order: looked at /orders/*"),
        ({"orders": {}}, EventState.DEAD, "no order: looked at /orders/*"),
        ({"orders": [{}] * 1001}, EventState.DEAD, "it speaks of 1001 orders; the most we take is 1000"),
    ],
)
def test_a_list_of_orders_without_any(value: object, state: EventState, words: str) -> None:
    """An empty list says that nothing happened; no list at all is another shape than was expected."""
    said = one(stored(json.dumps(value).encode()), MANY)

    assert isinstance(said, Unmapped)
    assert (said.state, said.reason) == (state, words)


def test_an_event_id_is_made_of_several_fields() -> None:
    """With several orders it is made of all of theirs; where a part is missing it is the body's digest."""
    body = {"at": 7, "orders": [{"id": 1, "status": "done"}, {"id": 2, "status": "bad"}]}

    whole = read(stored(json.dumps(body).encode()), MANY).key
    again = read(stored(json.dumps(body, indent=1).encode()), MANY).key
    lacking = read(stored(json.dumps(body | {"at": None}).encode()), MANY).key

    assert whole == again == b"id:1:done:7\n2:bad:7"
    assert lacking.startswith(b"body:")


def test_items_without_a_code_are_named() -> None:
    """A fulfilled order says which of its items has none, and where it was looked for; other orders have none yet."""
    items = [{"code": "A"}, {"code": None}, {"sku": "x"}]

    lacking = read_json(payload(items=items))
    none = read_json(payload(items=[]))
    failed = read_json(payload(items=items, status="failed") | {"event": "order.failed"})

    assert isinstance(lacking, Event)
    assert isinstance(none, Event)
    assert isinstance(failed, Event)
    assert lacking.note == "no code in item 2, 3 of /data/items/*: looked at /code or /pin"
    assert none.note == "no item: looked at /data/items/*"
    assert failed.note is None


def test_what_stands_in_the_place_of_a_failed_orders_code_is_none() -> None:
    """Some suppliers write the reason of the failure there."""
    event = read_json(payload(items=[{"code": "out of stock"}], status="failed") | {"event": "order.failed"})

    assert isinstance(event, Event)
    assert [item.code for item in event.items] == [None]


@pytest.mark.parametrize(
    ("written", "media_type"),
    [
        ("text/plain", None),
        (None, None),
        ("text", None),
        ("CODE_TEXT", None),
        ("image/png", "image/png"),
        ("Image/JPEG; x=1", "image/jpeg"),
        ("CODE_IMAGE", "application/octet-stream"),
        ("a" * 1000 + "/x", "application/octet-stream"),
    ],
)
def test_a_code_that_is_no_text_says_what_it_is(written: str | None, media_type: str | None) -> None:
    """An image's base64 carries its media type, so that it is never printed."""
    event = read_json(payload(items=[{"code": "aGk=", "type": written}]), media_type="/type")

    assert isinstance(event, Event)
    assert event.items[0].media_type == media_type


@pytest.mark.parametrize(
    ("written", "balance"), [(12.50, "12.5"), ("-3", "-3"), ("1,000", None), ({}, None), (None, None), (True, None)]
)
def test_a_balance_that_comes_with_an_order(written: object, balance: str | None) -> None:
    """It is kept in its own digits; one that can't be read does the order no harm."""
    event = read_json(payload() | {"balance": written}, balance="/balance")

    assert isinstance(event, Event)
    assert event.balance == balance


def test_trial_deliveries_are_ignored() -> None:
    """A ping is known by what it holds."""
    pings = {"/hook_id": "*", "/data": "ping"}
    mapping = Mapping.parse({"reference": "/data/r", "status": "/data/s", "pings": pings, "statuses": {"ok": "failed"}})

    said = [one(stored(body), mapping) for body in (b'{"hook_id": {}}', b'{"data": "PING"}', b'{"data": "pong"}')]

    assert [said.state for said in said if isinstance(said, Unmapped)] == ["ignored", "ignored", "dead"]


def test_an_answer_need_not_repeat_the_question() -> None:
    """An API's answer is read like a webhook, without a reference where the question had one."""
    table: dict[str, object] = {"status": "/s", "items": "/keys/*", "code": "/k", "statuses": {"ok": "fulfilled"}}
    mapping = Mapping.parse_answer(table)

    (event,) = read_answer("acme", b'{"s": "OK", "keys": [{"k": "A"}]}', mapping)
    (unread,) = read_answer("acme", b"<html>", mapping)

    assert isinstance(event, Event)
    assert (event.type, event.reference, event.via) == (EventType.FULFILLED, None, Via.POLL)
    assert event.items[0].code == Code("A")
    assert isinstance(unread, Unmapped)
    with pytest.raises(SettingsError, match="can't name a header"):
        Mapping.parse_answer(table | {"reference": "header:X"})


def test_codes_are_found_to_be_masked() -> None:
    """Whatever the event means, what stands where codes do is known; no body makes an exception."""
    mapping = Mapping.parse(GENERIC)
    failed = payload(items=[{"code": "A", "pin": "B"}, {"code": 7}]) | {"event": "order.failed"}

    assert codes_in(stored(json.dumps(failed).encode()), mapping) == {"A", "B", "7"}
    assert codes_in(stored(b"{"), mapping) == set()


@given(st.binary() | json_values.map(json.dumps).map(str.encode) | st.text().map(str.encode))
def test_any_body_gives_events_or_reasons(body: bytes) -> None:
    """Forms and lists of orders too: no bytes make an exception."""
    for mapping in (FORM, MANY):
        assert all(isinstance(said, Event | Unmapped) for said in read(stored(body), mapping).said)
        assert all(isinstance(said, Event | Unmapped) for said in read_answer("acme", body, mapping))
        assert isinstance(codes_in(stored(body), mapping), set)
