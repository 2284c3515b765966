"""Every preset that is shipped can be used as it is, and a broken one is refused in words."""

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.supplier import BODY, NOW, URL, VECTORS, delivery, secrets_for, signed_by
from tests.core.test_mapping import json_values
from webhookctl import suppliers
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import Reason, SettingsError, SignatureError
from webhookctl.core.events import Event, EventState, EventType, StoredEvent, Unmapped
from webhookctl.core.mapping import Mapping, codes_in, read, read_answer
from webhookctl.core.signatures import Scheme, verify
from webhookctl.suppliers import schema

GENERAL = [
    *("adyen", "adyen-item", "cashfree", "coinbase-commerce", "discord", "generic", "github", "hub-sha256"),
    *("lemon-squeezy", "mailgun", "midtrans", "paddle", "razorpay", "sanity", "shopify", "slack", "square"),
    *("standard-webhooks", "standard-webhooks-ed25519", "stripe", "svix", "woocommerce", "xendit", "zendesk", "zoom"),
]
OF_THEIR_OWN = {"adyen-item", "mailgun", "midtrans"}
"""Whose signature needs a payload that is not like ours."""
TEXT = b"preset-secret-0123456789"
URL_SAFE = str.maketrans("+/", "-_", "=")
WORDS = [(b"x-github-event", b"order.fulfilled")]


def test_what_is_shipped() -> None:
    """The list is sorted, and has each general scheme."""
    assert suppliers.names() == sorted(suppliers.names())
    assert set(GENERAL) <= set(suppliers.names())


@pytest.mark.parametrize("name", suppliers.names())
def test_a_preset_says_where_it_is_from(name: str) -> None:
    """Title, source and certainty come first, and the kind is written out."""
    preset = suppliers.preset(name)

    assert list(preset)[:3] == ["title", "source", "certainty"]
    assert preset["certainty"] in set(schema.Certainty)
    assert "kind" in preset
    assert {"reference", "order_id"} & set(preset["map"])


@pytest.mark.parametrize(("name", "in_body"), [(name, False) for name in GENERAL] + [("generic", True)], ids=str)
def test_signed_and_verified(name: str, in_body: bool) -> None:  # noqa: FBT001 - parametrize fills it in
    """What is signed by a preset verifies by it, and the mapping reads the order."""
    scheme, keys, received = signed_by(name, in_body=in_body)
    headers = (*received.headers, *WORDS)

    verified = verify(received._replace(headers=headers), scheme, keys, now=NOW)
    stored = StoredEvent(1, "acme", NOW, Via.WEBHOOK, "0", verified.matched, headers, received.body)
    (event,) = read(stored, Mapping.parse(suppliers.preset(name)["map"])).said

    assert verified.event_id == (b"msg_1" if scheme.event_id_header else None)
    if name in OF_THEIR_OWN:
        assert isinstance(event, Unmapped)
        assert event.state is EventState.IGNORED
    else:
        assert isinstance(event, Event)
        assert (event.type, event.reference, event.order_id) == (EventType.FULFILLED, "R-1", "S-1")
        assert (event.occurred_at, len(event.items)) == (NOW, 1)


@pytest.mark.parametrize("name", GENERAL)
def test_what_a_preset_proves(name: str) -> None:
    """A preset signs each byte of the body, but for those that say so in their note."""
    scheme, keys, received = signed_by(name)
    changed = received._replace(body=received.body.replace(b" ", b"", 1))

    if name in {*OF_THEIR_OWN, "xendit"}:
        assert verify(changed, scheme, keys, now=NOW).matched == "env:S"
        assert "signed" in suppliers.preset(name)["note"] or "nothing" in suppliers.preset(name)["note"]
    else:
        with pytest.raises(SignatureError) as raised:
            verify(changed, scheme, keys, now=NOW)
        assert raised.value.reason is Reason.MISMATCH


# What no vector stands for, signed here by hand: headers, and the body where it is another.


def b64(message: bytes, key: bytes = TEXT) -> str:
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def hexed(message: bytes) -> str:
    return hmac.digest(TEXT, message, "sha256").hex()


