"""An action as a message to people, by any of the services that apprise knows: many actions, one message."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from webhookctl.core.errors import SettingsError
from webhookctl.core.notices import Wording
from webhookctl.core.ports.handler import Failed, NotYet, Repeat, Result, Succeeded, Task
from webhookctl.core.retries import RetryPolicy

if TYPE_CHECKING:
    from apprise import NotifyBase

GATHER_S: Final = 5.0
"""What comes within so much of the first of them goes into one message with it."""
AT_ONCE: Final = 1000
"""Actions in one message at most."""
_JOIN_S: Final = 0.2
"""How long the first that is handled waits for those that were taken together with it."""
_IDLE_S: Final = 5.0
"""So long after a message might have gone out, whoever comes is the first of others to be gathered."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where messages go."""

    reference: str
    """`env:OPS_URL`: what may be shown of it."""
    url: str = field(repr=False)

    def service(self) -> "NotifyBase":
        """Return apprise's own idea of it; raises `SettingsError`."""
        try:
            from apprise import Apprise  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise SettingsError("notify needs an extra: pip install 'webhookctl[notify]'.") from None
        # What apprise logs may hold parts of the address; we say ourselves what failed.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        found = Apprise.instantiate(self.url, suppress_exceptions=True)
        if found is None or isinstance(found, dict):
            raise SettingsError(
                f"{self.reference} holds no address that apprise can send to, such as mailto://… or slack://…; "
                "`apprise --dry-run -vv` says what is wrong with one."
            )
        return found

    async def tell(self, title: str, text: str, timeout_s: float) -> bool:
        """Send a message, cut to what the service takes; False where it did not take it in time."""
        from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - see above

        service = self.service()
        room = service.body_maxlen - (0 if service.title_maxlen else len(title) + 2)
        sender = Apprise()
        sender.add(service)
        message = {"title": title[: service.title_maxlen or None], "body": text[: max(room, 1)]}
        try:
            async with asyncio.timeout(timeout_s):
                return bool(await sender.async_notify(**message, body_format=NotifyFormat.TEXT))
        except TimeoutError:
            return False


@dataclass(slots=True)
class _Batch:
    """Tasks that go out together."""

    tasks: list[Task]
    result: "asyncio.Future[Result]"


@dataclass(slots=True)
class NotifyAction:
    """Tells people by `channels`: what comes within seconds in one message, and no message sooner than `every_s`.

    A first action is put off for `gather_s`, so that its companions go with it. Where some channels took a message and
    others did not, the next attempt goes to the others.
    """

    channels: Sequence[Channel]
    wording: Wording
    every_s: float
    """0: each action is a message of its own, at once."""
    retries: RetryPolicy
    timeout_s: float = 10.0
    gather_s: float = GATHER_S
    steady: Callable[[], float] = time.monotonic
    repeat: Repeat = Repeat.AT_LEAST_ONCE
    _next: float | None = field(default=None, init=False, compare=False)
    """When a message may go out."""
    _open: _Batch | None = field(default=None, init=False, compare=False, repr=False)
    """What others may still join."""
    _told: dict[str, set[str]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Which channels know of an action that others don't know of yet."""

    @property
    def ready(self) -> bool:
        return self.every_s == 0 or self._next is None or self.steady() >= self._next

    async def handle(self, task: Task) -> Result:
        if self.every_s == 0:
            return await self._send([task])
        if self._open is not None:
            self._open.tasks.append(task)
            return await asyncio.shield(self._open.result)
        now = self.steady()
        if self._next is None or now - self._next > _IDLE_S:
            self._next = now + self.gather_s
        if now < self._next:
            return NotYet("Others are waited for, to be told together.", max(round(1000 * (self._next - now)), 1))
        self._next = now + self.every_s
        return await self._lead(task)

    async def _lead(self, task: Task) -> Result:
        """Wait a moment for those that were taken with `task`, and send all."""
        batch = self._open = _Batch([task], asyncio.get_running_loop().create_future())
        try:
            try:
                await asyncio.sleep(_JOIN_S)
            finally:
                self._open = None
            result = await self._send(batch.tasks)
        except BaseException:
            batch.result.cancel()
            raise
        batch.result.set_result(result)
        return result

    async def _send(self, tasks: Sequence[Task]) -> Result:
        took = await asyncio.gather(*(self._tell(channel, tasks) for channel in self.channels))
        refused = [channel.reference for channel, one in zip(self.channels, took, strict=True) if not one]
        if refused:
            return Failed(f"{' and '.join(refused)} did not take the message; `apprise -vv` shows why.")
        for task in tasks:
            self._told.pop(task.action.id, None)
        together = f" in one message with {len(tasks) - 1} others" if len(tasks) > 1 else ""
        return Succeeded(f"Told by {' and '.join(channel.reference for channel in self.channels)}{together}.")

    async def _tell(self, channel: Channel, tasks: Sequence[Task]) -> bool:
        new = [task for task in tasks if channel.reference not in self._told.get(task.action.id, ())]
        if new and not await channel.tell(*self.wording.of(new), self.timeout_s):
            return False
        for task in new:
            self._told.setdefault(task.action.id, set()).add(channel.reference)
        return True
