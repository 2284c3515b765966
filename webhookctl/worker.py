"""Time comes in: applies events, carries out actions and looks after the store until told to stop."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from webhookctl.core.errors import told
from webhookctl.core.outcomes import ActionOutcome, Hindered
from webhookctl.fanout import BACKOFF_S, Endless, Job, fan_out, wait_any

_AHEAD_AT_MOST: Final = 48
"""Taken beyond what is under way: as much as a fast shop takes while we settle and claim."""
_LOOK_EVERY_S: Final = 0.5
_RENEW_EVERY_S: Final = 5.0

_Answer = TypeVar("_Answer")
_Held = TypeVar("_Held")
_Ended = TypeVar("_Ended")


class Acting(Protocol[_Held, _Ended]):
    """Some kinds of actions, as `fan_out` wants them; `webhookctl.flows.act.Act` is one."""

    def take(self, limit: int) -> Sequence[_Held]:
        """Claim what is due."""

    async def call(self, held: _Held) -> _Ended:
        """Make one attempt."""

    def failed(self, held: _Held, error: BaseException) -> _Ended:
        """Make sense of what `call` raised."""

    def settle(self, ended: Sequence[_Ended]) -> Sequence[ActionOutcome]:
        """Write how attempts ended."""

    def renew(self) -> None:
        """Prolong the claims of what takes long."""


@dataclass(frozen=True, slots=True)
class Line:
    """Actions that are carried out side by side; a slow shop fills its own line, and alerts go by another."""

    act: Acting[Any, Any]
    concurrency: int = 16


@dataclass(frozen=True, slots=True)
class Done:
    """What a single run did."""

    events: int
    actions: Counter[type[ActionOutcome]]


Outcome: TypeAlias = ActionOutcome | Hindered


@dataclass(frozen=True, slots=True)
class Worker:
    """The loops. Whatever one of them stumbles over is recorded, and it goes on after a rest."""

    apply: Callable[[], int]
    """Applies a batch of stored events; returns how many there were."""
    lines: Sequence[Line]
    upkeep: Callable[[], None]
    record: Callable[[Outcome], None]
    wake: asyncio.Event
    """Set when events have come; looked for anyway, as another process may have taken them in."""
    grace_s: float = 10.0
    """How long attempts may go on after the stop."""
    upkeep_every_s: float = 5.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; returns when all that was begun is settled."""
        made = [asyncio.Event() for _ in self.lines]
        all_settled = asyncio.Event()
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._apply(stop, made))
            loops.create_task(self._every(self.upkeep_every_s, "upkeep", self.upkeep, stop))
            for line in self.lines:
                loops.create_task(self._every(_RENEW_EVERY_S, "renew", line.act.renew, all_settled))
            async with asyncio.TaskGroup() as acting:
                for line, wake in zip(self.lines, made, strict=True):
                    endless = Endless(stop, wake, self._hindered("act"), _LOOK_EVERY_S, self.grace_s)
                    acting.create_task(self._carry_out(line, self.record, endless))
            all_settled.set()

    async def run_once(self) -> Done:
        """Do what is due, and what that causes; raises what `run` would record, once all that was begun has ended."""
        events, actions = 0, Counter[type[ActionOutcome]]()

        def count(outcome: ActionOutcome) -> None:
            actions[type(outcome)] += 1
            self.record(outcome)

        await asyncio.to_thread(self.upkeep)
        more = True
        while more:
            before = events, actions.total()
            while applied := await asyncio.to_thread(self.apply):
                events += applied
            for line in self.lines:
                await self._renewed(line, self._carry_out(line, count))
            more = before != (events, actions.total())
        return Done(events, actions)

    async def _renewed(self, line: Line, work: Awaitable[None]) -> None:
        ended = asyncio.Event()
        renewing = asyncio.create_task(self._every(_RENEW_EVERY_S, "renew", line.act.renew, ended))
        try:
            await work
        finally:
            ended.set()
            await renewing

    async def _carry_out(
        self, line: Line, record: Callable[[ActionOutcome], None], endless: Endless | None = None
    ) -> None:
        act = line.act
        job = Job(act.take, act.call, act.failed, act.settle, record)
        ahead = min(3 * line.concurrency, _AHEAD_AT_MOST)
        await fan_out(job, concurrency=line.concurrency, ahead=ahead, endless=endless)

    async def _apply(self, stop: asyncio.Event, made: Sequence[asyncio.Event]) -> None:
        while not stop.is_set():
            self.wake.clear()
            applied = await self._tried("apply", self.apply)
            if applied is None:
                await wait_any(stop, timeout_s=BACKOFF_S)
            elif applied:
                for event in made:
                    event.set()
            else:
                await wait_any(stop, self.wake, timeout_s=_LOOK_EVERY_S)

    async def _every(self, seconds: float, where: str, work: Callable[[], None], stop: asyncio.Event) -> None:
        while not stop.is_set():
            await wait_any(stop, timeout_s=seconds)
            await self._tried(where, work)

    async def _tried(self, where: str, work: Callable[[], _Answer]) -> _Answer | None:
        try:
            return await asyncio.to_thread(work)
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must not die of it
            self._hindered(where)(error)
            return None

    def _hindered(self, where: str) -> Callable[[Exception], None]:
        return lambda error: self.record(Hindered(where, told(error)))
