"""From stored events to orders and what must be done about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from webhookctl.core.events import Event, EventState, Unmapped
from webhookctl.core.orders import Move
from webhookctl.core.outcomes import EventApplied
from webhookctl.core.ports.events import Application, Applied, ClaimedEvent, Events, Unreadable
from webhookctl.core.ports.orders import Orders
from webhookctl.flows.handling import Handling, Reading, Supplier

__all__ = ["Apply", "Supplier"]

LEASE_MS: Final = 60_000
_TRIES: Final = 10
"""How often an order that keeps moving under us is read again before the claim is left to run out."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Takes stored events in order of arrival and writes what follows from them, each in one transaction."""

    BATCH: ClassVar[int] = 200
    """Events of one transaction: enough that their commit is shared, few enough that intake need not wait for it."""

    events: Events
    orders: Orders
    suppliers: Mapping[str, Supplier]

    @property
    def handling(self) -> Handling:
        return Handling(self.orders, self.suppliers)

    def run(self, *, now: int, limit: int = BATCH) -> list[EventApplied]:
        """Apply up to `limit` queued events; empty when there are none."""
        claimed = self.events.claim(now=now, limit=limit, lease_ms=LEASE_MS)
        readings = [self._read(one) for one in claimed]
        outcomes = list[EventApplied]()
        for _ in range(_TRIES):
            if not readings:
                break
            stale = list[Reading]()
            for reading, applied in zip(readings, self._write(readings, now), strict=True):
                if applied[1] is Applied.STALE:
                    stale.append(reading)
                else:
                    outcomes.append(_outcome(reading, *applied))
            readings = stale
        return outcomes

    def _read(self, claimed: ClaimedEvent | Unreadable) -> Reading:
        if isinstance(claimed, Unreadable):
            said = Unmapped(claimed.supplier, EventState.DEAD, claimed.reason)
            return Reading(claimed.id, (said,), claimed.claim)
        return self.handling.read(claimed.event, claimed.claim)

    def _write(self, readings: Sequence[Reading], now: int) -> list[tuple[Application, Applied]]:
        """Write `readings` in one transaction; orders that several of them speak of are carried along in memory."""
        known = self.handling.known(readings)
        applications = [self.handling.application(reading, known, now) for reading in readings]
        return list(zip(applications, self.events.apply(applications, now=now), strict=True))


def _outcome(reading: Reading, application: Application, applied: Applied) -> EventApplied:
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
