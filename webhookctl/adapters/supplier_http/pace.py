"""No more questions a second than the supplier allows, and hardly fewer."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

_CATCH_UP_S: Final = 0.03
"""How far behind its schedule a busy process may still ask at once what it should have asked before."""


class TimeUpError(Exception):
    """The turn would come after the time that there is."""


@dataclass(slots=True)
class Pace:
    """Gives out turns, evenly; use it in one event loop."""

    per_second: float | None
    _next: float = 0.0
    _paused_until: float = field(default=0.0, init=False)

    def pause(self, until: float) -> None:
        """Give no turn before the loop's time `until`."""
        self._paused_until = max(self._paused_until, until)

    async def turn(self, until: float) -> None:
        """Wait for the next turn; raises `TimeUpError` at once where that comes after the loop's time `until`."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._paused_until)
        if self.per_second is not None:
            interval = 1 / self.per_second
            turn = max(self._next, self._paused_until, now - max(_CATCH_UP_S, interval))
            self._next = turn + interval
        if max(turn, now) >= until:
            raise TimeUpError
        if turn > now:
            await asyncio.sleep(turn - now)
