"""Receiver and worker, joined to settings, store and handlers."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters import action_notify as notify
from webhookctl.adapters import telemetry
from webhookctl.adapters.action_notify import NotifyAction
from webhookctl.adapters.free_space import FreeSpace
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import ServeSettings, Settings
from webhookctl.core.errors import PersonNeededError, StoreBrokenError
from webhookctl.core.orders import ActionKind
from webhookctl.core.outcomes import Ambiguous, Dead, EventApplied, Noticed, Outcome, Stored
from webhookctl.core.ports.handler import Handler
from webhookctl.core.quarantine import Bounds
from webhookctl.flows.act import Act
from webhookctl.flows.alarms import Alarms
from webhookctl.flows.apply import Apply
from webhookctl.flows.receive import Receive
from webhookctl.server import run
from webhookctl.server.batcher import Batcher
from webhookctl.server.limits import Limits
from webhookctl.server.receiver import Receiver
from webhookctl.wiring import handled_kinds, now_ms, policies, steady_clock, store
from webhookctl.wiring.in_force import Handlers, InForce, Rereading, check, renewed_tls
from webhookctl.wiring.keeping import Keeping
from webhookctl.wiring.quarantining import Quarantining
from webhookctl.worker import Line, Worker

if TYPE_CHECKING:
    from webhookctl.adapters.outbound import Outbound
    from webhookctl.server.admin import Admin
    from webhookctl.wiring.serve_polling import ServePolling

_ADMIN_CONNECTIONS: Final = 32
_AT_ONCE: Final = (16, 16, notify.AT_ONCE)
"""Of deliveries and the like, of alerts, of messages."""
_DEFAULT_URL: Final = "http://127.0.0.1:8700"
_WHERE_ADMIN_IS_SET: Final = "with [serve] admin"


@dataclass(slots=True)
class Tally:
    """Records what happens, and counts it for the last words."""

    wake: asyncio.Event
    """Set when a delivery was stored: there is work."""
    counts: Counter[str] = field(default_factory=Counter)
    for_a_person: int = 0
    """How much has come up that a person must decide."""

    def record(self, outcome: Outcome) -> None:
        self.counts[type(outcome).__name__] += 1
        if isinstance(outcome, Stored):
            self.wake.set()
        elif isinstance(outcome, (Ambiguous, Dead)) or (isinstance(outcome, EventApplied) and outcome.needs_a_person):
            self.for_a_person += 1
        telemetry.record(outcome)

    def last_words(self) -> str:
        count = self.counts
        return (
            f"Stopped: {count['Stored']} deliveries kept, {count['Duplicate']} repeats answered, "
            f"{count['Rejected']} rejected, {count['EventApplied']} events applied, {count['Delivered']} actions done."
        )


@dataclass(frozen=True, slots=True)
class _Entrance:
    """Where suppliers come in: checked and bound before anything else starts."""

    sock: socket.socket
    admin: socket.socket | None
    """Where this machine asks after health, metrics and orders."""
    started: Callable[[str], None]


def serve(
    settings: Settings, again: Callable[[], Settings], *, worker: bool, verbose: bool, started: Callable[[str], None]
) -> str:
    """Receive, and work unless told otherwise, until a signal comes; return what was done.

    `again` reads the settings once more, when SIGHUP asks for it.
    """
    check(settings)
    outbound = _way_out() if worker else None
    in_force = InForce.of(settings, outbound, receives=True)
    listen = settings.serve.listen
    with (
        run.listen_on(listen.host, listen.port) as sock,
        _admin_listener(settings) as admin,
        store(settings, create=True) as opened,
    ):
        telemetry.configure_logging(verbose=verbose)
        _tell_notices(opened)
        machine = _Machine(in_force, outbound, opened)
        return run.run(_serve(machine, again, _Entrance(sock, admin, started)))


def _tell_notices(opened: SqliteStore) -> None:
    for notice in opened.notices:
        telemetry.record(Noticed(notice))


@contextmanager
def _admin_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """Bind the address for this machine alone, if one is set."""
    address = settings.serve.admin
    if address is None:
        yield None
        return
    with run.listen_on(address.host, address.port, _WHERE_ADMIN_IS_SET) as sock:
        yield sock


def _way_out() -> "Outbound":
    from webhookctl.adapters.outbound import Outbound  # noqa: PLC0415 - a dozen megabytes, for who works only

    return Outbound()


def greeting(settings: Settings, url: str, program: str) -> list[str]:
    """Say where we listen, how to send an event with `program`, where the data lies, and what is missing."""
    lines = [
        f"Listening on {url}",
        *(f"Supplier {name} posts to {url}/webhooks/{name}" for name in settings.suppliers),
        f"The store is {settings.store.path}; {_key_line(settings)}",
    ]
    if settings.demo:
        where = "" if url == _DEFAULT_URL else f" --url {url}/webhooks/demo"
        lines += [
            "This is a demo, as there is no settings file. In a second terminal, in this folder:",
            f"    {program} send order.created{where}",
            f"    {program} send order.fulfilled{where}",
            f"    {program} orders show ORD-12345",
        ]
    if settings.serve.admin is not None:
        lines.append(f"Health and metrics: http://{settings.serve.admin}/healthz and /metrics")
    missing = [kind.value for kind in ActionKind if kind not in handled_kinds(settings)]
    if missing:
        lines.append(f"No handler is set for {', '.join(missing)}: what orders ask of them waits for [actions.*].")
    return [*lines, "Ctrl-C stops."]


def _key_line(settings: Settings) -> str:
    if not settings.store.keys:
        return "codes lie in it in clear, as [store] unencrypted wants it."
    return f"its key is {settings.store.keys[0]}: keep a copy of the key elsewhere."


async def _serve(machine: "_Machine", again: Callable[[], Settings], entrance: _Entrance) -> str:
    settings, tally = machine.in_force.settings, machine.tally
    batcher = Batcher(machine.receive.accept, on_broken=lambda _: machine.until.set())
    is_full = FreeSpace(settings.store.path.parent).is_low
    quarantining = machine.quarantining(is_full)
    receiver = Receiver(
        machine.in_force.doors,
        batcher.submit,
        now_ms,
        record=tally.record,
        max_body=settings.serve.max_body,
        is_full=is_full,
        trusted=settings.serve.trusted_proxies,
        quarantine=quarantining.put,
    )
    machine.receiver = receiver
    grace_s = settings.serve.grace / 1000
    async with _running(machine, again):
        keeping = asyncio.create_task(quarantining.run(machine.until))
        beside = _beside(machine, entrance, grace_s)
        await run.serve(
            receiver,
            sock=entrance.sock,
            until=machine.until,
            started=entrance.started,
            tls=machine.tls.context if machine.tls else None,
            grace_s=round(grace_s),
            limits=_limits(settings.serve),
            record=tally.record,
        )
        await batcher.close()
        await keeping
        await quarantining.finish()
        for task in beside:
            await task
    if broken := batcher.broken or machine.broken or quarantining.broken:
        raise broken
    machine.look_after()
    return tally.last_words()


def _beside(machine: "_Machine", entrance: _Entrance, grace_s: float) -> list[asyncio.Task[None]]:
    """Begin what goes on beside receiving; each ends by itself once `machine.until` is set."""
    jobs = list[Coroutine[Any, Any, None]]()
    if machine.outbound:
        jobs.append(_work_and_ask(machine, machine.outbound, grace_s))
    if entrance.admin:
        jobs.append(_administer(machine, entrance.admin))
    return [asyncio.create_task(job) for job in jobs]


async def _administer(machine: "_Machine", sock: socket.socket) -> None:
    await run.serve(
        machine.admin().app(),
        sock=sock,
        until=machine.until,
        started=lambda _url: None,
        grace_s=1,
        limits=Limits(connections=_ADMIN_CONNECTIONS),
        record=machine.tally.record,
    )


def _limits(serve: ServeSettings) -> Limits:
    return Limits(serve.max_connections, serve.max_per_address, serve.trusted_proxies)


async def _work_and_ask(machine: "_Machine", outbound: "Outbound", grace_s: float) -> None:
    jobs = (machine.worker(grace_s), machine.polling(outbound), machine.keeping())
    await asyncio.gather(*(job.run(machine.until) for job in jobs))


@asynccontextmanager
async def _running(machine: "_Machine", again: Callable[[], Settings]) -> AsyncIterator[None]:
    """Hear the signals: the first to stop sets `machine.until`, SIGHUP has the settings read again."""
    rereading = Rereading(machine.in_force, again, machine.outbound, machine.exchange, machine.tally.record)
    with run.stopped_by_signals(machine.until), run.hearing_hangups(rereading.asked.set, gone=machine.until.set):
        async with aclosing(machine):
            listening = asyncio.create_task(rereading.run(machine.until))
            try:
                yield
            finally:
                machine.until.set()
                await listening


class _Machine:
    """What works behind the receiver: one client for all calls, one line for alerts and one for the rest."""

    def __init__(self, in_force: InForce, outbound: "Outbound | None", opened: SqliteStore) -> None:
        self.in_force = in_force
        self.tls = in_force.tls
        """What the listener began with."""
        self.outbound = outbound
        self.until = asyncio.Event()
        self.tally = Tally(asyncio.Event())
        self.receive = Receive(opened.intake)
        self.receiver: Receiver | None = None
        self.broken: StoreBrokenError | None = None
        self._opened = opened
        self._clock = steady_clock()
        self._has_queued_sealed = False
        self._handlers = [Handlers(some) for some in _apart(in_force)]
        self._apply = Apply(opened.events, opened.orders, in_force.suppliers)
        after = self._undelivered_after, self._waiting_after
        self._alarms = Alarms(opened.alarms, lambda: policies(self.in_force.settings), *after)

    def exchange(self, found: InForce) -> None:
        """Go on by other settings; what is under way ends by those that it began with."""
        if self.tls and (renewed := renewed_tls(self.in_force, found)):
            self.tls.show_instead(renewed)
        self.in_force = found
        self._apply = Apply(self._opened.events, self._opened.orders, found.suppliers)
        for handlers, some in zip(self._handlers, _apart(found), strict=True):
            handlers.exchange(some)
        if self.receiver:
            # Last of all: what comes in by a new door finds everything behind it new.
            self.receiver.open_doors(found.doors)

    def quarantining(self, is_full: Callable[[], bool]) -> Quarantining:
        def bounds() -> Bounds:
            return self.in_force.settings.quarantine.bounds

        return Quarantining(self._opened.quarantine, bounds, self.tally.record, is_full)

    def worker(self, grace_s: float) -> Worker:
        return Worker(
            apply=partial(self._applied, asyncio.get_running_loop()),
            lines=[Line(self._act(handlers), most) for handlers, most in zip(self._handlers, _AT_ONCE, strict=True)],
            upkeep=self._upkeep,
            record=self.tally.record,
            wake=self.tally.wake,
            grace_s=grace_s,
        )

    def admin(self) -> "Admin":
        from webhookctl.wiring import administration  # noqa: PLC0415 - Starlette and Prometheus, for who has a listener

        return administration.admin(
            self._opened, lambda: self.in_force.settings, self.tally.counts, lambda: self.broken is not None
        )

    def _undelivered_after(self) -> int:
        return self.in_force.settings.alarms.undelivered_after

    def _waiting_after(self) -> int:
        return self.in_force.settings.alarms.waiting_after

    def _upkeep(self) -> None:
        self.look_after()
        if not self._has_queued_sealed:  # once: keys change with a restart only
            self._opened.events.queue_sealed()
            self._has_queued_sealed = True
        self._alarms.run(now=self._clock())

    def polling(self, outbound: "Outbound") -> "ServePolling":
        from webhookctl.wiring.serve_polling import ServePolling  # noqa: PLC0415 - as `_way_out`

        return ServePolling(
            lambda: self.in_force.settings, self._opened, outbound, self.tally.record, self.tally.wake.set
        )

    def keeping(self) -> Keeping:
        # What [store] says now holds until the next start.
        return Keeping(self.in_force.settings.store, self._opened, self.tally.record)

    async def aclose(self) -> None:
        if self.outbound:
            await self.outbound.aclose()

    def _act(self, handlers: Handlers) -> Act:
        chance = random.SystemRandom().random
        return Act(self._opened.outbox, self._opened.orders, handlers, self._clock, chance)

    def _applied(self, loop: asyncio.AbstractEventLoop) -> int:
        """Apply a batch; a store that is broken for good ends the process, whose supervisor starts it again."""
        try:
            outcomes = self._apply.run(now=self._clock())
        except StoreBrokenError as error:
            self.broken = error
            loop.call_soon_threadsafe(self.until.set)
            raise
        for outcome in outcomes:
            self.tally.record(outcome)
        return len(outcomes)

    def look_after(self) -> None:
        """Write down what intake only counts."""
        self._opened.upkeep.count_repeats(self.receive.take_repeats(), now=now_ms())


def _apart(found: InForce) -> tuple[dict[ActionKind, Handler], ...]:
    """Return the handlers in lines of their own: whatever deliveries are doing, alerts and messages go their own way.

    Messages are last: as many as there are go into one, so that many must be at hand at once.
    """
    others, alerts, messages = dict[ActionKind, Handler](), dict[ActionKind, Handler](), dict[ActionKind, Handler]()
    for kind, handler in found.handlers.items():
        line = messages if isinstance(handler, NotifyAction) else alerts if kind is ActionKind.ALERT else others
        line[kind] = handler
    return others, alerts, messages


def work(settings: Settings, again: Callable[[], Settings], *, once: bool, verbose: bool) -> str:
    """Work until a signal comes, or once what is due; return what was done.

    Raises `PersonNeededError` where a single run has left something that a person must decide.
    """
    telemetry.configure_logging(verbose=verbose)
    outbound = _way_out()
    with store(settings, create=True) as opened:
        _tell_notices(opened)
        in_force = InForce.of(settings, outbound, receives=False)
        for handler in in_force.handlers.values():
            if once and isinstance(handler, NotifyAction):
                handler.gather_s = 0  # there is no later: what is due now goes together
        return run.run(_work(_Machine(in_force, outbound, opened), outbound, again, once=once))


async def _work(machine: _Machine, outbound: "Outbound", again: Callable[[], Settings], *, once: bool) -> str:
    async with _running(machine, again):
        grace_s = machine.in_force.settings.serve.grace / 1000
        await (machine.worker(grace_s).run_once() if once else _work_and_ask(machine, outbound, grace_s))
    if machine.broken:
        raise machine.broken
    if once and machine.tally.for_a_person:
        raise PersonNeededError(
            f"{machine.tally.last_words()} A person is needed {machine.tally.for_a_person} times: `webhookctl status`."
        )
    return machine.tally.last_words()
