"""What do stored events say of orders, and where does that move them? Asked of the store, and nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhookctl.core.answers import POLLED
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import RowError
from webhookctl.core.events import Event, EventState, EventType, Spoken, StoredEvent, Unmapped
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.mapping import read
from webhookctl.core.orders import (
    ActionKind,
    ConfirmRule,
    Move,
    NewAction,
    Order,
    Policy,
    advance,
    advance_again,
    held_back,
)
from webhookctl.core.ports.events import Application
from webhookctl.core.ports.orders import Orders

_UNREADABLE_COOLDOWN_MS: Final = 3_600_000
_TOLD: Final = 3
"""Of the orders in one delivery that could not be read, so many are named."""
_HAD_ITS_SAY: Final = frozenset({EventState.DONE, EventState.DUPLICATE})


@dataclass(frozen=True, slots=True)
class Supplier:
    """What is needed to know of a supplier."""

    mapping: Places
    policy: Policy


@dataclass(frozen=True, slots=True)
class Reading:
    """An event of the store, and what it says of each order."""

    id: int
    said: tuple[Event | Unmapped, ...]
    claim: str | None = None
    """None: it is handled again, as `before` says it stood."""
    key: bytes | None = None
    before: StoredEvent | None = None
    is_imported: bool = False

    @property
    def was_handled(self) -> bool:
        return self.before is not None and self.before.state is not EventState.QUEUED

    def had_its_say(self, said: Event) -> bool:
        """Say whether this was said of this order, and handled, before."""
        before = self.before
        if before is None:
            return False
        if before.orders:
            return any(
                (one.state, one.type, one.reference) == (EventState.DONE, said.type, said.reference)
                for one in before.orders
            )
        return before.state in _HAD_ITS_SAY and (before.type, before.reference) == (said.type, said.reference)


@dataclass(frozen=True, slots=True)
class Handling:
    """Makes of events what is to be written."""

    orders: Orders
    suppliers: Mapping[str, Supplier]

    def read(self, event: StoredEvent, claim: str | None) -> Reading:
        """Map an event to our words; without a claim it is one that is handled again."""
        before = event if claim is None else None
        supplier = self.suppliers.get(event.supplier)
        if supplier is None:
            reason = f"supplier {event.supplier} is not in the settings"
            return Reading(event.id, (Unmapped(event.supplier, EventState.DEAD, reason),), claim, None, before)
        reading = read(event, POLLED if event.via is Via.POLL else supplier.mapping)
        said = reading.said
        if supplier.policy.confirm is ConfirmRule.POLL and event.via is not Via.POLL:
            said = tuple(map(_hinted, said))
        return Reading(event.id, said, claim, reading.key, before, event.is_imported)

    def known(self, readings: Sequence[Reading], moved: "Moved | None" = None) -> "Known":
        """Look up the orders that `readings` speak of; those that are in `moved` are as that says."""
        moved = Moved() if moved is None else moved
        spoken = [said for reading in readings for said in reading.said if isinstance(said, Event)]
        named = {(said.supplier, said.order_id) for said in spoken if said.order_id and not said.reference}
        references = self.orders.references_of(named) if named else {}
        keys = {(said.supplier, said.reference) for said in spoken if said.reference}
        keys |= {(supplier, one) for (supplier, _), found in references.items() for one in found}
        keys |= {(supplier, moved.named[supplier, one]) for supplier, one in named if (supplier, one) in moved.named}
        orders = self._orders({key for key in keys if key not in moved.orders})
        at = self.orders.suppliers_of({reference for _, reference in keys})
        return Known(orders | {key: moved.orders[key] for key in keys & moved.orders.keys()}, at, references, moved)

    def _orders(self, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Order | RowError]:
        """Read the orders; one that can't be read must not keep its neighbours waiting."""
        try:
            return dict(self.orders.get(keys))
        except RowError:
            found = dict[tuple[str, str], Order | RowError]()
            for key in keys:
                try:
                    found.update(self.orders.get({key}))
                except RowError as error:
                    found[key] = error
            return found

    def application(self, reading: Reading, known: "Known", now: int) -> Application:
        """Say what is to be written of an event; `known` is from then on as if it were."""
        taken = [self._taken(reading, said, known, now) for said in reading.said]
        several = len(taken) > 1
        return Application(
            reading.id,
            reading.claim,
            _state(taken),
            _told(taken) if several else taken[0].reason,
            None if several else taken[0].said,
            reading.key if all(one.settled for one in taken) else None,
            tuple(one.move for one in taken if one.move is not None),
            tuple(one.spoken for one in taken) if several else (),
            None if reading.before is None else reading.before.state,
        )

    def _taken(self, reading: Reading, said: Event | Unmapped, known: "Known", now: int) -> "_Taken":
        """Say where one order moves."""
        if isinstance(said, Unmapped):
            is_told = said.state is EventState.DEAD and said.supplier
            return _Taken(said, said.state, said.reason, _unreadable(reading, said.supplier, now) if is_told else None)
        found = known.resolved(said)
        if isinstance(found, Unmapped):
            # Without its key: the store queues it again once the order is known, and it must be no duplicate of itself.
            return _Taken(found, found.state, found.reason, settled=False)
        order = known.orders.get((found.supplier, found.reference or ""))
        if isinstance(order, RowError):
            # As above: once the store's key is back.
            unreadable = _unreadable(reading, found.supplier, now)
            return _Taken(found, EventState.DEAD, str(order), unreadable, settled=False)
        step = advance_again if reading.had_its_say(found) else advance
        policy, elsewhere = self.suppliers[found.supplier].policy, known.at_suppliers(found.reference or "")
        move = step(order, found, policy, known_at=elsewhere, now=now)
        if reading.is_imported:
            move = held_back(move, order)
        known.remember(move)
        return _Taken(found, EventState.DONE, "; ".join(filter(None, (move.note, found.note))) or None, move)


