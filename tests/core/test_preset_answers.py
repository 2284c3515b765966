"""What a supplier's API answers is read by its preset: the status, and the codes where they come."""

import json
from functools import cache
from typing import Any, Final

import pytest

from webhookctl import suppliers
from webhookctl.config.api_settings import ApiSettings
from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.mapping import Mapping, read_answer, read_items
from webhookctl.core.ports.supplier import Api
from webhookctl.core.redaction import Code
from webhookctl.suppliers.api import KINDS

PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
KEYS: Final = [
    {"serial": "0ddbebb2-559d", "type": "text/plain", "productId": "5c9b"},
    {"serial": PIXEL, "type": "image/png", "productId": "5c9b"},
]
KINGUIN: Final = {"status": "completed", "orderId": "PHS84FJAG5U", "orderExternalId": "R-1", "totalPrice": 5.79}
BAMBOO: Final = {
    "orderId": 77120,
    "requestId": "R-1",
    "status": "Succeeded",
    "items": [
        {"productId": 1, "cards": [{"cardCode": "A", "pin": "1"}, {"cardCode": "B", "pin": None}]},
        {"productId": 2, "cards": [{"cardCode": "C", "pin": ""}]},
    ],
}

# Of each supplier: what it answers about an order, and about its codes where these come by a second call.
ANSWERS: Final[dict[str, tuple[Any, Any, list[Item]]]] = {
    "airalo": (
        {"data": {"id": 9666, "status": {"slug": "completed"}, "sims": [{"iccid": "89", "qrcode": "LPA:1$x$Y"}]}},
        None,
        [Item("89", Code("LPA:1$x$Y"))],
    ),
    "bamboo": (BAMBOO, None, [Item(None, Code("A"), Code("1")), Item(None, Code("B")), Item(None, Code("C"))]),
    "bamboo-notification": (
        BAMBOO,
        None,
        [Item(None, Code("A"), Code("1")), Item(None, Code("B")), Item(None, Code("C"))],
    ),
    "generic": (
        {
            "order_id": "SUP-1",
            "reference": "R-1",
            "status": "fulfilled",
            "items": [{"sku": "a", "code": "G", "pin": "1"}],
        },
        None,
        [Item("a", Code("G"), Code("1"))],
    ),
    "bitrefill": (
        {"data": {"id": "66b2", "status": "delivered", "redemption_info": {"code": "B-1", "pin": "22"}}},
        None,
        [Item(None, Code("B-1"), Code("22"))],
    ),
    "codeswholesale": (
        {
            "orderId": "4c1a",
            "clientOrderId": "R-1",
            "status": "Completed",
            "products": [{"codes": [{"code": "K-1", "codeType": "CODE_TEXT"}]}, {"codes": [{"code": "K-2"}]}],
        },
        None,
        [Item(None, Code("K-1")), Item(None, Code("K-2"))],
    ),
    "dt-one": (
        {"id": 2240127913, "external_id": "R-1", "status": {"class": {"message": "COMPLETED"}}, "pin": {"code": "P-1"}},
        None,
        [Item(None, Code("P-1"))],
    ),
    "kinguin": (KINGUIN, KEYS, [Item("5c9b", Code("0ddbebb2-559d")), Item("5c9b", Code(PIXEL), None, "image/png")]),
    "reloadly": (
        {"transactionId": 48213, "status": "SUCCESSFUL", "customIdentifier": "R-1"},
        [{"cardNumber": "6120200345149064", "pinCode": "3412"}],
        [Item(None, Code("6120200345149064"), Code("3412"))],
    ),
    "runa": (
        {"id": "O-1", "status": "COMPLETED", "items": [{"payout": {"url": "https://spend.example/x"}}]},
        None,
        [Item(None, Code("https://spend.example/x"))],
    ),
    "tango": (
        {
            "referenceOrderID": "RA1",
            "externalRefID": "R-1",
            "status": "COMPLETE",
            "reward": {"credentialList": [{"label": "Redemption URL", "value": "https://t.example/x"}]},
        },
        None,
        [Item("Redemption URL", Code("https://t.example/x"))],
    ),
    "tremendous": (
        {
            "order": {
                "id": "2V3P",
                "external_id": "R-1",
                "status": "EXECUTED",
                "rewards": [{"delivery": {"method": "LINK", "link": "https://r.example/x"}}],
            }
        },
        None,
        [Item(None, Code("https://r.example/x"))],
    ),
    "zendit": (
        {"transactionId": "R-1", "status": "DONE", "receipt": {"epin": "Z-1"}},
        None,
        [Item(None, Code("Z-1"))],
    ),
}


@cache
def asked(name: str) -> Api:
    """Return how the preset asks, its secrets being references to nothing."""
    preset = suppliers.preset(name)
    auth = preset["api"].get("auth", {"kind": "none"})
    secrets = dict.fromkeys(KINDS[auth["kind"]][1], "env:NOTHING")
    table = {"base_url": "https://api.acme.example", **preset["api"], "auth": {**auth, **secrets}}
    return ApiSettings.model_validate(table).api(Mapping.parse(preset["map"]))


def test_every_api_has_an_answer() -> None:
    """No preset says how to ask without a test of what it makes of the answer."""
    assert set(ANSWERS) == {name for name in suppliers.names() if "api" in suppliers.preset(name)}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read(name: str) -> None:
    """The order is fulfilled, and its codes are there: in the answer, or in that of the second call."""
    answer, more, items = ANSWERS[name]
    api = asked(name)

    (event,) = read_answer(name, json.dumps(answer).encode(), api.places)

    assert isinstance(event, Event)
    assert event.type is EventType.FULFILLED
    assert event.reference in {None, "R-1"}
    assert (api.then is None) == (more is None)
    if api.then is None:
        assert list(event.items) == items
    else:
        assert read_items(name, json.dumps(more).encode(), api.then.places) == tuple(items)
