"""What the tests of the stores are built of."""

from dataclasses import replace
from typing import Protocol
from uuid import UUID

from webhookctl.core.deliveries import Delivery, Headers, Verified, Via
from webhookctl.core.errors import Reason
from webhookctl.core.events import Event, EventState, EventType, Item
from webhookctl.core.orders import ActionKind, ActionState, Move, NewAction, Order, OrderStatus, Restraint
from webhookctl.core.ports.alarms import Alarms
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent, Events
from webhookctl.core.ports.feed import Feed
from webhookctl.core.ports.intake import Intake
from webhookctl.core.ports.leases import Leases
from webhookctl.core.ports.orders import Orders
from webhookctl.core.ports.outbox import ClaimedAction, Outbox
from webhookctl.core.ports.quarantine import Quarantine
from webhookctl.core.ports.replays import Replays
from webhookctl.core.ports.reports import Reports
from webhookctl.core.ports.upkeep import Upkeep
from webhookctl.core.quarantine import Rejection
from webhookctl.core.redaction import Code

NOW = 1_777_000_000_000
LEASE = 60_000
HEADERS: Headers = ((b"content-type", b"application/json"), (b"x-name", b"caf\xe9"), (b"x-empty", b""))


class Store(Protocol):
    """A store, whatever it is made of."""

    @property
    def intake(self) -> Intake: ...
    @property
    def events(self) -> Events: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def alarms(self) -> Alarms: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def replays(self) -> Replays: ...
    @property
    def feed(self) -> Feed: ...
    def close(self) -> None: ...


def verified(
    number: int = 1,
    *,
    supplier: str = "acme",
    body: bytes = b'{"event":"order.created"}',
    received_at: int | None = None,
    event_id: bytes | None = None,
) -> Verified:
    """Make a delivery; `number` gives it its id and its place in time."""
    at = NOW + number if received_at is None else received_at
    return Verified(
        Delivery(supplier, body, HEADERS, at, delivery_id(number).bytes, Via.WEBHOOK, "POST", "https://shop.example/w"),
        "env:ACME_SECRET",
        event_id,
    )


def rejection(
    number: int = 1,
    *,
    supplier: str = "acme",
    sender: str = "203.0.113.7",
    body: bytes = b'{"event":"order.created"}',
    reason: Reason = Reason.MISMATCH,
) -> Rejection:
    """Make a delivery that was rejected; `number` gives it its id and its place in time."""
    return Rejection(verified(number, supplier=supplier, body=body).delivery, sender, reason, f"no {number}")


def delivery_id(number: int) -> UUID:
    return UUID(int=(NOW + number) << 80 | 7 << 76 | 2 << 62 | number)


def claim_events(store: Store, *, now: int = NOW, limit: int = 100) -> list[ClaimedEvent]:
    return [one for one in store.events.claim(now=now, limit=limit, lease_ms=LEASE) if isinstance(one, ClaimedEvent)]


def arrive(store: Store, *numbers: int, supplier: str = "acme") -> list[ClaimedEvent]:
    """Take deliveries in and claim them."""
    store.intake.accept([verified(number, supplier=supplier) for number in numbers or (1,)])
    return claim_events(store)


def order(reference: str = "ORD-1", *, supplier: str = "acme", created_at: int = NOW) -> Order:
    return Order(
        supplier,
        reference,
        OrderStatus.PENDING,
        created_at,
        created_at,
        order_id=f"SUP-{reference}",
        items=(Item("steam-20"),),
    )


def action(kind: ActionKind = ActionKind.DELIVER, *, of: Order | None = None, cause: str = "order") -> NewAction:
    return NewAction(*(of or order()).key, kind, cause)


def said(of: Order, type_: EventType = EventType.CREATED) -> Event:
    return Event(of.supplier, type_, of.reference, of.order_id, NOW - 5)


def application(claimed: ClaimedEvent, *moves: Move, of: Order | None = None, key: bytes | None = None) -> Application:
    event = said(of or order(supplier=claimed.event.supplier))
    return Application(claimed.event.id, claimed.claim, EventState.DONE, None, event, key, moves)


def write(store: Store, *moves: Move, now: int = NOW) -> Applied:
    """Have an event cause `moves`."""
    store.intake.accept([verified(received_at=now)])
    claimed = claim_events(store, now=now)[-1]
    of = next((move.order for move in moves if move.order), None)
    (applied,) = store.events.apply([application(claimed, *moves, of=of)], now=now)
    return applied


def restrain(store: Store, kind: ActionKind, state: ActionState, *, now: int = NOW) -> None:
    """Have an event restrain the actions of ORD-1 of this kind."""
    assert write(store, Move(None, (), (Restraint(kind, state, f"{state} by a test"),)), now=now) is Applied.DONE


def put(store: Store, *kinds: ActionKind, state: ActionState = ActionState.WAITING) -> None:
    """Have order ORD-1 cause an action of each kind."""
    moves = [Move(None, (replace(action(kind), state=state),)) for kind in kinds or (ActionKind.DELIVER,)]
    if ("acme", "ORD-1") not in store.orders.get([("acme", "ORD-1")]):
        moves.insert(0, Move(order()))
    assert write(store, *moves) is Applied.DONE


def claim_actions(store: Store, *kinds: ActionKind, now: int = NOW, limit: int = 10) -> list[ClaimedAction]:
    return store.outbox.claim(kinds or tuple(ActionKind), now=now, limit=limit, lease_ms=LEASE)


def with_code(before: Order, code: str, pin: str | None = None) -> Order:
    items = (Item("steam-20", Code(code), Code(pin) if pin else None),)
    return replace(before, status=OrderStatus.FULFILLED, items=items, fulfilled_at=NOW)