MAILGUN = b'{"signature":{"timestamp":"1750000000","token":"ab12","signature":"%s"},"event-data":{}}'
BY_HAND: dict[str, tuple[dict[str, str], bytes]] = {
    "cashfree": ({"x-webhook-signature": b64(b"1750000000000" + BODY), "x-webhook-timestamp": "1750000000000"}, BODY),
    "mailgun": ({}, MAILGUN % hexed(b"1750000000ab12").encode()),
    "paddle": ({"Paddle-Signature": f"ts=1750000000;h1={'0' * 64};h1={hexed(b'1750000000:' + BODY)}"}, BODY),
    "razorpay": ({"X-Razorpay-Signature": hexed(BODY)}, BODY),
    "sanity": (
        {"sanity-webhook-signature": f"t=1750000000000,v1={b64(b'1750000000000.' + BODY).translate(URL_SAFE)}"},
        BODY,
    ),
    "square": ({"x-square-hmacsha256-signature": b64(URL.encode() + BODY)}, BODY),
    "svix": (
        {
            "svix-id": "msg_1",
            "svix-timestamp": "1750000000",
            "svix-signature": f"v1a,AAAA v1,{b64(b'msg_1.1750000000.' + BODY, b'preset-secret-0123456789')}",
        },
        BODY,
    ),
    "woocommerce": ({"X-WC-Webhook-Signature": b64(BODY)}, BODY),
    "zendesk": (
        {
            "X-Zendesk-Webhook-Signature": b64(b"2025-06-15T15:06:40Z" + BODY),
            "X-Zendesk-Webhook-Signature-Timestamp": "2025-06-15T15:06:40Z",
        },
        BODY,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_signed_by_hand(name: str) -> None:
    """The documented rule, written out here, makes what the preset takes; of a changed body it takes nothing."""
    scheme = Scheme.parse(suppliers.scheme_of(name))
    headers, body = BY_HAND[name]
    keys = scheme.keys([secrets_for(scheme)[1]])
    changed = body.replace(b"ab12", b"ab13").replace(b"R-1", b"R-2")

    assert verify(delivery(headers, body, URL), scheme, keys, now=NOW).matched == "env:S"
    with pytest.raises(SignatureError) as raised:
        verify(delivery(headers, changed, URL), scheme, keys, now=NOW)
    assert raised.value.reason is Reason.MISMATCH


def test_each_general_preset_is_compared_with_something_else() -> None:
    """A preset of a general scheme has a vector, or is signed by hand."""
    assert set(GENERAL) <= {vector["preset"] for vector in VECTORS} | set(BY_HAND)


def test_presets_are_copies() -> None:
    """Who changes what he was given changes it for nobody else."""
    suppliers.preset("generic")["map"].clear()

    assert suppliers.preset("generic")["map"]["reference"] == "/data/reference"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("generik", "did you mean generic?"),
        ("Stripe", "did you mean stripe?"),
        ("", "there are adyen, adyen-item"),
        ("../suppliers/generic", "no preset"),
        ("generic.toml", "no preset"),
    ],
)
def test_unknown_presets(name: str, words: str) -> None:
    """An unknown name is refused with the nearest right one, and never becomes a path."""
    for ask in (suppliers.preset, suppliers.scheme_of):
        with pytest.raises(SettingsError) as raised:
            ask(name)
        assert words in str(raised.value)


# The schema.

WHOLE: dict[str, Any] = {
    "title": "Acme",
    "source": "https://acme.example/docs",
    "certainty": "seen",
    "kind": "hmac",
    "signature_header": "X-Sig",
    "map": {"reference": "/ref", "status": "/status", "statuses": {"done": "fulfilled"}},
}
FORM = {**WHOLE["map"], "body": "form"}
OTHERS = {"whole": WHOLE, "like": {**WHOLE, "signs_like": "whole", "maps_like": "whole"}}


