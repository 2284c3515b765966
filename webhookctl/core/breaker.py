"""Is a shop that does not answer asked at all?"""

from dataclasses import dataclass
from typing import Final

SILENT_AT_MOST: Final = 5
"""Calls in a row without an answer after which a host is left alone."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class Breaker:
    """Leaves a host alone that does not answer, and asks now and then with one call whether it is back.

    Times are seconds of a clock that goes evenly. After each pause one call goes out: an answer ends the matter, and
    silence makes the next pause twice as long, up to a minute.
    """

    _silent: int = 0
    _pause_s: float = FIRST_PAUSE_S
    _until: float | None = None
    """When the next call may go out; None: as many as there are, at any time."""
    _is_asking: bool = False

    def is_ready(self, now: float) -> bool:
        """Say whether a call may go out."""
        return self._until is None or (now >= self._until and not self._is_asking)

    def ask(self, now: float) -> float | None:
        """Return None to go ahead, after which `answered`, `silent` or `cut_off` must follow; else seconds to wait."""
        if self._until is None:
            return None
        if self._is_asking or now < self._until:
            return max(self._until - now, 1.0)
        self._is_asking = True
        return None

    def answered(self) -> None:
        """Note that the host is there."""
        self._silent, self._pause_s, self._until, self._is_asking = 0, FIRST_PAUSE_S, None, False

    def silent(self, now: float) -> None:
        """Note that no answer came."""
        if self._until is None:
            self._silent += 1
            if self._silent >= SILENT_AT_MOST:
                self._until = now + self._pause_s
        elif self._is_asking:  # those that were under way when the pause began say nothing new
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._until, self._is_asking = now + self._pause_s, False

    def cut_off(self) -> None:
        """Note that the call was ended by ourselves: nothing is known."""
        self._is_asking = False
