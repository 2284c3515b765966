"""Asking suppliers while we serve: at once on start, at intervals, and within seconds where an order is to be asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import Settings
from webhookctl.core.errors import SettingsError, told
from webhookctl.core.outcomes import Asked, Found, Hindered, Resumed, SupplierNotAsked
from webhookctl.fanout import wait_any
from webhookctl.flows.poll import Asking, look_at_missed
from webhookctl.wiring import asked_suppliers, now_ms
from webhookctl.wiring.polling import Askers, Wanted, poll_of, run_until

_LOOK_EVERY_S: Final = 1.0
_BEAT_EVERY_S: Final = 30.0
_ROUND_S: Final = 240.0
"""How long one round may take; what is left over is asked about in the next."""
_REST_S: Final = 60.0
"""How long a supplier that could not be asked is spared the orders that are to be asked about at once."""
_WORTH_A_WORD_S: Final = 60
"""A restart is no pause."""


@dataclass(slots=True)
class ServePolling:
    """Asks by the settings that are in force; whatever hinders it is recorded, and it goes on."""

    settings: Callable[[], Settings]
    opened: SqliteStore
    outbound: Outbound
    record: Callable[[Asked | Hindered], None]
    found: Callable[[], None]
    """Called when something was learned: there is work."""
    _askers: Askers = field(init=False)
    _resting: dict[str, float] = field(default_factory=dict, init=False)
    """Until when, in the loop's time, each supplier that could not be asked rests."""
    _next_round: float = field(default=0.0, init=False)
    _next_beat: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._askers = Askers(self.outbound)

    async def run(self, until: asyncio.Event) -> None:
        """Ask until told to stop."""
        await self._tried(self._resume)
        while not until.is_set():
            await self._tried(lambda: self._look(until))
            await wait_any(until, timeout_s=_LOOK_EVERY_S)
        await self._tried(self._beat)

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, receiving must not die of it
            self.record(Hindered("poll", told(error)))

    async def _resume(self) -> None:
        """Say how long we were away, and how much is to be asked about."""
        last = await asyncio.to_thread(self.opened.leases.last_beat)
        stale = await asyncio.to_thread(self._count)
        down_s = None if last is None else max(now_ms() - last, 0) // 1000
        if stale or (down_s or 0) >= _WORTH_A_WORD_S:
            self.record(Resumed(down_s, stale))
        await self._beat()

    def _count(self) -> int:
        now = now_ms()
        return sum(
            self.opened.leases.count_stale_orders(name, older_than=now - one.api.policy.after, now=now)
            for name, one in self.settings().suppliers.items()
            if one.asked is not None and one.api is not None
        )

    async def _beat(self) -> None:
        self._next_beat = asyncio.get_running_loop().time() + _BEAT_EVERY_S
        await asyncio.to_thread(self.opened.leases.beat, now=now_ms())

    async def _look(self, until: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_beat:
            await self._beat()
        settings = self.settings()
        every = settings.serve.poll_every
        if every is not None and now >= self._next_round:
            self._next_round = now + every / 1000
            await self._ask(self._askings(settings, asked_suppliers(settings)), until, wanted_only=False)
        elif wanted := await asyncio.to_thread(self._wanted, settings, now):
            await self._ask(self._askings(settings, wanted), until, wanted_only=True)

    def _askings(self, settings: Settings, names: Sequence[str]) -> list[Asking]:
        """Return those of `names` that can be asked: a secret that can't be read keeps no other from being so."""
        found = list[Asking]()
        for name in names:
            try:
                found += self._askers.of(settings, Wanted(name))
            except SettingsError as error:
                self._told(SupplierNotAsked(name, str(error)))
        return found

    def _wanted(self, settings: Settings, now: float) -> list[str]:
        names = [name for name in asked_suppliers(settings) if self._resting.get(name, now) <= now]
        return [name for name in names if self.opened.leases.is_any_wanted(name, now=now_ms())]

    async def _ask(self, askings: Sequence[Asking], until: asyncio.Event, *, wanted_only: bool) -> None:
        deadline = asyncio.get_running_loop().time() + _ROUND_S
        polls = [poll_of(one, self.opened, deadline=deadline) for one in askings]
        for one in polls:
            one.wanted_only = wanted_only
        await run_until(polls, self._told, until)
        if not wanted_only:
            outcomes = await asyncio.to_thread(self._missed, askings)
            for outcome in outcomes:
                self.record(outcome)

    def _missed(self, askings: Sequence[Asking]) -> list[Asked]:
        return look_at_missed(self.opened.leases, askings, now=now_ms())

    def _told(self, outcome: Asked) -> None:
        self.record(outcome)
        if isinstance(outcome, Found):
            self.found()
        elif isinstance(outcome, SupplierNotAsked):
            self._resting[outcome.supplier] = asyncio.get_running_loop().time() + _REST_S
