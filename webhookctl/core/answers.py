"""What a supplier's API answered: does it speak of our order, what is new in it, and how is that kept?

What is learned is stored as an event like a webhook, in JSON of our own, so that `apply` reads it whatever the
supplier's webhooks look like. Version 1; fields are added, never taken away or given another meaning:

    {"version": 1, "reference": "ORD-12345", "order_id": "SUP-99887", "status": "fulfilled",
     "updated_at": 1777000000000, "items": [{"sku", "code", "pin", "media_type"}]}

`updated_at` is the supplier's own time in milliseconds since 1970, or null. Codes are there where the API gave them.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import orjson

from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.events import Event, EventState, EventType, Item, Unmapped
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import STATUS_OF, CodesRule, Order, OrderStatus
from webhookctl.core.ports.supplier import Said
from webhookctl.core.redaction import Code, printable

VERSION: Final = 1
POLLED: Final = Mapping.parse(
    {
        "reference": "/reference",
        "order_id": "/order_id",
        "status": "/status",
        "occurred_at": "/updated_at",
        "items": "/items/*",
        "sku": "/sku",
        "code": "/code",
        "pin": "/pin",
        "media_type": "/media_type",
        "statuses": {status.value: status.value for status in OrderStatus},
    }
)
"""Where our own JSON has what."""
MATCHED: Final = "api"
"""What stands in the place of the secret that signed: the answer came over our own connection to the supplier."""

_LONGEST_SHOWN: Final = 60

NOT_FOUND: Final = "the supplier does not know this order"
NO_CODES: Final = "the supplier says fulfilled, and does not give every code"


@dataclass(frozen=True, slots=True)
class Learned:
    """The supplier says something of our order that is worth an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class Unmoved:
    """Nothing follows from the answer; `note` says why, where a person would wonder."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """The answer can't be read, or is not about our order."""

    reason: str


Finding: TypeAlias = Learned | Unmoved | Unfit
_NOTHING_NEW: Final = Unmoved()


def status_of(event: Event) -> OrderStatus:
    """Return the status that an event about an order names."""
    return STATUS_OF[event.type]


def find(order: Order, said: Said, *, codes: CodesRule, items: int) -> Finding:
    """Say what an answer about `order` means; `items` is how many items are known of it."""
    what = said.what
    if isinstance(what, Unmapped):
        return Unmoved(what.reason) if what.state is EventState.DONE else Unfit(what.reason)
    if what.type not in STATUS_OF:
        return Unfit("the answer does not speak of an order")
    if (stranger := _stranger(order, said, what)) is not None:
        return Unfit(stranger)
    if what.type is EventType.CREATED:
        return _NOTHING_NEW
    event = replace(
        what,
        supplier=order.supplier,
        reference=order.reference,
        order_id=order.order_id or what.order_id,
        via=Via.POLL,
        hint=False,
    )
    if event.type is EventType.FULFILLED and codes is CodesRule.REQUIRED and lacks_codes(event.items, items):
        return Unmoved(f"{NO_CODES} ({event.note})" if event.note else NO_CODES)
    return Learned(event) if _is_news(order, event) else _NOTHING_NEW


def lacks_codes(items: tuple[Item, ...], known: int) -> bool:
    """Return whether a code is missing; a PIN alone will do, as some goods have nothing else."""
    return len(items) < max(1, known) or any(not (item.code or item.pin) for item in items)


def _stranger(order: Order, said: Said, what: Event) -> str | None:
    """Say how the answer shows that it is about another order; an id that it leaves out shows nothing."""
    if order.order_id and what.order_id and what.order_id != order.order_id:
        return f"the answer is about order id {_shown(what.order_id)}, not {_shown(order.order_id)}: refused"
    if what.reference and what.reference != order.reference:
        return f"the answer is about reference {_shown(what.reference)}, not {_shown(order.reference)}: refused"
    if not said.by_reference and not order.order_id:
        return "nothing says that the answer is about this order: refused"
    return None


def _is_news(order: Order, event: Event) -> bool:
    """What the order is already is none, unless it comes with codes."""
    return status_of(event) is not order.status or any(item.code or item.pin for item in event.items)


def delivery_of(event: Event, *, now: int, delivery_id: bytes) -> Verified:
    """Return what is learned as a delivery, for the same intake as a webhook."""
    body = orjson.dumps(_document(event))
    headers = ((b"content-type", b"application/json"),)
    return Verified(Delivery(event.supplier, body, headers, now, delivery_id, Via.POLL, "GET"), MATCHED, key(event))


def key(event: Event) -> bytes:
    """Return what two answers that say the same have in common: `poll:{order_id}:{status}:{updated_at}:{digest}`.

    The reference is part of the digest beside the codes: an order may be known by it alone.
    """
    parts = [event.reference or "", *(_plain(code) for item in event.items for code in (item.code, item.pin))]
    digest = hashlib.sha256(orjson.dumps(parts)).hexdigest()
    moment = "" if event.occurred_at is None else event.occurred_at
    return f"poll:{event.order_id or ''}:{status_of(event)}:{moment}:{digest}".encode()


def _document(event: Event) -> dict[str, Any]:
    return {
        "version": VERSION,
        "reference": event.reference,
        "order_id": event.order_id,
        "status": status_of(event).value,
        "updated_at": event.occurred_at,
        "items": [
            {"sku": item.sku, "code": _plain(item.code), "pin": _plain(item.pin), "media_type": item.media_type}
            for item in event.items
        ],
    }


def _plain(code: Code | None) -> str | None:
    return None if code is None else code.reveal()


def _shown(name: str) -> str:
    return printable(name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…")
