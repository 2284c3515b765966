"""What a year of a shop leaves behind, order by order: rows for a store, the same for the same numbers."""

import hashlib
import hmac
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from webhookctl.adapters.store_sqlite.intake import event_row
from webhookctl.adapters.store_sqlite.sealing import seal_code
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.events import EventState, EventType
from webhookctl.core.orders import ActionKind, ActionState, OrderStatus
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.redaction import Code

YEAR_MS: Final = 365 * 86_400_000
SUPPLIERS: Final = ("acme", "borealis", "corvus")
_SKUS: Final = ("STEAM-20-EUR", "PSN-50-USD", "XBOX-10-GBP", "NETFLIX-25-EUR")
_HEADERS: Final = (
    (b"host", b"shop.example"),
    (b"content-type", b"application/json"),
    (b"x-webhook-signature", b"sha256=" + b"0" * 64),
)
_THE_ORDER: Final = "order"


class Fate(Enum):
    """How an order ends: its status, the event that says so, and (kind, state, attempts) of each action it causes."""

    DELIVERED = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "done", 1),))
    AT_LAST = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "done", 3),))
    FAILED = (OrderStatus.FAILED, EventType.FAILED, (("alert", "done", 1), ("refund", "done", 1)))
    REFUNDED = (OrderStatus.REFUNDED, EventType.REFUNDED, (("deliver", "cancelled", 0), ("notify", "done", 1)))
    DEAD = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "dead", 4), ("alert", "done", 1)))
    AMBIGUOUS = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "ambiguous", 1),))
    HELD = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "held", 0),))
    PARTIAL = (OrderStatus.PARTIAL, EventType.PARTIAL, (("alert", "done", 1),))
    PENDING = (OrderStatus.PENDING, EventType.CREATED, ())
    DUE = (OrderStatus.FULFILLED, EventType.FULFILLED, (("deliver", "waiting", 0),))

    @property
    def has_codes(self) -> bool:
        return self.value[0] is OrderStatus.FULFILLED


_RARE: Final = (Fate.DEAD, Fate.AMBIGUOUS, Fate.HELD)
_RECENT: Final = (Fate.PENDING, Fate.DUE, Fate.PARTIAL)
_SHARES: Final = ((940, Fate.DELIVERED), (960, Fate.AT_LAST), (980, Fate.FAILED), (1000, Fate.REFUNDED))
"""Of a thousand orders, up to which number each fate goes; see `Shop.fate` for those that few have."""


