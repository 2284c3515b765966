"""What was rejected is written beside the intake, once a second; and proven once more when asked to."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import Settings
from webhookctl.core.errors import StoreBrokenError, told
from webhookctl.core.outcomes import Unkept
from webhookctl.core.ports.quarantine import Quarantine, RejectedQuery
from webhookctl.core.quarantine import Bounds, Rejection
from webhookctl.fanout import wait_any
from webhookctl.flows.quarantine import Reverify, WaitingRoom
from webhookctl.server.receiver import SupplierDoor
from webhookctl.wiring import now_ms
from webhookctl.wiring.in_force import door

_TURN_S: Final = 1.0
_TURNS_PER_SWEEP: Final = 60
"""What is too old goes with whatever is kept next, and once a minute where nothing is."""
_TOO_MANY: Final = "too many came at once"
_NO_SPACE: Final = "there is hardly any space left on the disk"


class Quarantining:
    """Keeps rejections, a commit a second at most, so that a flood costs the events next to nothing."""

    def __init__(
        self,
        quarantine: Quarantine,
        bounds: Callable[[], Bounds],
        record: Callable[[Unkept], None],
        is_full: Callable[[], bool],
    ) -> None:
        self.broken: StoreBrokenError | None = None
        self._quarantine = quarantine
        self._bounds = bounds
        self._record = record
        self._is_full = is_full
        self._room = WaitingRoom()

    def put(self, rejection: Rejection) -> None:
        """Have a rejection kept, if there is room; called in the loop."""
        self._room.put(rejection)

    async def run(self, until: asyncio.Event) -> None:
        """Keep what comes until told to stop; ends early, and sets `until`, where the store is broken for good."""
        turn = 0
        while not until.is_set():
            await wait_any(until, timeout_s=_TURN_S)
            await self._write(self._room.take())
            turn += 1
            if turn % _TURNS_PER_SWEEP == 0:
                await self._sweep()
            if self.broken:
                until.set()

    async def finish(self) -> None:
        """Keep one turn more of what waits, when nothing more comes in; the rest is counted."""
        await self._write(self._room.take())
        if left := len(self._room):
            self._record(Unkept(left, _TOO_MANY))

    async def _write(self, rejections: list[Rejection]) -> None:
        if unkept := self._room.take_unkept():
            self._record(Unkept(unkept, _TOO_MANY))
        if not rejections:
            return
        if self.broken or self._is_full():
            self._record(Unkept(len(rejections), told(self.broken) if self.broken else _NO_SPACE))
            return
        try:
            await asyncio.to_thread(self._quarantine.keep, rejections, self._bounds(), now=now_ms())
        except Exception as error:  # noqa: BLE001 - whatever it is, events come first and go on
            self._failed(len(rejections), error)

    async def _sweep(self) -> None:
        try:
            await asyncio.to_thread(self._quarantine.forget_old, before=now_ms() - self._bounds().keep_ms)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(0, error)

    def _failed(self, count: int, error: Exception) -> None:
        self._record(Unkept(count, told(error)))
        if isinstance(error, StoreBrokenError):
            self.broken = error


class Doors(Mapping[str, SupplierDoor]):
    """The suppliers' doors, each made ready when it is asked for: the secrets of the others need not be here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, SupplierDoor] = {}

    def __getitem__(self, name: str) -> SupplierDoor:
        if name not in self._made:
            if name not in self._settings.suppliers:
                raise KeyError(name)
            self._made[name] = door(self._settings, name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.suppliers)

    def __len__(self) -> int:
        return len(self._settings.suppliers)


def reverify(settings: Settings, store: SqliteStore, query: RejectedQuery) -> Reverify:
    """Join what is needed to prove rejections once more, by the settings of now."""
    return Reverify(store.quarantine, Doors(settings), query)
