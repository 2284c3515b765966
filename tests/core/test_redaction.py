"""What may be shown of any supplier's JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.redaction import guarded, mask, redact, redact_text

CANARY = "CANARY-9F3C-77AB"
HIDDEN = "•••••-••••-AB"
NAMES = [
    "code",
    "codes",
    "pin",
    "PIN",
    "pins",
    "serial",
    "serials",
    "key",
    "keys",
    "epin",
    "ePin",
    "voucher",
    "token",
    "cardNumber",
    "card_number",
    "sn",
    "SN",
    "cardPin",
    "pinCode",
    "pin_code",
    "giftCode",
    "giftCardCode",
    "redeemCode",
    "redemption_code",
    "activationCode",
    "activationKey",
    "licenseKey",
    "cdKey",
    "cd_key",
    "gameKey",
    "serialNumber",
    "serial-number",
    "voucherCode",
    "voucherNumber",
    "couponCode",
    "accessCode",
    "securityCode",
    "cvv",
    "CVV2",
    "redeemUrl",
    "redemptionLink",
    "claimLink",
    "url",
    "qrCode",
    "qrcode_url",
    "matching_id",
    "direct_apple_installation_url",
    "individual_gift_link",
    "barcode",
    "lpa",
    "secret",
    "clientSecret",
    "password",
    "accessToken",
    "refresh_token",
    "apiKey",
    "signature",
    "productKey",
    "digitalCode",
    "topupCode",
    "keyCode",
    "secretCode",
    "redeem_value",
]
HARMLESS = [
    "countryCode",
    "currency_code",
    "statusCode",
    "errorCode",
    "productCode",
    "sku",
    "reference",
    "orderId",
    "status",
    "name",
    "message",
    "keyword",
    "pinned",
    "serialized",
    "tokenized",
    "codec",
    "description",
    "type",
    "amount",
    "quantity",
    "zipcode",
]


@pytest.mark.parametrize("name", NAMES)
def test_confidential_names(name: str) -> None:
    """At any depth, as a value, a list, an object or a number; the structure stays."""
    value = {"data": [{name: CANARY, "n": {name: [CANARY, {"value": CANARY}]}}], name: {"any": {"thing": CANARY}}}

    shown = redact(value)

    assert CANARY not in json.dumps(shown)
    assert shown["data"][0] == {name: HIDDEN, "n": {name: [HIDDEN, {"value": HIDDEN}]}}
    assert redact({name: 1234567}) == {name: "•••••"}
    assert redact({name: None, "x": {name: True}}) == {name: None, "x": {name: True}}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_names(name: str) -> None:
    """What a person needs to find a fault is shown."""
    assert redact({"a": [{name: "VALUE"}]}) == {"a": [{name: "VALUE"}]}


@pytest.mark.parametrize("code", ["ABCD-1234-EFGH", "1234-5678-9012-3456", "AB12C-DE34F-GH56I"])
@pytest.mark.parametrize("text", ["{}", "Your code: {}.", '{{"steps": ["enter {}"]}}', "go to shop.example/#{}"])
def test_what_is_shaped_like_a_code_needs_no_name(code: str, text: str) -> None:
    """A supplier may put it anywhere, in a member of any name or amid a sentence; so may what the shop answers."""
    assert code not in json.dumps(redact({"description": text.format(code)}))
    assert code not in redact_text(text.format(code))


@pytest.mark.parametrize("text", ["2026-05-01T10:00:00Z", "ORD-2026-000123", "0198c2f0-1111-7222-8333-444455556666"])
def test_times_references_and_ids_are_no_codes(text: str) -> None:
    """What is grouped unevenly is shown; so is a UUID, in capitals too."""
    assert [redact(text), redact(text.upper())] == [text, text.upper()]


def test_a_link_within_a_sentence() -> None:
    """Its confidential parameters are masked."""
    shown = redact({"how": f"visit https://s.example/r?id=5&code={CANARY}"})

    assert shown == {"how": "visit https://s.example/r?id=5&code=•••••"}


def test_json_within_a_text() -> None:
    """Some suppliers wrap their data in a string; even one that is broken off gives nothing away."""
    inner = json.dumps({"order": {"code": CANARY, "status": "ok"}})

    assert json.loads(redact({"payload": inner})["payload"]) == {"order": {"code": HIDDEN, "status": "ok"}}
    broken = redact({"payload": inner[:-9]})["payload"]
    assert CANARY not in broken
    assert '"code": "•••••"' in broken


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)), st.sampled_from(NAMES)
)
def test_whatever_stands_within_a_confidential_member(inner: Any, name: str) -> None:  # noqa: ANN401 - any JSON
    """Every text in it is masked, however it is nested."""

    def texts(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            return [text for member in value.values() for text in texts(member)]
        return [text for member in value for text in texts(member)] if isinstance(value, list) else [value]

    assert texts(redact({name: inner})) == [mask(text) for text in texts({name: inner})]


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    """Whatever comes back from a shop, redacting it ends, and redacting it again changes nothing."""
    once = redact_text(text)

    assert redact_text(once) == once


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("XXXXX-YYYYY-ZZZZZ", "•••••-•••••-ZZ"),
        ("ABCDEFGHIJKLMNOP", "•••••OP"),
        ("1234", "•••••"),
        ("ABC-DEF-GHI", "•••••"),
        ("", "•••••"),
        ("ABCDEFGHIJKLM-\n", "•••••"),
    ],
)
def test_mask(code: str, shown: str) -> None:
    """Grouping and the last two characters of a long one; of a short one nothing."""
    assert mask(code) == shown


@pytest.mark.parametrize("cell", ["=1+1", " =1", "\t=1", "+1", "@SUM(A1)", "-1+1", "|calc", *"＝＋－＠"])  # noqa: RUF001 - meant so
def test_a_cell_that_begins_a_formula(cell: str) -> None:
    """A sheet takes it for text, in whatever width it was written."""
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-", "-1", "-12.5", "ORD-1", "a=b", "1|2"])
def test_a_cell_that_begins_none(cell: str) -> None:
    """It stays as it is: numbers below zero are no formulas."""
    assert guarded(cell) == cell
