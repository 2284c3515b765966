"""From rejected deliveries to a bounded quarantine, and from there, once the fault is mended, to events."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final, TypeAlias

from webhookctl.core.admission import Door, admit
from webhookctl.core.deliveries import Verified, Via
from webhookctl.core.errors import SignatureError
from webhookctl.core.ports.quarantine import Quarantine, RejectedQuery
from webhookctl.core.quarantine import Rejected, Rejection

ROWS_A_TURN: Final = 100
BYTES_A_TURN: Final = 4 << 20
"""What one commit may hold; with one commit a second that is all that a flood can cost."""
_ROOM: Final = 16 << 20
_LEAST_WEIGHT: Final = 16 << 10
"""Of one that waits, so that the room ends at a thousand small ones too."""
_MOST_SOURCES: Final = 256
_PAGE: Final = 250

_Source: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class WaitingRoom:
    """Where rejections wait to be kept, so that a flood gets no more of a turn than anybody else; for one thread.

    What there is no room for is only counted: of whoever takes the most of it.
    """

    _unkept: int = 0
    _waiting: dict[_Source, deque[Rejection]] = field(default_factory=dict, repr=False)
    _weights: Counter[_Source] = field(default_factory=Counter, repr=False)
    _weight: int = 0
    _crowding: _Source | None = None
    """Whoever took the most of a room that was full: until the next turn there is no more for it."""

    def put(self, rejection: Rejection) -> None:
        """Have a rejection wait for its turn."""
        source = rejection.source
        if source == self._crowding:
            self._unkept += 1
            return
        waiting, weight = self._waiting.get(source), _weight(rejection)
        if waiting is None:
            if len(self._waiting) == _MOST_SOURCES:
                self._unkept += 1
                return
            waiting = self._waiting[source] = deque()
        waiting.append(rejection)
        self._weights[source] += weight
        self._weight += weight
        while self._weight > _ROOM:
            self._crowding = max(self._weights, key=self._weights.__getitem__)
            self._next_of(self._crowding)
            self._unkept += 1

    def take(self, rows: int = ROWS_A_TURN, size: int = BYTES_A_TURN) -> list[Rejection]:
        """Take what one commit may hold: one of each source in turn, and one at least however large it is."""
        taken = list[Rejection]()
        self._crowding = None
        while self._waiting:
            for source in list(self._waiting):
                size -= _size(self._waiting[source][0])
                if len(taken) == rows or (taken and size < 0):
                    return taken
                taken.append(self._next_of(source))
        return taken

    def take_unkept(self) -> int:
        """Return how many were only counted since this was asked last."""
        unkept, self._unkept = self._unkept, 0
        return unkept

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _next_of(self, source: _Source) -> Rejection:
        waiting = self._waiting[source]
        rejection = waiting.popleft()
        self._weight -= _weight(rejection)
        self._weights[source] -= _weight(rejection)
        if not waiting:
            del self._waiting[source], self._weights[source]
        return rejection


def _weight(rejection: Rejection) -> int:
    return _LEAST_WEIGHT + _size(rejection)


def _size(rejection: Rejection) -> int:
    return len(rejection.delivery.body) + sum(len(name) + len(value) for name, value in rejection.delivery.headers)


def pages(quarantine: Quarantine, query: RejectedQuery) -> Iterator[Sequence[Rejected]]:
    """Walk through all that `query` means, oldest first, some hundreds at a time; what is read may go meanwhile."""
    after, left = 0, query.limit
    while left and (page := quarantine.walk(replace(query, limit=min(left, _PAGE)), after=after)):
        yield page
        after, left = page[-1].id, left - len(page)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `reverify` would take into the events: how many of each supplier and reason, and how many now verify."""

    rejected: Counter[tuple[str, str]]
    proven: Counter[tuple[str, str]]
    still: Counter[tuple[str, str]]
    """Why the others don't verify, per supplier: a sentence."""

    @property
    def verifying(self) -> int:
        """How many of all verify now."""
        return self.proven.total()

    def rows(self) -> list[dict[str, Any]]:
        """Say it per supplier and reason."""
        return [
            {"supplier": supplier, "reason": reason, "rejected": count, "verify_now": self.proven[supplier, reason]}
            for (supplier, reason), count in sorted(self.rejected.items())
        ]

    def still_rows(self) -> list[dict[str, Any]]:
        """Say why what stays behind does not verify, the most frequent first."""
        return [
            {"supplier": supplier, "why": why, "count": count} for (supplier, why), count in self.still.most_common()
        ]


@dataclass(frozen=True, slots=True)
class Reverify:
    """Proves what was rejected once more, by the settings of now and at the time of its arrival."""

    quarantine: Quarantine
    doors: Mapping[str, Door]
    query: RejectedQuery

    def plan(self) -> Plan:
        """Try all that `query` means, and change nothing."""
        plan = Plan(Counter(), Counter(), Counter())
        for rejected in chain.from_iterable(pages(self.quarantine, self.query)):
            key = (rejected.supplier, rejected.reason.value)
            plan.rejected[key] += 1
            proven = self._proven(rejected)
            if isinstance(proven, Verified):
                plan.proven[key] += 1
            else:
                plan.still[rejected.supplier, proven] += 1
        return plan

    def heal(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Take all that verifies into the events, page by page; returns how many. What verifies not stays.

        May be broken off and begun again at any time: each moves in one transaction.
        """
        healed = 0
        for page in pages(self.quarantine, self.query):
            proven = [(one.id, verified) for one in page if isinstance(verified := self._proven(one), Verified)]
            healed += sum(self.quarantine.admit(proven)) if proven else 0
            progress(len(proven))
        return healed

    def _proven(self, rejected: Rejected) -> Verified | str:
        """Return the delivery as proven, or why it is not."""
        door = self.doors.get(rejected.supplier)
        if door is None:
            return "the supplier is not in the settings"
        if rejected.delivery is None:
            return rejected.unreadable or "it can't be opened"
        delivery = rejected.delivery._replace(via=Via.REVERIFY)
        sender, presented, then = rejected.sender, rejected.presented, rejected.received_at
        try:
            return admit(delivery, door, sender=sender, presented=presented, now=then)
        except SignatureError as error:
            return f"rejected for {error.reason.value}"
