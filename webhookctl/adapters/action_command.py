"""An action as a command of the shop: the document on its standard input, the verdict in its exit code."""

import asyncio
import os
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from webhookctl.core.documents import excerpt
from webhookctl.core.ports.handler import Failed, GivenUp, Repeat, Result, Succeeded, Task, unsure
from webhookctl.core.redaction import Code, printable
from webhookctl.core.retries import RetryPolicy

_MOST_READ: Final = 16 * 1024
_TERM_S: Final = 2.0
"""How long a process group may take to tidy up before it is killed."""
_LAST_WORDS_S: Final = 0.2
"""How long we read on after the command's end: what it left in the background may keep the pipe open for ever."""
_LOOK_S: Final = 0.02
# A command inherits what says where programs, texts and times are; no secret of ours, all of which may be there too.
_INHERITED: Final = frozenset({"PATH", "HOME", "TZ", "LANG", "LANGUAGE"})


@dataclass(frozen=True, slots=True)
class CommandAction:
    """Runs `argv`, without a shell, in a session of its own."""

    argv: Sequence[str]
    repeat: Repeat
    retries: RetryPolicy
    timeout_s: float = 60.0

    @property
    def ready(self) -> bool:
        return True

    async def handle(self, task: Task) -> Result:
        if any("\0" in word for word in self.argv):  # uvloop would run what stands before it
            return self._unstarted("bad argument")
        loop = asyncio.get_running_loop()
        try:
            transport, run = await loop.subprocess_exec(
                _Run, *self.argv, env=_environment(task), stderr=asyncio.subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            return self._unstarted(os.strerror(error.errno or 0).lower())
        try:
            ended = await run.through(transport, task.document, self.timeout_s)
        finally:
            with suppress(PermissionError):  # what runs as another user is not ours to kill
                transport.close()
        return self._judged(transport.get_returncode() if ended else None, run.said(task.codes))

    def _unstarted(self, reason: str) -> Failed:
        return Failed(f"The command {self._name} can't be started ({reason}).", alert=True)

    def _judged(self, code: int | None, said: str) -> Result:
        """Give the verdict; `code` is None after a timeout, negative where a signal ended the command."""
        if code == 0:
            return Succeeded(f"{self._name} ended well{said}")
        if code is None:
            return unsure(self.repeat, f"{self._name} did not end within {self.timeout_s:g} s{said}")
        if code < 0:
            return unsure(self.repeat, f"{self._name} was ended by signal {-code}{said}")
        if code == os.EX_TEMPFAIL:
            return Failed(f"{self._name} asks to be tried again (exit code {code}){said}")
        return GivenUp(f"{self._name} failed with exit code {code}{said}")

    @property
    def _name(self) -> str:
        return printable(self.argv[0])


def _environment(task: Task) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}
    action = task.action
    return inherited | {
        "WEBHOOK_ID": action.id,
        "WEBHOOKCTL_KIND": action.kind.value,
        "WEBHOOKCTL_SUPPLIER": action.supplier,
        "WEBHOOKCTL_REFERENCE": printable(
            action.subject
        ),  # no environment can hold a NUL; the document has it as it is
        "WEBHOOKCTL_ATTEMPT": str(action.attempts),
    }


class _Run(asyncio.SubprocessProtocol):
    """One run: keeps the beginning of what is said, lets the rest go, and knows the end from the end of the output."""

    def __init__(self) -> None:
        self._output = bytearray()
        self._silent = asyncio.Event()
        self._ended = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd  # the errors come by the same pipe
        self._output += data[: _MOST_READ - len(self._output)]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc  # a command need not read what it is given
        if fd == 1:
            self._silent.set()

    def process_exited(self) -> None:
        self._ended.set()

    async def through(self, transport: asyncio.SubprocessTransport, document: bytes, timeout_s: float) -> bool:
        """Return True when the command ended by itself; after a timeout nothing of its group is left."""
        # A cast, not a check: uvloop's transports are not asyncio.WriteTransport by isinstance.
        stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        if not stdin.is_closing():  # it is when the command has already ended
            stdin.write(document)
            stdin.close()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            await self._stop(transport.get_pid())
            return False
        except asyncio.CancelledError:
            await self._stop(transport.get_pid())
            raise
        await _within(_LAST_WORDS_S, self._silent)
        return True

    async def _stop(self, group: int) -> None:
        """End a process group: asked first, killed if it doesn't obey."""
        try:
            os.killpg(group, signal.SIGTERM)
            await _gone(group)
        except (ProcessLookupError, PermissionError):
            return
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        await _within(_TERM_S, self._ended)

    def said(self, codes: Collection[Code]) -> str:
        """Return the beginning of the output, ready to end a sentence with."""
        words = excerpt(self._output.decode(errors="replace"), codes)
        return f": {words}" if words else "."


async def _gone(group: int) -> None:
    """Wait a while for the last of a process group to end; raises ProcessLookupError when it has."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_TERM_S):
            while True:
                os.killpg(group, 0)
                await asyncio.sleep(_LOOK_S)


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
