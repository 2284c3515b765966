"""From stored events to orders and what must be done about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from webhookctl.core.errors import SealedError
from webhookctl.core.events import Event, EventState
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.mapping import Unmapped, event_key, read
from webhookctl.core.orders import ActionKind, Move, NewAction, Order, Policy, advance
from webhookctl.core.outcomes import EventApplied
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent, Events, Unreadable
from webhookctl.core.ports.orders import Orders

LEASE_MS: Final = 60_000
_UNREADABLE_COOLDOWN_MS: Final = 3_600_000
_TRIES: Final = 10
"""How often an order that keeps moving under us is read again before the claim is left to run out."""


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
            return _Reading(claimed.id, claimed.claim, None, Unmapped(EventState.DEAD, claimed.reason))
        supplier = self.suppliers.get(claimed.event.supplier)
        if supplier is None:
            reason = f"supplier {claimed.event.supplier} is not in the settings"
            gone = Unmapped(EventState.DEAD, reason)
            return _Reading(claimed.event.id, claimed.claim, None, gone, claimed.event.supplier)
        key = event_key(claimed.event, supplier.mapping)
        said = read(claimed.event, supplier.mapping)
        return _Reading(claimed.event.id, claimed.claim, key, said, claimed.event.supplier)

    def _write(self, readings: Sequence["_Reading"], now: int) -> list[tuple[Application, Applied]]:
        """Write `readings` in one transaction; orders that several of them speak of are carried along in memory."""
        spoken = [reading.said for reading in readings if isinstance(reading.said, Event)]
        known = self._known({(said.supplier, said.reference) for said in spoken if said.reference})
        known_at = self.orders.suppliers_of({said.reference for said in spoken if said.reference})
        applications = [self._application(reading, known, known_at, now) for reading in readings]
        return list(zip(applications, self.events.apply(applications, now=now), strict=True))

    def _known(self, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Order | SealedError]:
        """Read the orders; one that can't be opened must not keep its neighbours waiting."""
        try:
            return dict(self.orders.get(keys))
        except SealedError:
            known = dict[tuple[str, str], Order | SealedError]()
            for key in keys:
                try:
                    known.update(self.orders.get({key}))
                except SealedError as error:
                    known[key] = error
            return known

    def _application(
        self,
        reading: "_Reading",
        known: dict[tuple[str, str], Order | SealedError],
        known_at: dict[str, tuple[str, ...]],
        now: int,
    ) -> Application:
        said = reading.said
        if isinstance(said, Unmapped):
            moves = (_unreadable(reading.supplier, now),) if said.state is EventState.DEAD and reading.supplier else ()
            return Application(reading.id, reading.claim, said.state, said.reason, key=reading.key, moves=moves)
        key = (said.supplier, said.reference or "")
        elsewhere = known_at.get(key[1], ())
        order = known.get(key)
        if isinstance(order, SealedError):
            # Without its key: once the store's key is back, the same delivery may come again and be applied.
            return Application(reading.id, reading.claim, EventState.DEAD, str(order), said)
        move = advance(order, said, self.suppliers[said.supplier].policy, known_at=elsewhere, now=now)
        if move.order is not None:
            known[key] = replace(move.order, version=move.order.version + 1)
            known_at[key[1]] = (*elsewhere, said.supplier)
        return Application(reading.id, reading.claim, EventState.DONE, move.note, said, reading.key, (move,))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A claimed event, and what it says."""

    id: int
    claim: str
    key: bytes | None
    said: Event | Unmapped
    supplier: str | None = None
    """None where not even that can be known."""


def _unreadable(supplier: str, now: int) -> Move:
    """Tell a person that something of this supplier can't be read: now and then, as there may be thousands of it."""
    detail = f"An event of {supplier} can't be read: `webhookctl events list --state dead` says why."
    alert = NewAction(
        supplier, "", ActionKind.ALERT, f"unreadable:{now}", detail=detail, cooldown_ms=_UNREADABLE_COOLDOWN_MS
    )
    return Move(None, (alert,))


def _outcome(reading: _Reading, application: Application, applied: Applied) -> EventApplied:
    state = {Applied.DUPLICATE: EventState.DUPLICATE, Applied.LOST: EventState.QUEUED}.get(applied, application.state)
    event = application.event
    return EventApplied(
        id=reading.id,
        state=state,
        type=event.type if event else None,
        supplier=event.supplier if event else None,
        reference=event.reference if event else None,
        status=_status(application.moves),
        reason=application.reason,
        actions=sum(len(move.actions) for move in application.moves) if applied is Applied.DONE else 0,
        needs_a_person=applied is Applied.DONE and _needs_a_person(application),
    )


def _needs_a_person(application: Application) -> bool:
    return application.state is EventState.DEAD or any(move.needs_a_person for move in application.moves)


def _status(moves: tuple[Move, ...]) -> str | None:
    return next((move.order.status for move in moves if move.order is not None), None)
