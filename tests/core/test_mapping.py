"""Any JSON, however odd, becomes an event or says why not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.deliveries import Headers, Via
from webhookctl.core.errors import SettingsError
from webhookctl.core.events import Event, EventState, EventType, StoredEvent, Unmapped
from webhookctl.core.mapping import Mapping, read
from webhookctl.core.redaction import Code

GENERIC: dict[str, object] = {
    "event_type": ["/event"],
    "reference": "/data/reference",
    "order_id": "/data/order_id",
    "status": "/data/status",
    "occurred_at": "/timestamp",
    "items": "/data/items/*",
    "sku": "/sku",
    "code": "/code",
    "pin": "/pin",
    "types": {type_.value: type_.value for type_ in EventType},
    "statuses": {word: word for word in ("pending", "partial", "fulfilled", "failed", "refunded")},
}


def stored(body: bytes, headers: Headers = (), event_id: bytes | None = None) -> StoredEvent:
    return StoredEvent(1, "acme", 0, Via.WEBHOOK, "0", "env:S", headers, body, event_id=event_id)


def read_json(value: Any, **changes: object) -> Event | Unmapped:  # noqa: ANN401 - any JSON value
    return one(stored(json.dumps(value).encode()), Mapping.parse(GENERIC | changes))


def one(event: StoredEvent, mapping: Mapping) -> Event | Unmapped:
    (said,) = read(event, mapping).said
    return said


def payload(**changes: object) -> dict[str, Any]:
    data = {
        "order_id": "SUP-1",
        "reference": "ORD-1",
        "status": "fulfilled",
        "items": [{"sku": "steam", "code": "AAAA-BBBB", "pin": None}],
    }
    return {"event": "order.fulfilled", "timestamp": "2026-05-01T14:23:11Z", "data": data | changes}


def test_reads_the_documented_payload() -> None:
    """Type, reference, ids, time and items of the documented payload stand where the preset says."""
    event = read_json(payload())

    assert isinstance(event, Event)
    assert (event.type, event.reference, event.order_id) == (EventType.FULFILLED, "ORD-1", "SUP-1")
    assert event.occurred_at == 1_777_645_391_000
    assert [(item.sku, item.code, item.pin) for item in event.items] == [("steam", Code("AAAA-BBBB"), None)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8 (byte 0)"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"event": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "no event type: looked at /event"),
        (b'"text"', "no event type"),
        (b"{}", "no event type"),
        (b'{"event": {}}', "/event holds an object, not a text"),
        (
            b'{"event": "order.created"}',
            "no reference: looked at /data/reference; no order id: looked at /data/order_id",
        ),
        (b'{"event": "order.created", "data": {"reference": ""}}', "no reference"),
        (b'{"event": "order.created", "data": {"reference": []}}', "/data/reference holds a list"),
        (b'{"event": "order.created", "data": {"reference": "\\ud800"}}', "half of a surrogate pair"),
        (b'{"event": "order.created", "data": {"reference": "a", "reference": "b"}}', "stands twice"),
        (b'{"event": "order.created", "data": {"reference": "' + b"a" * 257 + b'"}}', "257 characters long"),
        (b'{"event": "order.failed", "data": {"reference": "a", "status": "fulfilled"}}', "contradict each other"),
    ],
)
def test_what_cannot_be_read_is_dead_with_its_reason(body: bytes, words: str) -> None:
    """Signed but unreadable deliveries say what was looked for and where, and raise nothing."""
    said = one(stored(body), Mapping.parse(GENERIC))

    assert isinstance(said, Unmapped)
    assert said.state is EventState.DEAD
    assert words in said.reason


def test_an_unknown_event_type_is_ignored() -> None:
    """A ping or product news means nothing to an order."""
    said = read_json({"event": "product.updated", "data": {}})

    assert isinstance(said, Unmapped)
    assert said.state is EventState.IGNORED
    assert said.reason == "the event type 'product.updated' says nothing about an order"


def test_numbers_keep_their_digits() -> None:
    """A reference beyond 2^64, or with a million digits after it was cut, is never turned into a float."""
    event = read_json(payload(reference=18446744073709551617, order_id=1.50))

    assert isinstance(event, Event)
    assert (event.reference, event.order_id) == ("18446744073709551617", "1.5")


def test_a_duplicate_of_an_unused_member_does_no_harm() -> None:
    """Only the members that we use must be unambiguous."""
    body = b'{"x": 1, "x": 2, "event": "order.created", "data": {"reference": "a"}}'

    said = one(stored(body), Mapping.parse(GENERIC))

    assert isinstance(said, Event)


def test_words_are_compared_without_case_and_blanks() -> None:
    """`Fulfilled ` is the status that the table calls `fulfilled`."""
    event = read_json(payload(status="Fulfilled "))

    assert isinstance(event, Event)


def test_type_from_status_and_from_a_header() -> None:
    """A supplier without event names is read by its status, another by its header."""
    by_status = Mapping.parse({"reference": "/r", "status": "/s", "statuses": {"ok": "fulfilled"}})
    by_header = Mapping.parse({"reference": "/r", "event_type": "header:X-Event", "types": {"made": "order.created"}})

    first = one(stored(b'{"r": "a", "s": "OK"}'), by_status)
    second = one(stored(b'{"r": "a"}', ((b"x-event", b" Made"),)), by_header)

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert (first.type, second.type) == (EventType.FULFILLED, EventType.CREATED)


def test_a_blank_code_is_no_code() -> None:
    """Delivering an empty code would sell nothing."""
    event = read_json(payload(items=[{"code": " "}, {"code": ""}, {"code": 123}]))

    assert isinstance(event, Event)
    assert [item.code for item in event.items] == [None, None, Code("123")]


def test_keys_of_events() -> None:
    """A signed header id comes first, then an id in the body, then the body's digest; never an unsigned header's."""
    plain = Mapping.parse(GENERIC)
    with_id = Mapping.parse(GENERIC | {"event_id": "/id"})
    body = b'{"id": "e1"}'

    assert read(stored(body, event_id=b"m1"), plain).key == b"id:m1"
    assert read(stored(body), with_id).key == b"id:e1"
    assert read(stored(body), plain).key.startswith(b"body:")
    assert read(stored(b"{"), with_id).key.startswith(b"body:")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"referense": "/r"}, "map.referense is not known; did you mean map.reference?"),
        ({"reference": "r", "status": "/s"}, "does not begin with a slash"),
        ({"reference": 1, "status": "/s"}, "map.reference must be a JSON Pointer"),
        ({"status": "/s"}, "map.reference is missing, and map.order_id too"),
        ({"reference": "/a~2b", "status": "/s"}, "'/a~2b' has a ~ that is not ~0 (for ~) or ~1 (for /)"),
        ({"reference": "/a/*", "status": "/s"}, "map.reference holds *: only map.each and map.items"),
        ({"reference": "header:", "status": "/s"}, "'header:' is no header that could hold it"),
        ({"reference": "header:X Y", "status": "/s"}, "'header:X Y' is no header that could hold it"),
        ({"reference": "/r", "status": "/s", "items": "header:X"}, "'header:X' is no header that could hold it"),
        ({"reference": "/r", "status": "/s", "body": "xml"}, "map.body must be json or form"),
        ({"reference": "/r", "status": "/s", "pings": ["/x"]}, "map.pings must be a table of places"),
        ({"reference": "/r", "status": "/s", "types": {"x": "done"}}, "map.types.x must be one of order.created"),
        (
            {"reference": "/r", "status": "/s", "event_id": "{stauts}"},
            "{stauts}, which is not known; did you mean {status}?",
        ),
        ({"reference": "/r", "status": "/s", "event_id": "{order_id}"}, "map.order_id does not say where that stands"),
        ({"reference": "/r", "status": "/s", "event_id": "{status"}, "a brace without its other half"),
        ({"reference": "/r", "status": "header:S", "event_id": "{status}"}, "a header that may not be signed"),
        ({"reference": "/r", "status": "/s", "event_id": "{/a~}"}, "map.event_id is no JSON Pointer"),
        ({"reference": "/r"}, "map.event_type or map.status is needed"),
        ({"reference": "/r", "status": "/s", "statuses": {"ok": "done"}}, "map.statuses.ok must be one of"),
        ({"reference": "/r", "status": "/s", "event_id": "header:X-Id"}, "set event_id_header"),
    ],
)
def test_a_wrong_mapping_is_refused(table: dict[str, object], words: str) -> None:
    """The refusal names the key and what it should be."""
    with pytest.raises(SettingsError) as refusal:
        Mapping.parse(table)

    assert words in str(refusal.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "event", "items"]), inner),
    max_leaves=20,
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "event": json_values | st.sampled_from([type_.value for type_ in EventType]),
        "data": json_values
        | st.fixed_dictionaries({}, optional=dict.fromkeys(("reference", "status", "items", "order_id"), json_values)),
        "timestamp": json_values,
    },
)


@given(shapes | json_values)
def test_any_json_gives_an_event_or_a_reason(value: object) -> None:
    """No JSON makes another exception."""
    assert isinstance(read_json(value), Event | Unmapped)


@given(st.binary())
def test_any_bytes_give_an_event_or_a_reason(body: bytes) -> None:
    """No bytes make another exception."""
    assert isinstance(one(stored(body), Mapping.parse(GENERIC)), Event | Unmapped)


@given(st.dictionaries(st.sampled_from([*GENERIC, "x"]), json_values))
def test_any_table_is_taken_or_refused(table: dict[str, object]) -> None:
    """No settings make another exception than the refusal."""
    try:
        parsed = Mapping.parse(table)
    except SettingsError as refusal:
        assert str(refusal).startswith("map.")  # noqa: PT017 - either is right
    else:
        assert parsed.reference or parsed.order_id
