"""When the store was looked after last."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ChoreName(StrEnum):
    """What is done now and then."""

    BACKUP = "backup"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class Chore:
    """How it went."""

    name: ChoreName
    done_at: int | None = None
    """When it succeeded last."""
    failing_since: int | None = None
    detail: str | None = None
    """What was done last, or why it fails: a sentence."""


class Chores(Protocol):
    """Who does it, and how it went; each call is a transaction of its own."""

    def begin(self, name: ChoreName, *, every: int, again_after: int, now: int) -> bool:
        """Take it on, if it was done `every` milliseconds ago or more, and last tried `again_after` ago.

        Of several processes one gets it; of one that is killed it is due again later.
        """

    def end(self, name: ChoreName, *, done: bool, detail: str, now: int) -> bool:
        """Write down how it went; True where it has begun to fail: then a person is told, once, until it succeeds."""

    def all(self) -> dict[ChoreName, Chore]:
        """Return what was tried so far."""
