"""From stored events to orders and what must be done about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from webhookctl.core.answers import POLLED
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import SealedError
from webhookctl.core.events import Event, EventState, EventType, Spoken, Unmapped
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.mapping import read
from webhookctl.core.orders import ActionKind, ConfirmRule, Move, NewAction, Order, Policy, advance
from webhookctl.core.outcomes import EventApplied
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent, Events, Unreadable
from webhookctl.core.ports.orders import Orders

LEASE_MS: Final = 60_000
_UNREADABLE_COOLDOWN_MS: Final = 3_600_000
_TRIES: Final = 10
"""How often an order that keeps moving under us is read again before the claim is left to run out."""
_TOLD: Final = 3
"""Of the orders in one delivery that could not be read, so many are named."""


@dataclass(frozen=True, slots=True)
class Supplier:
    """What `apply` needs to know of a supplier."""

    mapping: Places
    policy: Policy


@dataclass(frozen=True, slots=True)
class Apply:
    """Takes stored events in order of arrival and writes what follows from them, each in one transaction."""

    BATCH: ClassVar[int] = 200
    """Events of one transaction: enough that their commit is shared, few enough that intake need not wait for it."""

    events: Events
    orders: Orders
    suppliers: Mapping[str, Supplier]

    def run(self, *, now: int, limit: int = BATCH) -> list[EventApplied]:
        """Apply up to `limit` queued events; empty when there are none."""
        claimed = self.events.claim(now=now, limit=limit, lease_ms=LEASE_MS)
        readings = [self._read(one) for one in claimed]
        outcomes = list[EventApplied]()
        for _ in range(_TRIES):
            if not readings:
                break
            stale = list[_Reading]()
            for reading, applied in zip(readings, self._write(readings, now), strict=True):
                if applied[1] is Applied.STALE:
                    stale.append(reading)
                else:
                    outcomes.append(_outcome(reading, *applied))
            readings = stale
        return outcomes

    def _read(self, claimed: ClaimedEvent | Unreadable) -> "_Reading":
        if isinstance(claimed, Unreadable):
            return _Reading(
                claimed.id, claimed.claim, None, (Unmapped(claimed.supplier, EventState.DEAD, claimed.reason),)
            )
        event = claimed.event
        supplier = self.suppliers.get(event.supplier)
        if supplier is None:
            reason = f"supplier {event.supplier} is not in the settings"
            return _Reading(event.id, claimed.claim, None, (Unmapped(event.supplier, EventState.DEAD, reason),))
        reading = read(event, POLLED if event.via is Via.POLL else supplier.mapping)
        said = reading.said
        if supplier.policy.confirm is ConfirmRule.POLL and event.via is not Via.POLL:
            said = tuple(map(_hinted, said))
        return _Reading(event.id, claimed.claim, reading.key, said)

    def _write(self, readings: Sequence["_Reading"], now: int) -> list[tuple[Application, Applied]]:
        """Write `readings` in one transaction; orders that several of them speak of are carried along in memory."""
        known = self._known([said for reading in readings for said in reading.said if isinstance(said, Event)])
        applications = [self._application(reading, known, now) for reading in readings]
        return list(zip(applications, self.events.apply(applications, now=now), strict=True))

    def _known(self, spoken: Sequence[Event]) -> "_Known":
        named = {(said.supplier, said.order_id) for said in spoken if said.order_id and not said.reference}
        references = self.orders.references_of(named) if named else {}
        keys = {(said.supplier, said.reference) for said in spoken if said.reference}
        keys |= {(supplier, one) for (supplier, _), found in references.items() for one in found}
        return _Known(self._orders(keys), self.orders.suppliers_of({reference for _, reference in keys}), references)

    def _orders(self, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Order | SealedError]:
        """Read the orders; one that can't be opened must not keep its neighbours waiting."""
        try:
            return dict(self.orders.get(keys))
        except SealedError:
            found = dict[tuple[str, str], Order | SealedError]()
            for key in keys:
                try:
                    found.update(self.orders.get({key}))
                except SealedError as error:
                    found[key] = error
            return found

    def _application(self, reading: "_Reading", known: "_Known", now: int) -> Application:
        taken = [self._taken(said, known, now) for said in reading.said]
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
        )

    def _taken(self, said: Event | Unmapped, known: "_Known", now: int) -> "_Taken":
        """Say where one order moves."""
        if isinstance(said, Unmapped):
            move = _unreadable(said.supplier, now) if said.state is EventState.DEAD and said.supplier else None
            return _Taken(said, said.state, said.reason, move)
        found = known.resolved(said)
        if isinstance(found, Unmapped):
            # Without its key: the store queues it again once the order is known, and it must be no duplicate of itself.
            return _Taken(found, found.state, found.reason, settled=False)
        order = known.orders.get((found.supplier, found.reference or ""))
        if isinstance(order, SealedError):
            # As above: once the store's key is back.
            return _Taken(found, EventState.DEAD, str(order), _unreadable(found.supplier, now), settled=False)
        elsewhere = known.at.get(found.reference or "", ())
        move = advance(order, found, self.suppliers[found.supplier].policy, known_at=elsewhere, now=now)
        known.remember(move)
        return _Taken(found, EventState.DONE, "; ".join(filter(None, (move.note, found.note))) or None, move)


