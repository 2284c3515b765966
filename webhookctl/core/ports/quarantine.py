"""The quarantine: what could not be proven, kept for a while in case the fault was ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import Reason
from webhookctl.core.quarantine import Bounds, Rejected, Rejection


@dataclass(frozen=True, slots=True)
class RejectedQuery:
    """Which rejections are meant; None does not filter."""

    supplier: str | None = None
    reason: Reason | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50


class Quarantine(Protocol):
    """What was rejected, bounded in rows, bytes and age."""

    def keep(self, rejections: Sequence[Rejection], bounds: Bounds, *, now: int) -> int:
        """Write `rejections`, then forget what is too old or too much, in one transaction.

        Of a sender the oldest go first, and of the senders the largest. Returns how many were forgotten.
        """

    def forget_old(self, *, before: int) -> int:
        """Forget what was received before then; returns how many. Writes nothing where there are none."""

    def find(self, query: RejectedQuery) -> list[Rejected]:
        """List rejections, newest first, without what was sent."""

    def walk(self, query: RejectedQuery, *, after: int = 0) -> list[Rejected]:
        """Return rejections with what was sent, oldest first, whose number is higher than `after`.

        The last one's number is the next `after`; an empty list is the end.
        """

    def get(self, number: int) -> Rejected | None:
        """Return the rejection of this number with what was sent."""

    def admit(self, proven: Sequence[tuple[int, Verified]]) -> list[bool]:
        """Move rejections (number, what is proven of it now) into the event log, in one transaction.

        False where the quarantine has no such number any more: then nothing was written for it.
        """
