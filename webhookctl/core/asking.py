"""When is a supplier asked about an order, and when is a person asked instead?"""

from dataclasses import dataclass
from typing import Final

from webhookctl.core.retries import HOUR, MINUTE

DAY: Final = 24 * HOUR
_JITTER: Final = 0.1
_STEPS: Final = (1, 2, 3)
"""Multiples of `after`: 5, 10 and 15 minutes, the last of them for a day."""


@dataclass(frozen=True, slots=True)
class AskPolicy:
    """How patient we are with one supplier's orders; milliseconds, counted from when we first heard of an order."""

    after: int = 5 * MINUTE
    """How long a webhook may take before we ask."""
    give_up: int = 7 * DAY
    """An order that is not at its end by then is handed to a person."""
    patience: int = HOUR
    """How long an order may be unknown to its supplier, or fulfilled without codes, before a person is told."""

    def next_at(self, *, asked: int, created_at: int, now: int, chance: float) -> int:
        """Return when to ask again after `asked` answers: 5, 10, 15 minutes, so for a day, then each hour.

        `chance` is uniform in [0, 1): orders of one minute must not be asked about in one second for ever.
        """
        step = _STEPS[min(max(asked, 1), len(_STEPS)) - 1] * self.after
        interval = max(step, HOUR) if now - created_at >= DAY else step
        return now + round(interval * (1 + _JITTER * (2 * chance - 1)))
