"""Every preset that is shipped can be used as it is."""

import json

import pytest

from webhookctl import suppliers
from webhookctl.core.deliveries import Delivery, Via
from webhookctl.core.errors import SettingsError
from webhookctl.core.events import Event, EventType, StoredEvent
from webhookctl.core.mapping import Mapping, read
from webhookctl.core.orders import CodesRule
from webhookctl.core.signatures import Scheme, Secret, SecretEncoding, sign, verify

NOW = 1_777_645_391_000
TEXT = Secret(b"preset-secret-0123456789", "env:S")
BASE64 = Secret(b"whsec_cHJlc2V0LXNlY3JldC0wMTIzNDU2Nzg5", "env:S")
DATA = {"reference": "R-1", "order_id": "S-1", "items": [{"sku": "steam", "code": "AAAA-BBBB", "pin": None}]}


def secret_for(scheme: Scheme) -> Secret:
    return BASE64 if scheme.secret_encoding is SecretEncoding.BASE64 else TEXT


def test_what_is_shipped() -> None:
    """The list is sorted, and has what the README promises."""
    assert suppliers.names() == ["generic", "github", "standard-webhooks", "stripe", "svix"]


@pytest.mark.parametrize("name", suppliers.names())
def test_a_preset_is_whole(name: str) -> None:
    """Title, source and certainty say where it comes from; scheme and mapping pass their own checks."""
    preset = suppliers.preset(name)

    assert set(preset) - Scheme.KEYS == {"title", "source", "certainty", "codes", "map"}
    assert list(preset)[:3] == ["title", "source", "certainty"]
    assert preset["certainty"] in {"documented", "unconfirmed"}
    assert CodesRule(preset["codes"]) is CodesRule.REQUIRED
    assert Scheme.parse(suppliers.scheme_of(name)).kind.value == "hmac"
    assert Mapping.parse(preset["map"]).reference


@pytest.mark.parametrize(
    ("name", "in_body"), [(name, False) for name in suppliers.names()] + [("generic", True)], ids=str
)
def test_signed_and_verified(name: str, in_body: bool) -> None:  # noqa: FBT001 - parametrize fills it in
    """What is signed by a preset verifies by it, a changed body does not, and the mapping reads the order."""
    scheme = Scheme.parse(suppliers.scheme_of(name))
    keys = scheme.keys([secret_for(scheme)])
    word = {"type" if name in {"stripe", "svix"} else "event": "order.fulfilled"}
    body = json.dumps({**word, "timestamp": NOW, "data": DATA}, indent=2).encode()
    signed = sign(scheme, keys[0], body=body, now=NOW, message_id="msg_1", in_body=in_body)
    headers = tuple((key.lower().encode(), value.encode()) for key, value in signed.headers.items())
    headers += ((b"x-github-event", b"order.fulfilled"),)

    verified = verify(Delivery("acme", signed.body, headers, NOW, b""), scheme, keys, now=NOW)
    stored = StoredEvent(1, "acme", NOW, Via.WEBHOOK, "0", verified.matched, headers, verified.delivery.body)
    (event,) = read(stored, Mapping.parse(suppliers.preset(name)["map"])).said

    assert verified.event_id == (b"msg_1" if name in {"standard-webhooks", "svix"} else None)
    assert isinstance(event, Event)
    assert (event.type, event.reference, event.order_id) == (EventType.FULFILLED, "R-1", "S-1")
    assert (event.occurred_at, len(event.items)) == (NOW, 1)


def test_presets_are_copies() -> None:
    """Who changes what he was given changes it for nobody else."""
    suppliers.preset("generic")["map"].clear()

    assert suppliers.preset("generic")["map"]["reference"] == "/data/reference"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("generik", "did you mean generic?"),
        ("Stripe", "did you mean stripe?"),
        ("", "there are generic, github"),
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
