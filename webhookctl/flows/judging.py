"""What would come of events that are handled again? Asked of the store, and nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, TypeAlias

from webhookctl.core.events import Event, EventState, EventType, Spoken, StoredEvent, Unmapped
from webhookctl.core.orders import ActionKind, ActionState, NewAction
from webhookctl.core.ports.events import Application, Events
from webhookctl.core.ports.orders import Orders
from webhookctl.flows.handling import Handling, Moved, Reading, Supplier

_Asked: TypeAlias = tuple[str, str, ActionKind, str]
_HANDLED: Final = frozenset({EventState.DONE, EventState.IGNORED, EventState.DUPLICATE})


class Fate(StrEnum):
    """What becomes of an event that is handled again."""

    APPLIED = "applied"
    ALREADY = "already applied"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    DEAD = "dead"
    KEPT = "kept as it was"
    """It was handled when it came, and says nothing by the settings of now."""
    ELSEWHERE = "handled by another"
    """By the worker, or by another replay, meanwhile."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an event that is handled again comes to."""

    event: StoredEvent
    fate: Fate
    application: Application | None = None
    """What is to be written; None: nothing."""
    new: tuple[NewAction, ...] = ()
    """What was not asked for before."""
    delivery: ActionState | None = None
    """How far the delivery has come that the event speaks of, where it was asked for before."""

    @property
    def needs_a_person(self) -> bool:
        """True where something is held, or can't be read, since now."""
        if self.fate is Fate.DEAD:
            return self.event.state is not EventState.DEAD
        return self.application is not None and any(move.needs_a_person for move in self.application.moves)


@dataclass(slots=True)
class Imagined:
    """What the store would hold more, had the events that were judged before been handled."""

    moved: Moved = field(default_factory=Moved)
    asked: dict[_Asked, ActionState] = field(default_factory=dict)
    keys: dict[tuple[str, bytes], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Handled:
    """An event, and what `apply` would make of it."""

    event: StoredEvent
    application: Application
    is_repeat: bool
    """Another event had its key before: it moves nothing."""

    @property
    def actions(self) -> tuple[NewAction, ...]:
        if self.is_repeat:
            return ()
        return tuple(action for move in self.application.moves for action in move.actions)

    @property
    def deliveries(self) -> tuple[NewAction, ...]:
        """The delivery that the event speaks of, as it would be asked for."""
        said = self.application.event
        if self.is_repeat or not isinstance(said, Event) or said.type is not EventType.FULFILLED or not said.reference:
            return ()
        return (NewAction(said.supplier, said.reference, ActionKind.DELIVER, "order"),)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges stored events by the settings of now."""

    events: Events
    orders: Orders
    suppliers: Mapping[str, Supplier]

    def findings(self, some: Sequence[StoredEvent], imagined: Imagined, *, now: int) -> list[Finding]:
        """Say what would come of each, one after the other; `imagined` is from then on as if it had."""
        handled = self._handled(some, imagined, now)
        wanted = [action for one in handled for action in (*one.actions, *one.deliveries)]
        states = iter(self.orders.asked(wanted, now=now))
        findings = list[Finding]()
        for one in handled:
            of_actions, of_delivery = list(islice(states, len(one.actions))), list(islice(states, len(one.deliveries)))
            imagined_too = [state or imagined.asked.get(_key(one.deliveries[0])) for state in of_delivery]
            findings.append(_finding(one, of_actions, next(iter(imagined_too), None), imagined))
        return findings

    def _handled(self, some: Sequence[StoredEvent], imagined: Imagined, now: int) -> list[_Handled]:
        handling = Handling(self.orders, self.suppliers)
        readings = [_read(handling, event) for event in some]
        known = handling.known(readings, imagined.moved)
        firsts = self.events.firsts([(event.supplier, one.key) for event, one in zip(some, readings, strict=True)])
        handled = list[_Handled]()
        for event, reading, first in zip(some, readings, firsts, strict=True):
            is_repeat = _first(event, reading, first, imagined) != event.id
            # A repeat moves nothing: what it would move is worked out on orders of its own, and forgotten.
            orders = handling.known([reading]) if is_repeat else known
            handled.append(_Handled(event, handling.application(reading, orders, now), is_repeat))
        return handled


def _read(handling: Handling, event: StoredEvent) -> Reading:
    if event.unreadable is not None:
        return Reading(event.id, (Unmapped(event.supplier, EventState.DEAD, event.unreadable),), before=event)
    return handling.read(event, None)


def _first(event: StoredEvent, reading: Reading, first: int | None, imagined: Imagined) -> int:
    """Return the event that had this one's key first."""
    if first is not None or reading.key is None:
        return event.id if first is None else first
    return imagined.keys.setdefault((event.supplier, reading.key), event.id)


def _finding(
    handled: _Handled, states: Sequence[ActionState | None], delivery: ActionState | None, imagined: Imagined
) -> Finding:
    event, application = handled.event, handled.application
    if handled.is_repeat:
        is_known = event.state in _HANDLED
        fate = Fate.ALREADY if event.state is EventState.DONE else Fate.DUPLICATE
        return Finding(event, fate, None if is_known else application)
    asked = zip(handled.actions, states, strict=True)
    new = tuple(one for one, state in asked if state is None and _is_first(one, imagined))
    moves = bool(new) or any(move.order for move in application.moves)
    if application.state is EventState.DONE:
        return _finding_of_done(event, application, new, delivery, moves=moves)
    if event.state in _HANDLED and event.state is not application.state and not moves:
        return Finding(event, Fate.KEPT)
    is_news = moves or (event.state, event.error) != (application.state, application.reason)
    fate = Fate.DEAD if application.state is EventState.DEAD else Fate.IGNORED
    return Finding(event, fate, application if is_news else None, new)


def _finding_of_done(
    event: StoredEvent,
    application: Application,
    new: tuple[NewAction, ...],
    delivery: ActionState | None,
    *,
    moves: bool,
) -> Finding:
    if moves or (event.state is not EventState.DUPLICATE and not _is_as_before(event, application)):
        return Finding(event, Fate.APPLIED, application, new, delivery)
    fate = Fate.DUPLICATE if event.state is EventState.DUPLICATE else Fate.ALREADY
    return Finding(event, fate, delivery=delivery)


def _is_as_before(event: StoredEvent, application: Application) -> bool:
    """Say whether the event says the same as when it was handled."""
    if event.state is not EventState.DONE or bool(event.orders) != bool(application.orders):
        return False
    said = application.event
    if said is None:
        return [_named(one) for one in event.orders] == [_named(one) for one in application.orders]
    type_ = said.type if isinstance(said, Event) else None
    return (event.type, event.reference, event.order_id) == (type_, said.reference, said.order_id)


def _named(one: Spoken) -> tuple[EventState, str | None, str | None, str | None]:
    return one.state, one.type, one.reference, one.order_id


def _is_first(action: NewAction, imagined: Imagined) -> bool:
    key = _key(action)
    if key in imagined.asked:
        return False
    imagined.asked[key] = action.state
    return True


def _key(action: NewAction) -> _Asked:
    cause = action.cause.partition(":")[0] if action.cooldown_ms else action.cause
    return action.supplier, action.subject, action.kind, cause