@dataclass(frozen=True, slots=True)
class Shop:
    """So many orders, evenly over the year before `ends` (milliseconds since 1970), and so many events about them."""

    events: int
    orders: int
    ends: int

    def first_event(self, order: int) -> int:
        """Return the id of the first event about the order of this number; each order's come one after another."""
        return 1 + order * self.events // self.orders

    def moment(self, order: int, share: float = 0.0) -> int:
        """Return when the order was made, or a `share` (below 1) of the way to the next one's time."""
        return self.ends - YEAR_MS + int((order + share) * YEAR_MS / self.orders)

    def fate(self, order: int) -> Fate:
        """One in two thousand has gone wrong; the newest ones are still open."""
        left = self.orders - order
        if left <= max(9, self.orders // 5_000):
            return _RECENT[left % len(_RECENT)]
        if order % 2_000 == 1_000 or order in range(len(_RARE)):
            return _RARE[(order // 2_000 + order) % len(_RARE)]
        mixed = order * 2_654_435_761 % 1_000
        return next(fate for up_to, fate in _SHARES if mixed < up_to)


class Names(NamedTuple):
    """Who has the order, and what it is called."""

    supplier: str
    reference: str
    order_id: str


def names(order: int) -> Names:
    """Most references are counted up; those of the third supplier are random, as some shops make them."""
    supplier = SUPPLIERS[(0, 0, 0, 0, 0, 0, 1, 1, 1, 2)[order % 10]]
    if supplier == "corvus":
        return Names(supplier, hashlib.sha256(b"%d" % order).hexdigest()[:20], f"CV{order:09}")
    return Names(supplier, f"ORD-{order:08}", f"SUP-{order * 7 % 100_000_000:08}")


class _Came(NamedTuple):
    """An event: its id, when it came, and which order it is about."""

    id: int
    at: int
    of: Names
    number: int

    def body(self, type_: EventType) -> bytes:
        when = datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="seconds")
        code = f',"code":"{_code(self.number, 0)}"' if type_ is EventType.FULFILLED else ""
        item = f'{{"sku":"{_SKUS[self.number % len(_SKUS)]}"{code}}}'
        data = f'{{"order_id":"{self.of.order_id}","reference":"{self.of.reference}","items":[{item}]}}'
        return f'{{"event":"{type_.value}","timestamp":"{when}","data":{data}}}'.encode()


@dataclass(slots=True)
class Rows:
    """What goes into each table, in the order of `filling.STATEMENTS`."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    items: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    event_keys: list[tuple[Any, ...]] = field(default_factory=list)
    actions: list[tuple[Any, ...]] = field(default_factory=list)
    attempts: list[tuple[Any, ...]] = field(default_factory=list)


def rows(shop: Shop, numbers: Sequence[int], cipher: Cipher, dedup_key: bytes) -> Rows:
    """Make the rows of the orders of these numbers, bodies and codes encrypted."""
    writer = _Writer(shop, cipher, dedup_key, random.Random(numbers[0]), Rows())  # noqa: S311 - ids of made-up events
    for number in numbers:
        writer.order(number)
    writer.rows.event_keys.sort()  # into its table the quicker
    return writer.rows


@dataclass(frozen=True, slots=True)
class _Writer:
    shop: Shop
    cipher: Cipher
    dedup_key: bytes
    chance: random.Random
    rows: Rows

    def order(self, number: int) -> None:
        fate, of = self.shop.fate(number), names(number)
        status, _, actions = fate.value
        begun, ended = self.shop.moment(number), self.shop.moment(number, 0.5)
        is_open = fate in {Fate.PENDING, Fate.PARTIAL}
        times = (begun, ended, 1 if fate is Fate.PENDING else 2, of.order_id, ended if is_open else None)
        end = (None, None) if is_open else (status.value, ended)
        held = "failed before: a person must look" if fate is Fate.HELD else None
        fulfilled_at = ended if fate.has_codes else None
        self.rows.orders.append((of.supplier, of.reference, status.value, *times, fulfilled_at, "webhook", held, *end))
        self._items(number, of, fate)
        self._events(number, of, fate)
        for position, (kind, state, attempts) in enumerate(actions):
            self._action(of, ActionKind(kind), ActionState(state), attempts, ended + position)

    def _items(self, number: int, of: Names, fate: Fate) -> None:
        for position in range(1 + (number % 5 == 0)):
            code = Code(_code(number, position)) if fate.has_codes else None
            sealed = seal_code(self.cipher, code, (of.supplier, of.reference, position, "code"))
            self.rows.items.append((of.supplier, of.reference, position, _SKUS[number % len(_SKUS)], sealed))

    def _events(self, number: int, of: Names, fate: Fate) -> None:
        first, after = self.shop.first_event(number), self.shop.first_event(number + 1)
        ended = min(first + 1, after - 1)
        for one in range(first, after):
            came = _Came(one, self.shop.moment(number, 0.9 * (one - first) / (after - first)), of, number)
            if one in {first, ended}:
                self._said(came, fate.value[1] if one == ended else EventType.CREATED)
            else:
                self._more(came, fate, ended)

    def _said(self, came: _Came, type_: EventType) -> None:
        """Say something of the order for the first time."""
        via = Via.POLL if came.number % 50 == 7 and type_ is not EventType.CREATED else Via.WEBHOOK
        said = (type_, came.of.reference, came.of.order_id, came.at, None, None)
        self._event(came, came.body(type_), (EventState.DONE, *said), via)

    def _more(self, came: _Came, fate: Fate, ended: int) -> None:
        """Say it again, or say what no order hears; one in two hundred of these can't be read."""
        type_ = fate.value[1]
        if came.id % 200 == 0:
            self._event(came, b'{"event":', (EventState.DEAD, *[None] * 4, "no JSON: it ends too early", None))
        elif came.id % 3 == 0:
            self._event(came, b'{"event":"ping","n":%d}' % came.id, (EventState.IGNORED, *[None] * 4, "ping", None))
        elif fate in _RECENT:
            self._event(came, came.body(type_), (EventState.QUEUED, *[None] * 6))
        else:
            said = (type_, came.of.reference, came.of.order_id, came.at, None, ended)
            self._event(came, came.body(type_), (EventState.DUPLICATE, *said))

    def _event(self, came: _Came, body: bytes, outcome: tuple[Any, ...], via: Via = Via.WEBHOOK) -> None:
        supplier = came.of.supplier
        delivery = Delivery(supplier, body, _HEADERS, came.at, self._uuid7(came.at), via)
        row = event_row(self.cipher, Verified(delivery, "" if via is Via.POLL else f"env:{supplier.upper()}_SECRET"))
        self.rows.events.append((came.id, *row, *(x.value if isinstance(x, StrEnum) else x for x in outcome)))
        if outcome[0] in {EventState.DONE, EventState.IGNORED}:
            # As `apply` has it: the body's digest, under the store's own key.
            key = hmac.digest(self.dedup_key, b"body:" + hashlib.sha256(body).digest(), "sha256")[:16]
            self.rows.event_keys.append((supplier, key, came.id))

    def _action(self, of: Names, kind: ActionKind, state: ActionState, attempts: int, at: int) -> None:
        name = str(UUID(bytes=self._uuid7(at)))
        over = state in {ActionState.DONE, ActionState.DEAD, ActionState.CANCELLED}
        ended = at + 50 + 5_000 * max(0, attempts - 1)
        times = (at, attempts, at if state is ActionState.WAITING else None, ended if over else None)
        error = "the shop answered 500" if state is ActionState.DEAD else None
        self.rows.actions.append(
            (name, of.supplier, of.reference, kind.value, _THE_ORDER, state.value, *times, error, "")
        )
        for number in range(1, attempts + 1):
            last = number == attempts
            how = (state.value, "200" if over else "") if last else ("waiting", "the shop answered 500")
            self.rows.attempts.append((name, number, at + 50 + 5_000 * (number - 1), *how))

    def _uuid7(self, at: int) -> bytes:
        chance = self.chance.getrandbits(74)
        return (at << 80 | 0x7 << 76 | (chance >> 62) << 64 | 0x2 << 62 | chance & ~(~0 << 62)).to_bytes(16)


def _code(number: int, position: int) -> str:
    digits = hashlib.sha256(b"%d/%d" % (number, position)).hexdigest().upper()
    return f"{digits[:5]}-{digits[5:10]}-{digits[10:15]}"


def parts(orders: int, at_once: int) -> Iterator[range]:
    """Divide so many orders into ranges of their numbers."""
    for first in range(0, orders, at_once):
        yield range(first, min(first + at_once, orders))
