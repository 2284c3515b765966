"""Events handled again: first what would happen, then that it does; nothing that is done is done twice."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from typing import Final

from webhookctl.core.events import EventState, Place, StoredEvent
from webhookctl.core.orders import ActionKind, ActionState, Intervention
from webhookctl.core.ports.events import Applied, EventQuery, Events
from webhookctl.core.ports.outbox import ActionQuery, Outbox
from webhookctl.flows.judging import Fate, Finding, Imagined, Judge

_PAGE: Final = 200
_TRIES: Final = 10
"""How often an order that keeps moving under us is read again."""
_NAMES: Final = {
    Fate.APPLIED: "apply",
    Fate.ALREADY: "already_applied",
    Fate.DUPLICATE: "duplicate",
    Fate.IGNORED: "ignored",
    Fate.DEAD: "dead",
    Fate.KEPT: "unchanged",
    Fate.ELSEWHERE: "elsewhere",
}
_ALWAYS: Final = ("apply", "already_applied", "deliver", "already_delivered", "alert")
_MISSING: Final = (EventState.QUEUED, EventState.DEAD)


@dataclass(slots=True)
class Tally:
    """What becomes of events, how often, and what is asked for on the way."""

    events: int = 0
    first_at: int | None = None
    last_at: int | None = None
    fates: Counter[Fate] = field(default_factory=Counter)
    asked: Counter[ActionKind] = field(default_factory=Counter)
    """What was not asked for before, held or not."""
    deliveries: Counter[ActionState] = field(default_factory=Counter)
    """How far the deliveries have come that events speak of, where they were asked for before."""
    turned: int = 0
    """Of those that move nothing, how many would stand otherwise: a queued one that is dead, a dead one ignored."""
    for_a_person: int = 0

    def add(self, finding: Finding, fate: Fate) -> None:
        """Count an event and what it comes to."""
        at = finding.event.received_at
        self.events += 1
        self.first_at = at if self.first_at is None else min(at, self.first_at)
        self.last_at = at if self.last_at is None else max(at, self.last_at)
        self.fates[fate] += 1
        if fate is not Fate.ELSEWHERE:
            self.asked.update(action.kind for action in finding.new)
            self.deliveries.update([] if finding.delivery is None else [finding.delivery])
            self.turned += fate is not Fate.APPLIED and finding.application is not None
            self.for_a_person += finding.needs_a_person

    @property
    def changes(self) -> int:
        """How many events change anything."""
        return self.fates[Fate.APPLIED] + self.turned

    @property
    def dead(self) -> int:
        """How many can't be applied."""
        return self.fates[Fate.DEAD]

    def counts(self) -> dict[str, int]:
        """Say all of it by names: those that people look for always, the others where there are any."""
        fates = {_NAMES[fate]: self.fates[fate] for fate in Fate}
        asked = {kind.value: self.asked[kind] for kind in ActionKind}
        done = self.deliveries[ActionState.DONE]
        deliveries = {"already_delivered": done, "asked_before": self.deliveries.total() - done}
        found = fates | asked | deliveries
        return {name: found[name] for name in _ALWAYS} | {name: count for name, count in found.items() if count}


@dataclass(slots=True)
class Pace:
    """Lets live work go first: while deliveries arrive, little is written at a time, with rests between.

    SQLite's lock is no queue: whoever takes it again at once keeps the others out.
    """

    newest: Callable[[], int]
    """The number of the newest event: it grows while deliveries arrive."""
    rest: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _seen: int | None = None
    _live_until: float = 0.0

    def size(self) -> int:
        """Return how many events may be written in one transaction now."""
        newest, now = self.newest(), self.clock()
        if self._seen is None:  # nobody knows yet
            self._live_until = now + UNKNOWN_FOR_S
        elif newest != self._seen:
            self._live_until = now + LIVE_FOR_S
        self._seen = newest
        return LIVE if self._is_live() else ALONE

    def after(self, took_s: float) -> None:
        """Rest after work that took so long, if others work too."""
        if self._is_live():
            self.rest(took_s * REST_PER_WORK)

    def _is_live(self) -> bool:
        return self.clock() < self._live_until