def _unreadable(supplier: str, now: int) -> Move:
    """Tell a person that something of this supplier can't be read: now and then, as there may be thousands of it."""
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
class _Known:
    """The orders that a batch speaks of, as they are once what was taken so far is written."""

    orders: dict[tuple[str, str], Order | SealedError]
    at: dict[str, tuple[str, ...]]
    """The suppliers that have an order of this reference."""
    references: Mapping[tuple[str, str], tuple[str, ...]]
    """The references of the orders of this (supplier, order id)."""
    new: dict[tuple[str, str], str] = field(default_factory=dict)
    """As `references`, of orders that are not in the store yet."""

    def resolved(self, said: Event) -> Event | Unmapped:
        """Return the event with the order's reference, where the supplier only gave its own id."""
        if said.reference is not None or said.type is EventType.BALANCE_LOW:
            return said
        key = (said.supplier, said.order_id or "")
        found = {*self.references.get(key, ()), *filter(None, [self.new.get(key)])}
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
        self.orders[order.key] = replace(order, version=order.version + 1)
        self.at[order.reference] = (*self.at.get(order.reference, ()), order.supplier)
        if order.order_id:
            self.new[order.supplier, order.order_id] = order.reference


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


@dataclass(frozen=True, slots=True)
class _Reading:
    """A claimed event, and what it says of each order."""

    id: int
    claim: str
    key: bytes | None
    said: tuple[Event | Unmapped, ...]


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


def _outcome(reading: _Reading, application: Application, applied: Applied) -> EventApplied:
    state = {Applied.DUPLICATE: EventState.DUPLICATE, Applied.LOST: EventState.QUEUED}.get(applied, application.state)
    said = reading.said[0]
    event = application.event
    return EventApplied(
        id=reading.id,
        state=state,
        type=event.type if isinstance(event, Event) else None,
        supplier=said.supplier or None,
        reference=event.reference if event else None,
        status=_status(application.moves),
        reason=application.reason,
        actions=sum(len(move.actions) for move in application.moves) if applied is Applied.DONE else 0,
        needs_a_person=applied is Applied.DONE and _needs_a_person(application),
    )


def _needs_a_person(application: Application) -> bool:
    return application.state is EventState.DEAD or any(move.needs_a_person for move in application.moves)


def _status(moves: tuple[Move, ...]) -> str | None:
    """Return the order's new status; None where there is none, or one for each of several."""
    new = [move.order.status for move in moves if move.order is not None]
    return new[0] if len(new) == 1 else None