def _unreadable(reading: Reading, supplier: str, now: int) -> Move | None:
    """Tell a person that something of this supplier can't be read: now and then, as there may be thousands of it.

    Whoever handles it again knows.
    """
    if reading.was_handled:
        return None
    detail = f"An event of {supplier} can't be read: `webhookctl events list --state dead` says why."
    cause, cooldown_ms = f"unreadable:{now}", _UNREADABLE_COOLDOWN_MS
    return Move(None, (NewAction(supplier, "", ActionKind.ALERT, cause, detail=detail, cooldown_ms=cooldown_ms),))


def _hinted(said: Event | Unmapped) -> Event | Unmapped:
    """Make a hint of what is said: of an order in a status never seen, too, as the supplier is asked anyway."""
    if isinstance(said, Event):
        return replace(said, hint=True)
    if said.state is not EventState.DONE or not (said.reference or said.order_id):
        return said
    return Event(said.supplier, EventType.CREATED, said.reference, said.order_id, hint=True, note=said.reason)


@dataclass(slots=True)
class Moved:
    """The orders that were moved and are not in the store so, as they are then."""

    orders: dict[tuple[str, str], Order] = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    """Per (supplier, order id) the reference."""
    at: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Per reference the suppliers that have an order of it."""


@dataclass(slots=True)
class Known:
    """The orders that a batch speaks of, as they are once what was taken so far is written."""

    orders: dict[tuple[str, str], Order | RowError]
    at: dict[str, tuple[str, ...]]
    """The suppliers that have an order of this reference."""
    references: Mapping[tuple[str, str], tuple[str, ...]]
    """The references of the orders of this (supplier, order id)."""
    moved: Moved

    def at_suppliers(self, reference: str) -> tuple[str, ...]:
        return (*self.at.get(reference, ()), *self.moved.at.get(reference, ()))

    def resolved(self, said: Event) -> Event | Unmapped:
        """Return the event with the order's reference, where the supplier only gave its own id."""
        if said.reference is not None or said.type is EventType.BALANCE_LOW:
            return said
        key = (said.supplier, said.order_id or "")
        found = {*self.references.get(key, ()), *filter(None, [self.moved.named.get(key)])}
        if len(found) == 1:
            return replace(said, reference=found.pop())
        reason = (
            f"it names no reference, and no order of {said.supplier} has the id {said.order_id!r} yet: this is applied "
            "once that order is registered"
        )
        if found:
            reason = f"several orders have the id {said.order_id!r}: {', '.join(sorted(found))}"
        return Unmapped(said.supplier, EventState.DEAD, reason, None, said.order_id)

    def remember(self, move: Move) -> None:
        order = move.order
        if order is None:
            return
        after = replace(order, version=order.version + 1)
        self.orders[order.key] = self.moved.orders[order.key] = after
        self.moved.at.setdefault(order.reference, ())
        if order.supplier not in self.moved.at[order.reference]:
            self.moved.at[order.reference] += (order.supplier,)
        if order.order_id:
            self.moved.named[order.supplier, order.order_id] = order.reference


@dataclass(frozen=True, slots=True)
class _Taken:
    """What becomes of one order that a delivery speaks of."""

    said: Event | Unmapped
    state: EventState
    reason: str | None
    move: Move | None = None
    settled: bool = True
    """False: the same delivery may yet mean more."""

    @property
    def spoken(self) -> Spoken:
        type_ = self.said.type if isinstance(self.said, Event) else None
        return Spoken(self.state, type_, self.said.reference, self.said.order_id, self.reason)


def _state(taken: Sequence[_Taken]) -> EventState:
    """Return `done` where one order was handled; which ones were not, the reason says."""
    states = {one.state for one in taken}
    if not all(one.settled for one in taken):
        return EventState.DEAD
    return next(state for state in (EventState.DONE, EventState.DEAD, EventState.IGNORED) if state in states)


def _told(taken: Sequence[_Taken]) -> str | None:
    """Name the orders of a delivery that were not handled, or about which there is something to say."""
    lines = [f"order {_name(number, one)}: {one.reason}" for number, one in enumerate(taken, 1) if one.reason]
    if not lines:
        return None
    more = [f"and {len(lines) - _TOLD} more"] if len(lines) > _TOLD else []
    done = sum(one.state is EventState.DONE for one in taken)
    return f"{done} of {len(taken)} orders handled; " + "; ".join([*lines[:_TOLD], *more])


def _name(number: int, one: _Taken) -> str:
    return f"{number} ({one.said.reference or one.said.order_id or 'no name'})"