def complete(table: dict[str, Any]) -> dict[str, Any]:
    def others(name: str) -> dict[str, Any]:
        return OTHERS[name] if name in OTHERS else suppliers.preset(name)

    return schema.complete("acme", table, others)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"titel": "Acme"}, "titel is not known; did you mean title?"),
        ({"signature_heder": "X"}, "signature_heder is not known; did you mean signature_header?"),
        ({"zzz": 1}, "zzz is not known."),
        ({"title": ""}, "title must be a text in quotes, on one line"),
        ({"note": "a\nb"}, "note must be a text in quotes, on one line"),
        ({"title": None}, "title must be a text"),
        ({"certainty": "documentd"}, "it is 'documentd'; did you mean documented?"),
        ({"codes": 1}, "codes must be"),
        ({"body": "form"}, "body is not known"),
        ({"map": {**WHOLE["map"], "body": "xml"}}, "map.body must be json or form"),
        (
            {"map": {**WHOLE["map"], "event_id": "{refrence}"}},
            "{refrence}, which is not known; did you mean {reference}?",
        ),
        ({"map": {**WHOLE["map"], "order_id": "/a~b"}}, "map.order_id is no JSON Pointer"),
        ({"confirm": "pol"}, "confirm must be none or poll; it is 'pol'; did you mean poll?"),
        ({"challenge": "slak"}, "challenge must be slack or zoom; it is 'slak'; did you mean slack?"),
        ({"ack_status": 500}, "ack_status must be 200, 201, 202 or 204"),
        ({"api": []}, "api must be a table"),
        ({"api": {"ordr": "/x"}}, "api.ordr is not known; did you mean api.order?"),
        ({"api": {}}, "api.order is missing"),
        ({"api": {"order": "orders"}}, "api.order must be a path that begins with a slash"),
        ({"api": {"order": "/o/{order}"}}, "api.order names {order}, which is not known; did you mean {order_id}?"),
        ({"api": {"order": "/o/{"}}, "api.order is no template"),
        ({"api": {"order": "/o", "base_url": "http://acme.example"}}, "api.base_url must be an https:// address"),
        ({"api": {"order": "/o", "auth": {"kind": "beare"}}}, "api.auth.kind must be one of none, bearer"),
        ({"api": {"order": "/o", "auth": {"kind": "bearer", "token": "x"}}}, "api.auth.token is not known"),
        (
            {"api": {"order": "/o", "map": {"statos": "/s"}}},
            "statos is not known; did you mean api.map.status?",
        ),
        ({"api": {"order": "/o", "then": {}}}, "api.then.path is missing"),
        ({"api": {"order": "/o", "then": {"path": "/{since}"}}}, "api.then.path names {since}"),
        ({"api": {"order": "/o", "list": {"path": "/", "page": 1}}}, "did you mean api.list.page_size?"),
        ({"api": {"order": "/o", "list": {"path": "/", "map": 1}}}, "api.list.map must be a table"),
        ({"head_ok": "yes"}, "head_ok must be true or false"),
        ({"map": "generic"}, "map must be a table"),
        ({"map": {}}, "map.reference is missing"),
        ({"map": {**WHOLE["map"], "refrence": "/x"}}, "map.refrence is not known; did you mean map.reference?"),
        ({"map": {**WHOLE["map"], "status": "status"}}, "map.status must be a JSON Pointer"),
        ({"signed": "{boddy}"}, "signed has the unknown {boddy}: did you mean {body}?"),
        ({"signature_pointer": "signature"}, "signature_pointer must be a JSON Pointer"),
        ({"signed": "{param:id}{body}", "params": "id"}, "params must be a table"),
        ({"kind": "token", "signed": "{body}"}, "signed is of no use in kind token"),
        ({"map": FORM, "signed": "{json:/a}"}, "map.body must not be form"),
        ({"map": FORM, "signed": "{body-without:/a}"}, "map.body must not be form"),
        ({"map": FORM, "signature_pointer": "/s", "signed": "{json:/a}"}, "map.body must not be form"),
        ({"signs_like": "stripee"}, "signs_like names no preset: There is no preset 'stripee': did you mean stripe?"),
        ({"signs_like": 1}, "signs_like must be a text"),
        ({"maps_like": "like"}, "maps_like names like, which is itself like whole: name that one"),
    ],
)
def test_broken_presets(table: dict[str, Any], words: str) -> None:
    """A fault is told with the file, the key and the nearest right one."""
    with pytest.raises(SettingsError) as raised:
        complete({**WHOLE, **table})

    assert str(raised.value).startswith("The preset acme.toml: ")
    assert words in str(raised.value)
    assert str(raised.value).endswith((".", "?"))


