"""The JSON document that the shop gets for an action, and how to keep its codes out of what the shop says back.

Version 1; fields are added, never taken away or given another meaning. Every attempt at an action sends the same bytes
unless the order changed meanwhile, as nothing in it belongs to the attempt.

    {"version": 1, "type": "deliver", "id": "<the webhook-id>", "created_at": "2026-05-01T10:00:00.000Z",
     "supplier": "acme", "reference": "SHOP-1001", "cause": "...", "detail": "...",
     "order": {"reference", "order_id", "status", "created_at", "fulfilled_at", "items": [{"sku", "code", "pin"}]},
     "paid": {"amount": "10.00", "currency": "EUR"}}

`order`, `paid` and `reference` are null where there is none. Items have `code` and `pin` in a `deliver` only; where the
code is no text, `media_type` is there too (`image/png`), and `code` is the base64 of that.
"""

import json
import re
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import orjson

from webhookctl.core.events import Item
from webhookctl.core.moments import exact
from webhookctl.core.orders import Action, ActionKind, Order
from webhookctl.core.redaction import Code, printable, redact_text

VERSION: Final = 1
PING: Final = "ping"
"""The type of what is no action."""
_MASK: Final = "•••••"
_MOST_KEPT: Final = 1024
_MOST_SHOWN: Final = 3 * 1024
_MOST_SEARCHED: Final = 4 * 1024
_MOST_READ: Final = 64 * 1024


def document(action: Action, order: Order | None) -> bytes:
    """Return the document for `action` on `order` (None: it belongs to no order that is known)."""
    paid = order.paid if order else None
    return orjson.dumps(
        {
            "version": VERSION,
            "type": action.kind.value,
            "id": action.id,
            "created_at": exact(action.created_at),
            "supplier": action.supplier,
            "reference": action.subject or None,
            "cause": action.cause,
            "detail": action.detail,
            "order": _order(order, with_codes=action.kind is ActionKind.DELIVER) if order else None,
            "paid": {"amount": paid.amount, "currency": paid.currency} if paid else None,
        }
    )


def ping(message_id: str, now: int) -> bytes:
    """Return the document that asks for nothing: the fields of all others, of no order and no action."""
    nothing = dict.fromkeys(("supplier", "reference", "order", "paid"))
    said = {"cause": "doctor", "detail": "webhookctl doctor asks whether you are there: do nothing, answer 2xx."}
    return orjson.dumps(
        {"version": VERSION, "type": PING, "id": message_id, "created_at": exact(now), **said, **nothing}
    )


def _order(order: Order, *, with_codes: bool) -> dict[str, Any]:
    return {
        "reference": order.reference,
        "order_id": order.order_id,
        "status": order.status.value,
        "created_at": exact(order.created_at),
        "fulfilled_at": None if order.fulfilled_at is None else exact(order.fulfilled_at),
        "items": [_with_code(item) if with_codes else {"sku": item.sku} for item in order.items],
    }


def _with_code(item: Item) -> dict[str, str | None]:
    shown = {
        "sku": item.sku,
        "code": item.code.reveal() if item.code else None,
        "pin": item.pin.reveal() if item.pin else None,
    }
    return shown | ({"media_type": item.media_type} if item.media_type else {})


def excerpt(text: str, codes: Collection[Code]) -> str:
    """Return the beginning of `text` fit for the record: on one line, printable, without `codes` and the like.

    For what a shop's endpoint or command says back: it likes to repeat what it was given, grouped, escaped or
    capitalised in its own way, and it may know the order's codes though it was not given them.
    """
    words = " ".join(text[:_MOST_READ].split())[:_MOST_SEARCHED]
    hidden = bytearray(len(words))
    for pattern in _patterns(words, {code.reveal() for code in codes}):
        # A lookahead finds those that overlap, too: a pin may be a part of a code.
        for match in re.finditer(f"(?=({pattern}))", words, re.IGNORECASE):
            hidden[match.start(1) : match.end(1)] = bytes([1]) * len(match[1])
    # The end is not shown, as the half of a code may stand there.
    runs = groupby(zip(words[:_MOST_SHOWN], hidden, strict=False), key=itemgetter(1))
    shown = "".join(_MASK if secret else "".join(char for char, _ in run) for secret, run in runs)
    return printable(redact_text(shown))[:_MOST_KEPT]


def _patterns(words: str, codes: Collection[str]) -> Iterator[str]:
    r"""Yield a pattern for each code in `words`: as it is, as JSON, or with up to three signs (`-`, `\/`) between."""
    bare_words = _bare(words) if codes else ""
    for value in filter(None, codes):
        # Looking first is quick, and an order of a thousand codes has three thousand patterns.
        if (bare := _bare(value)) and bare in bare_words:
            yield r"[\W_]{0,3}".join(re.escape(char) for char in value if char.isalnum())
        for written in (value, json.dumps(value)[1:-1]):
            form = " ".join(written.split())
            if form and form.lower() in words.lower():
                yield re.escape(form)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
