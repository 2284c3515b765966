"""What the shop gets for an action, and how its codes are kept out of what comes back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.documents import document, excerpt
from webhookctl.core.events import Item
from webhookctl.core.orders import Action, ActionKind, ActionState, Order, OrderStatus, Paid
from webhookctl.core.ports.handler import Task
from webhookctl.core.redaction import Code

CODE, PIN = "ABCD-EFGH-1234-5678", "7391"
ORDER = Order(
    supplier="acme",
    reference="SHOP-1",
    status=OrderStatus.FULFILLED,
    created_at=1_790_000_000_000,
    updated_at=1_790_000_060_000,
    order_id="A-77",
    fulfilled_at=1_790_000_060_001,
    paid=Paid("25.00", "EUR"),
    items=(Item("GC-25", Code(CODE), Code(PIN)), Item("GC-5")),
)
ACTION = Action(
    id="0199aa00-0000-7000-8000-000000000001",
    supplier="acme",
    subject="SHOP-1",
    kind=ActionKind.DELIVER,
    cause="fulfilled",
    generation=1,
    state=ActionState.RUNNING,
    detail="The order is fulfilled.",
    created_at=1_790_000_060_002,
    attempts=1,
    next_at=None,
    started_at=None,
    error=None,
)
CODES = [Code(CODE), Code(PIN)]


def read(action: Action, order: Order | None) -> dict[str, Any]:
    value = json.loads(document(action, order))
    assert isinstance(value, dict)
    return value


def test_deliver_says_all() -> None:
    """A delivery holds the order, its codes in clear and what was paid."""
    assert read(ACTION, ORDER) == {
        "version": 1,
        "type": "deliver",
        "id": "0199aa00-0000-7000-8000-000000000001",
        "created_at": "2026-09-21T14:14:20.002Z",
        "supplier": "acme",
        "reference": "SHOP-1",
        "cause": "fulfilled",
        "detail": "The order is fulfilled.",
        "order": {
            "reference": "SHOP-1",
            "order_id": "A-77",
            "status": "fulfilled",
            "created_at": "2026-09-21T14:13:20.000Z",
            "fulfilled_at": "2026-09-21T14:14:20.001Z",
            "items": [{"sku": "GC-25", "code": CODE, "pin": PIN}, {"sku": "GC-5", "code": None, "pin": None}],
        },
        "paid": {"amount": "25.00", "currency": "EUR"},
    }


@pytest.mark.parametrize("kind", [kind for kind in ActionKind if kind is not ActionKind.DELIVER])
def test_only_deliver_holds_codes(kind: ActionKind) -> None:
    """Whatever else is told about an order is told without codes and pins."""
    raw = document(replace(ACTION, kind=kind), ORDER)

    assert CODE.encode() not in raw
    assert PIN.encode() not in raw
    assert json.loads(raw)["order"]["items"] == [{"sku": "GC-25"}, {"sku": "GC-5"}]


def test_no_order() -> None:
    """What belongs to a supplier has neither order nor reference."""
    said = read(replace(ACTION, subject="", kind=ActionKind.TOP_UP), None)

    assert (said["reference"], said["order"], said["paid"]) == (None, None, None)


def test_same_bytes_in_each_attempt() -> None:
    """A later attempt sends the very same bytes: the shop may compare them under one webhook-id."""
    later = replace(ACTION, attempts=7, state=ActionState.WAITING, error="500", next_at=5, started_at=6)

    assert document(later, ORDER) == document(ACTION, ORDER)


@pytest.mark.parametrize(
    "said",
    [
        "got ABCD-EFGH-1234-5678 ok",
        "got ABCDEFGH12345678 ok",
        "got abcd efgh 1234 5678 ok",
        "got ABCD_EFGH_1234_5678 ok",
        "got ABCD\\-EFGH\\-1234\\-5678 ok",
        "got\nABCD-EFGH-\t\t1234-5678\r\nok",
    ],
)
def test_codes_are_masked_in_any_form(said: str) -> None:
    """However a shop spells the code that it repeats, it is not kept; the rest is."""
    assert excerpt(said, CODES) == "got ••••• ok"


def test_pin_within_code_leaves_nothing() -> None:
    """A pin that is a part of the code does not cut the code's mask short."""
    order = replace(ORDER, items=(Item("x", Code("9999-7391-0000"), Code("7391")),))

    assert excerpt("9999-7391-0000, 7391", Task(ACTION, b"", order).codes) == "•••••, •••••"


@pytest.mark.parametrize("code", ["Grüße/Ω+1", "https://shop.example/r?c=é", "☃☃☃☃", 'a"b\\c'])
def test_codes_of_other_scripts_are_masked(code: str) -> None:
    """Codes with escapes, other scripts or no letters at all are masked, as they are and as JSON."""
    raw = [Code(code)]

    assert excerpt(f"<{code}>", raw) == "<•••••>"
    assert excerpt(f"<{json.dumps(code)[1:-1]}>", raw) == "<•••••>"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=4), st.text(), st.text())
def test_no_code_survives(code: str, before: str, after: str) -> None:
    """Whatever the code and the text around it, the code is not in what is kept."""
    raw = [Code(code)]

    assert code not in excerpt(before + code + after, raw).replace("•••••", "")


def test_half_a_code_at_the_end_is_not_kept() -> None:
    """Where a long text is cut, no beginning of a code stays at its end, however much was masked before."""
    raw = CODES

    kept = [excerpt(f"{CODE} " * 500 + "x" * shift, raw) for shift in range(20)]
    kept += [excerpt("x" * shift + f" {CODE}" * 500, raw) for shift in range(20)]

    assert not any("ABCD" in text for text in kept)
    assert max(map(len, kept)) <= 1024


def test_excerpt_is_one_printable_line() -> None:
    """What could act on a terminal or break a line is made visible, and the rest is cut off."""
    said = excerpt("a\n\tb\x1b[31m\u202ec " + "d" * 5000, CODES)

    assert said.startswith("a b\\x1b[31m\\u202ec ddd")
    assert len(said) == 1024


def test_nothing_to_mask() -> None:
    """Where no code is known, what was said stays as it is."""
    assert excerpt("7391", ()) == "7391"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('{"error": "no", "token": "t0p-secret", "n": 1}', '{"error": "no", "token": "•••••", "n": 1}'),
        ('{"voucher": {"any": "X1-Y2"}, "b": 2', '{"voucher": "•••••", "b": 2'),
        ('{"pin": 1234}', '{"pin": "•••••"}'),
        ('{"pin": null}', '{"pin": null}'),
        ('{"serial": "BROKEN-OFF-HERE', '{"serial": "•••••"'),
        ("status=ok&access_token=abc&x=1", "status=ok&access_token=•••••&x=1"),
        ("the error code: 17", "the error code: 17"),
    ],
)
def test_what_is_called_like_a_code_is_masked(said: str, kept: str) -> None:
    """Another order's code, or the shop's own token, is recognised by the name of its field."""
    assert excerpt(said, ()) == kept


def test_a_code_that_is_an_image_says_so() -> None:
    """The shop learns what the base64 is; where a code is text there is no such field."""
    order = replace(ORDER, items=(Item("a", Code("aGk="), None, "image/png"), Item("b", Code("X"))))

    items = json.loads(document(ACTION, order))["order"]["items"]

    assert items == [
        {"sku": "a", "code": "aGk=", "pin": None, "media_type": "image/png"},
        {"sku": "b", "code": "X", "pin": None},
    ]