@pytest.mark.parametrize("key", ["title", "source", "certainty"])
def test_what_a_preset_must_say(key: str) -> None:
    """A preset without title, source or certainty is refused."""
    with pytest.raises(SettingsError, match=f"{key} is missing"):
        complete({name: value for name, value in WHOLE.items() if name != key})


def test_presets_that_are_like_others() -> None:
    """A preset takes another's scheme or mapping, its own keys going before, words of tables being added."""
    head = {key: WHOLE[key] for key in ("title", "source", "certainty")}
    changes = {"algorithm": "sha512", "map": {"reference": "/order", "statuses": {"lost": "failed"}}}

    whole = complete({**head, **changes, "signs_like": "whole", "maps_like": "whole"})

    assert (whole["signature_header"], whole["algorithm"]) == ("X-Sig", "sha512")
    assert whole["map"] == {
        "reference": "/order",
        "status": "/status",
        "statuses": {"done": "fulfilled", "lost": "failed"},
    }


def test_params_that_a_shop_sets() -> None:
    """A preset may leave its params to the shop, and says which they are."""
    table = {"kind": "digest", "signature_header": "X", "signed": "{param:id}{secret}{param:no}"}

    assert complete({**WHOLE, **table})["signed"] == table["signed"]
    assert schema.params_needed(table) == ["id", "no"]


# Whatever comes.

MAPPINGS = {name: Mapping.parse(suppliers.preset(name)["map"]) for name in suppliers.names()}
ANSWERS = [
    Mapping.parse_answer(part["map"])
    for api in (suppliers.preset(name).get("api", {}) for name in suppliers.names())
    for part in (api, api.get("then", {}), api.get("list", {}))
    if "map" in part
]


@st.composite
def bodies(draw: st.DrawFn, mapping: Mapping) -> bytes:
    """Make JSON that has something, fitting or not, at many of the places where `mapping` looks."""
    within = draw(st.sampled_from(mapping.each)).tokens if mapping.each else ()
    shared = ("event_type", "balance", "each")
    body: Any = draw(json_values)
    for field, places in mapping.places.items():
        for place in places:
            if draw(st.booleans()):
                tokens = place.tokens if field in shared else (*within, *place.tokens)
                words = [*mapping.types, *mapping.statuses, "1", "R-1"]
                body = put(body, list(tokens), draw(json_values | st.sampled_from(words)))
    return json.dumps(body).encode()


def put(value: Any, tokens: list[str], what: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with `what` where the tokens lead, made to fit them."""
    if not tokens:
        return what
    first, *rest = tokens
    if first == "*":
        return [put(element, rest, what) for element in (value if isinstance(value, list) else [None])]
    inner = value if isinstance(value, dict) else {}
    return inner | {first: put(inner.get(first), rest, what)}


def assert_read(body: bytes, mapping: Mapping) -> None:
    stored = StoredEvent(1, "acme", 0, Via.WEBHOOK, "0", "env:S", ((b"x-event-name", b"order.status"),), body)
    reading = read(stored, mapping)

    assert reading.key
    assert reading.said
    assert all(isinstance(said, Event | Unmapped) for said in reading.said)
    assert isinstance(codes_in(stored, mapping), set)


@given(st.data())
def test_any_json_through_any_preset_gives_events_or_reasons(data: st.DataObject) -> None:
    """No JSON makes an exception, in whatever of a preset's places it stands."""
    mapping = MAPPINGS[data.draw(st.sampled_from(sorted(MAPPINGS)))]

    assert_read(data.draw(bodies(mapping)), mapping)


@given(st.sampled_from(sorted(MAPPINGS)), st.binary())
def test_any_bytes_through_any_preset_give_events_or_reasons(name: str, body: bytes) -> None:
    """No bytes make an exception."""
    assert_read(body, MAPPINGS[name])


@given(st.data())
def test_any_answer_of_any_api_gives_events_or_reasons(data: st.DataObject) -> None:
    """No answer makes an exception either."""
    mapping = data.draw(st.sampled_from(ANSWERS))
    body = data.draw(bodies(mapping) | st.binary())

    assert all(isinstance(said, Event | Unmapped) for said in read_answer("acme", body, mapping))
