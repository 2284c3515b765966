"""Backing up and pruning by itself, off every hot path: a thread of its own, in small steps."""

import asyncio
from collections.abc import Callable
from typing import Final

from webhookctl.adapters.reserve import Reserve
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config.place_settings import StoreSettings
from webhookctl.core.errors import told
from webhookctl.core.outcomes import Hindered, LookedAfter
from webhookctl.core.ports.chores import ChoreName
from webhookctl.fanout import wait_any
from webhookctl.wiring import backing_up, now_ms, pruning

_LOOK_EVERY_S: Final = 5.0
_PRUNE_EVERY_MS: Final = 86_400_000
_AGAIN_AFTER_MS: Final = 3_600_000
"""How long after one that failed, or was killed, the next is tried."""


class _StoppedError(Exception):
    """The process is to end."""


class Keeping:
    """Does what [store] asks for when it is due; of several processes on one store one does it."""

    def __init__(
        self, settings: StoreSettings, opened: SqliteStore, record: Callable[[LookedAfter | Hindered], None]
    ) -> None:
        self._settings = settings
        self._opened = opened
        self._record = record
        self._reserve = Reserve(settings.path)
        self._until = asyncio.Event()

    async def run(self, until: asyncio.Event) -> None:
        """Look now and then until told to stop; what is under way then is broken off, and due again."""
        self._until = until
        while not until.is_set():
            await asyncio.to_thread(self.look)
            await wait_any(until, timeout_s=_LOOK_EVERY_S)

    def look(self) -> None:
        """Do what is due."""
        self._reserve.keep()
        if self._settings.backup_every is not None:
            self._tried(ChoreName.BACKUP, self._settings.backup_every, self._back_up)
        if self._settings.retention is not None:
            self._tried(ChoreName.PRUNE, _PRUNE_EVERY_MS, self._prune)

    def _tried(self, name: ChoreName, every: int, chore: Callable[[], str]) -> None:
        """Do a chore that is due, and write down how it went: it must never disturb what we are here for."""
        try:
            if not self._opened.chores.begin(name, every=every, again_after=min(every, _AGAIN_AFTER_MS), now=now_ms()):
                return
            try:
                detail = chore()
            except _StoppedError:
                return
            except Exception as error:  # noqa: BLE001 - as a whole it is told to a person, below
                self._record(Hindered(name, told(error)))
                self._opened.chores.end(name, done=False, detail=told(error), now=now_ms())
            else:
                self._record(LookedAfter(name, detail))
                self._opened.chores.end(name, done=True, detail=detail, now=now_ms())
        except Exception as error:  # noqa: BLE001 - the store itself can't be asked
            self._record(Hindered(name, told(error)))

    def _back_up(self) -> str:
        done = backing_up.back_up(
            self._opened, f"{self._settings.backup_to}/", keep=self._settings.keep, force=False, advance=self._go_on
        )
        return str(done.path)

    def _go_on(self, _step: int) -> None:
        if self._until.is_set():
            raise _StoppedError

    def _prune(self) -> str:
        took = pruning.prune_beside(
            self._opened, older_than=self._settings.retention or 0, goes_on=lambda: not self._until.is_set()
        ).run()
        self._go_on(0)
        return pruning.told(took)
