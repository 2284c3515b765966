"""Sending events elsewhere: what is to go, and what is known of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from webhookctl.core.deliveries import Headers
from webhookctl.core.ports.orders import Reveal


class ReplayState(StrEnum):
    """How far one event of a replay has come."""

    WAITING = "waiting"
    SENDING = "sending"
    """Begun. Where nobody is at it any more, its answer is not known."""
    TAKEN = "taken"
    """Answered 2xx: the only end."""
    REFUSED = "refused"
    """Answered with something else."""
    UNSENT = "unsent"
    """Certainly did not reach the target."""
    UNKNOWN = "unknown"
    """Sent, and no answer came: the target may have it."""


FAILED = frozenset({ReplayState.REFUSED, ReplayState.UNSENT, ReplayState.UNKNOWN})
"""What counts against a replay; sent again when it is resumed."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request as it came, to be sent again."""

    number: int
    """Of the event, or of the file."""
    label: str
    supplier: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    event_id: str = ""
    """Stands in for the supplier's own id of the event, where a signature needs one and none came."""
    tries: int = 1
    """How often it was begun to be sent, this time included."""
    fault: str | None = None
    """Why it can't be sent."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of sending one."""

    number: int
    label: str
    state: ReplayState
    status: int | None
    took_ms: int | None
    detail: str
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What the target made of one."""

    state: ReplayState
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Replay:
    """One sending of many events to one place."""

    id: int
    created_at: int
    target: str
    """Without what opens a door there: `…` stands for it."""
    sign: str
    look: Reveal
    """Who began it, and why: recorded at each of its events."""
    is_whole: bool
    """All that it is about was written down; before that nothing is sent."""


class Target(Protocol):
    """Where it goes."""

    async def post(self, headers: Headers, body: bytes) -> Reply:
        """Post once; whatever comes of it is a reply."""


class Replays(Protocol):
    """What is sent elsewhere, and how far that has come. Whoever sends holds a claim, which ends by itself."""

    def begin(self, target: str, sign: str, look: Reveal) -> int:
        """Write down that a replay begins; returns its number."""

    def add(self, replay_id: int, numbers: Sequence[int], look: Reveal) -> None:
        """Add events, and at each that it is seen by whoever `look` names; durable when this returns."""

    def complete(self, replay_id: int) -> None:
        """Write down that all were added."""

    def get(self, replay_id: int | None) -> Replay | None:
        """Return a replay; None for the newest that is not at its end."""

    def counts(self, replay_id: int) -> Mapping[ReplayState, int]:
        """Return how many of its events are how far."""

    def claim(self, replay_id: int, claim: str, *, now: int, until: int) -> int | None:
        """Make it ours until then; else return when the claim of another ends."""

    def renew(self, replay_id: int, claim: str, *, until: int) -> bool:
        """Hold on to it; False where it is somebody else's now."""

    def release(self, replay_id: int, claim: str) -> None:
        """Let go of it."""

    def reopen(self, replay_id: int, look: Reveal, *, after: int, limit: int) -> int | None:
        """Let the next events behind `after` that were not taken wait again; returns the last, None behind all.

        Those that failed come after all others. At each it is recorded that `look` sees it.
        """

    def take(self, replay_id: int, claim: str, limit: int) -> list[Parcel]:
        """Begin up to `limit` of those that wait, in order; none where the claim is lost."""

    def settle(self, replay_id: int, claim: str, verdicts: Collection[Verdict], *, now: int) -> bool:
        """Write down what came of them; False, and nothing written, where the claim is lost."""
