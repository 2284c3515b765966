"""When is a failure tried again, and when given up?"""

from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
LONGEST_RETRY_AFTER: Final = HOUR
"""Whatever the other side asks for, an hour is the most we wait before we look again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter; milliseconds."""

    first: int = 5 * SECOND
    longest: int = 6 * HOUR
    give_up_after: int = 72 * HOUR
    """Counted from the first attempt."""

    def next_at(
        self, *, attempts: int, since: int, now: int, chance: float, retry_after: int | None = None
    ) -> int | None:
        """Return when to try again after `attempts` attempts, the first at `since`, or None: given up.

        `chance` is uniform in [0, 1): full jitter keeps a shop that comes back from being hit by all at once.
        Where the other side says when (`retry_after`), it is waited for: between a second and an hour, without jitter.
        """
        if now - since >= self.give_up_after:
            return None
        if retry_after is not None:
            return now + min(max(retry_after, SECOND), LONGEST_RETRY_AFTER)
        ceiling = min(self.longest, self.first << min(attempts - 1, 40))
        return now + round(ceiling * chance)