ALONE: Final = 100
LIVE: Final = 3
"""Events of one transaction, while nobody else writes, and while deliveries arrive."""
REST_PER_WORK: Final = 8.0
UNKNOWN_FOR_S: Final = 0.2
LIVE_FOR_S: Final = 10.0
"""So long after the last arrival it is taken for quiet again."""


def selected(events: Events, query: EventQuery, *, newest: int, missing: bool = False) -> Iterator[StoredEvent]:
    """Walk through what is meant, in order of arrival: not what has come after event `newest`.

    `missing`: of that only what was never applied, or is dead.
    """
    beyond = 0
    for event in _missing(events, query) if missing else _walk(events, query):
        # Those of one moment do not all stand in the order of their numbers.
        beyond = beyond + 1 if event.id > newest else 0
        if not beyond:
            yield event
        elif beyond > _PAGE:
            return


def _missing(events: Events, query: EventQuery) -> Iterator[StoredEvent]:
    if query.state is None or query.state in _MISSING:
        states = _MISSING if query.state is None else (query.state,)
        yield from merge(*(_walk(events, replace(query, state=state)) for state in states), key=_place)


def _walk(events: Events, query: EventQuery) -> Iterator[StoredEvent]:
    after, left = None, query.limit
    while left and (page := events.walk(replace(query, limit=min(left, _PAGE)), after=after, opened=True)):
        yield from page
        after, left = page[-1].place, left - len(page)


def _place(event: StoredEvent) -> Place:
    return event.place


@dataclass(frozen=True, slots=True)
class Replay:
    """Handles stored events again, by the settings of now."""

    events: Events
    judge: Judge

    def plan(self, some: Iterable[StoredEvent], *, now: int, advance: Callable[[int], None]) -> Tally:
        """Say what would become of events, given in order of arrival, and change nothing."""
        tally, imagined = Tally(), Imagined()
        for batch in _batches(some, lambda: _PAGE):
            for finding in self.judge.findings(batch, imagined, now=now):
                tally.add(finding, finding.fate)
            advance(len(batch))
        return tally

    def run(
        self,
        some: Iterable[StoredEvent],
        tally: Tally,
        *,
        clock: Callable[[], int],
        pace: Pace,
        advance: Callable[[int], None],
    ) -> None:
        """Handle events again, a few in each transaction; `tally` says at any time what was done.

        May be broken off and begun again at any time: each is written wholly, or not at all.
        """
        for batch in _batches(some, pace.size):
            began = pace.clock()
            self._handle(batch, tally, clock())
            advance(len(batch))
            pace.after(pace.clock() - began)

    def _handle(self, batch: Sequence[StoredEvent], tally: Tally, now: int) -> None:
        for _ in range(_TRIES):
            findings = self.judge.findings(batch, Imagined(), now=now)
            written = iter(self.events.apply([one.application for one in findings if one.application], now=now))
            stale = list[StoredEvent]()
            for finding in findings:
                applied = next(written) if finding.application else Applied.DONE
                if applied is Applied.STALE:
                    stale.append(finding.event)
                else:
                    tally.add(finding, _fate(finding, applied))
            if not stale:
                return
            batch = stale
        for event in batch:  # whoever keeps moving its order is at work on it; the next run looks again
            tally.add(Finding(event, Fate.ELSEWHERE), Fate.ELSEWHERE)


def try_dead_again(outbox: Outbox, query: ActionQuery, by: Intervention) -> Counter[ActionKind]:
    """Make due what was given up before `by` spoke, some at a time; returns how much of each kind that was."""
    done = Counter[ActionKind]()
    while some := outbox.retry_dead(query, until=by.at, by=by, limit=_PAGE):
        done.update(some)
    return done


def _batches(some: Iterable[StoredEvent], size: Callable[[], int]) -> Iterator[list[StoredEvent]]:
    left = iter(some)
    while batch := list(islice(left, size())):
        yield batch


def _fate(finding: Finding, applied: Applied) -> Fate:
    if applied is Applied.LOST:
        return Fate.ELSEWHERE
    return Fate.DUPLICATE if applied is Applied.DUPLICATE else finding.fate
