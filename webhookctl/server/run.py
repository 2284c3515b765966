"""Listening, until told to stop: what is open is finished, and nothing new is begun."""

import asyncio
import errno
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import uvicorn
import uvloop

from webhookctl.core.errors import ExitCode, SettingsError
from webhookctl.core.outcomes import Refused
from webhookctl.server.limits import Crowd, Limits
from webhookctl.server.protocol import Protocol

if TYPE_CHECKING:
    from uvicorn._types import ASGIApplication

T = TypeVar("T")

GRACE_S: Final = 8
"""How long open requests may take to end; what comes after (the worker, the last commit) must fit into 10 s as well."""
_OBJECTS_PER_SEARCH: Final = 20_000
_TICKS_PER_SWEEP: Final = 5
"""uvicorn ticks ten times a second."""
_LAST_WORDS_S: Final = 1.0
_BACKLOG: Final = 2048
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in a loop of uvloop and return what it returns."""
    # What was imported stays, and what requests leave behind hardly ever hangs together: Python's search for such
    # circles, which by default looks after every 700 objects, would take a twentieth of the time.
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_SEARCH, 20, 50)
    return uvloop.run(main)


@contextmanager
def stopped_by_signals(until: asyncio.Event) -> Iterator[None]:
    """Set `until` at the first SIGINT or SIGTERM; the second ends the process at once.

    That loses nothing acknowledged. Belongs round all that must end in order, in the main thread of a running loop.
    """
    loop = asyncio.get_running_loop()
    seen = list[int]()

    def stop(signum: int, _frame: FrameType | None) -> None:
        if seen:
            os._exit(ExitCode.INTERRUPTED)  # no clean-up: it may be what hangs
        seen.append(signum)
        loop.call_soon_threadsafe(until.set)

    # Not loop.add_signal_handler: a second signal must be heard even while the loop is busy.
    before = {signum: signal.signal(signum, stop) for signum in _SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def hearing_hangups(heard: Callable[[], None], *, gone: Callable[[], None]) -> Iterator[None]:
    """Call `heard` at each SIGHUP, but `gone` where it means that the terminal was closed in which we were started.

    Belongs into the main thread of a running loop.
    """
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGHUP)
    ends_with_it = before is not signal.SIG_IGN and _has_terminal()  # else it is a service, or begun by nohup
    loop.add_signal_handler(signal.SIGHUP, lambda: gone() if ends_with_it and not _has_terminal() else heard())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


# What to do about an errno of binding.
_ADVICE: Final = {
    errno.EADDRINUSE: "the port is taken. Stop what uses it (`ss -ltnp` shows it), or choose another",
    errno.EACCES: "this user may not use the port. Choose one above 1023, or let systemd grant CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine has no such address. Choose one of its own",
}
_LAST_PORT: Final = 65535
_WHERE_SET: Final = "with --listen or [serve] listen"


def listen_on(host: str, port: int, where_set: str = _WHERE_SET) -> socket.socket:
    """Bind and listen, before anything else starts, so that a taken port is the first thing that is said."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if port > _LAST_PORT:
        raise SettingsError(f"Can't listen on {where}: a port is at most {_LAST_PORT}. Choose one {where_set}.")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=_BACKLOG)
    except (socket.gaierror, UnicodeError):
        raise SettingsError(f"Can't listen on {where}: no address has that name. Choose another {where_set}.") from None
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, f"{os.strerror(error.errno or 0)}. Choose another address")
        raise SettingsError(f"Can't listen on {where}: {advice} {where_set}.") from None


async def serve(  # noqa: PLR0913 - all but two have no sensible default
    app: "ASGIApplication",
    *,
    sock: socket.socket,
    until: asyncio.Event,
    started: Callable[[str], None],
    tls: ssl.SSLContext | None = None,
    grace_s: int = GRACE_S,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    record: Callable[[Refused], None] = lambda _: None,
) -> None:
    """Serve `app` on `sock`, which is closed at the end, until `until` is set and what was open then has ended.

    What has not ended after `grace_s` is cancelled. `started` is called with the URL once requests are answered.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # its warnings are what anybody can cause, at any rate; what matters is recorded
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace_s,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if tls else 'http'}://{shown}:{port}"
    server = _Server(config, until, lambda: started(url), Crowd(limits), record)
    await server.serve([sock])
    if server.server_state.tasks:  # cancelled just now: let them say so to their clients
        await asyncio.wait(server.server_state.tasks, timeout=_LAST_WORDS_S)


class _Server(uvicorn.Server):
    """uvicorn's server with our protocol, and without its own idea of signals."""

    def __init__(
        self,
        config: uvicorn.Config,
        until: asyncio.Event,
        started: Callable[[], None],
        crowd: Crowd,
        record: Callable[[Refused], None],
    ) -> None:
        super().__init__(config)
        self._until = until
        self._on_start = started
        self._crowd = crowd
        self._record = record

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn would give a client a minute for the handshake of TLS, and half of one for its end."""
        deadline = self._crowd.limits.head_s if self.config.ssl else None
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=sock,
                ssl=self.config.ssl,
                backlog=_BACKLOG,
                ssl_handshake_timeout=deadline,
                ssl_shutdown_timeout=deadline,
            )
            for sock in sockets or []
        ]
        self.started = True
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in tuple(self._connections()):  # the grace is over
            connection.give_up()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SWEEP == 0:
            now = asyncio.get_running_loop().time()
            for connection in tuple(self._connections()):
                connection.sweep(now)
        return await super().on_tick(counter) or self._until.is_set()

    def _protocol(self) -> Protocol:
        return Protocol(self.config, self.server_state, {}, crowd=self._crowd, record=self._record)

    def _connections(self) -> set[Protocol]:
        return cast("set[Protocol]", self.server_state.connections)  # all are made by `_protocol`
