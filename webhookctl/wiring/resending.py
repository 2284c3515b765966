"""Sending what came elsewhere: settings, store and HTTP joined for one run."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Final, TypeAlias

from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.supplier_http.pace import Pace
from webhookctl.adapters.target_http import HttpTarget, name_of
from webhookctl.core.addresses import Address, parsed
from webhookctl.core.errors import NotFoundError, StoreBusyError, StoreError, UpstreamError, UsageError
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import Parcel, Replay, Replays, ReplayState, Verdict
from webhookctl.core.signatures import Kind
from webhookctl.core.targets import Origin, check_addresses, check_url
from webhookctl.fanout import Job, fan_out
from webhookctl.flows.resend import Kept, Resend, Signer, Source, Unkept
from webhookctl.server import run as loops
from webhookctl.wiring import now_ms, steady_clock, store, supplier_named

if TYPE_CHECKING:
    from webhookctl.adapters.store_sqlite import SqliteStore
    from webhookctl.config import Settings
    from webhookctl.core.deliveries import Headers

Signers: TypeAlias = Callable[[str], Signer | None]
Resolve: TypeAlias = Callable[[str, int], list[Address]]

AS_RECEIVED: Final = "as-received"
FRESH: Final = "fresh"

_ADDED_AT_ONCE: Final = 500
"""Events that are written down in one transaction: whoever receives meanwhile waits no longer than for that."""
_LEASE_MS: Final = 10_000
_RENEW_S: Final = 2.5
_LAST_ANSWERS_S: Final = 2.0
"""How long what is on its way may still be answered after a signal."""
_BESIDE_LIVE: Final = 200.0
"""A second, while deliveries arrive: signing, posting and recording share processor, disk and the store's lock."""
_AHEAD: Final = 3
"""How many times as many are taken ahead as are sent at once, so that the store is asked seldom."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for."""

    to: str
    sign: str
    """`as-received`, `fresh`, the name of a supplier, or of the preset that `signer` has."""
    signer: Signer | None = None
    headers: "Headers" = ()
    per_second: float | None = None
    concurrency: int = 16
    timeout_s: float = 10.0
    max_failures: int = 10
    allow_url: bool = False

    @property
    def shown(self) -> str:
        """The target, without what may open a door there."""
        return name_of(self.to)

    def seen(self, look: Reveal) -> Reveal:
        """Return what is written down at each event."""
        return Reveal(look.at, look.who, f"sent to {self.shown}: {look.reason}")


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how it goes."""

    verdict: Callable[[Verdict], None]
    began: Callable[[int], None] = lambda _: None
    """The replay's number, once all that is about was written down."""
    waiting: Callable[[int], None] = lambda _: None
    """So many milliseconds, for the claim of a process that may not live any more."""


@dataclass(slots=True)
class Ended:
    """What a run came to."""

    replay_id: int | None = None
    counts: dict[ReplayState, int] = field(default_factory=dict)
    """Of this run."""
    left: int = 0
    """What a later run would send."""
    interrupted: bool = False
    too_many_failures: bool = False
    taken_over: bool = False
    """Somebody else has the replay now."""

    @property
    def failed(self) -> int:
        return sum(count for state, count in self.counts.items() if state is not ReplayState.TAKEN)


@dataclass(frozen=True, slots=True)
class Route:
    """A target that was looked at, the addresses that it has, and who signs."""

    url: str = field(repr=False)
    addresses: Sequence[Address]
    signers: Signers


def resolved(host: str, port: int) -> list[Address]:
    """Return the addresses of a name; raises `UpstreamError` where it has none."""
    literal = parsed(host)
    if literal is not None:
        return [literal]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UpstreamError(f"--to {host} has a name that can't be resolved.") from None
    return [address for *_, where in found if (address := parsed(str(where[0]))) is not None]


def route(
    settings: "Settings | None", wanted: Wanted, suppliers: Iterable[str] = (), resolve: Resolve = resolved
) -> Route:
    """Look at where it is to go, resolving the name this once, and at how what comes from `suppliers` is signed.

    Raises `UsageError` where that may not be, or can't.
    """
    named: Sequence[Origin] = settings.replay.targets if settings else ()
    origin = check_url(wanted.to, named=named, allowed=wanted.allow_url)
    signers = _signers(settings, wanted)
    for supplier in suppliers:
        signers(supplier)
    return Route(wanted.to, check_addresses(origin, resolve(origin.host, origin.port)), signers)


def _signers(settings: "Settings | None", wanted: Wanted) -> Signers:
    if wanted.signer is not None:
        signer = wanted.signer
        return lambda _: signer
    if wanted.sign == AS_RECEIVED:
        return lambda _: None
    if settings is None:
        raise UsageError(f"--sign {wanted.sign} needs settings, and there are none here: name a preset and its secret.")
    known = settings
    if wanted.sign == FRESH:
        return cache(lambda supplier: _signer(known, supplier, wanted.to))
    named = _signer(known, wanted.sign, wanted.to)
    return lambda _: named


def _signer(settings: "Settings", name: str, to: str) -> Signer:
    supplier = supplier_named(settings, name)
    if supplier.scheme.kind is Kind.ED25519:
        raise UsageError(
            f"{name} signs with a private key, which only the supplier has: send its events with --sign as-received."
        )
    read = settings.read(supplier.secrets[:1], os.environ)
    key = supplier.scheme.keys(read, allow_short=supplier.allow_short)[0] if read else None
    return Signer(name, supplier.scheme, key, supplier.url or to)


def begin(  # noqa: PLR0913, PLR0917 - what a replay consists of
    settings: "Settings", wanted: Wanted, way: Route, numbers: Sequence[int], look: Reveal, watch: Watch
) -> Ended:
    """Write down what is sent and who sees it, then send; `numbers` are those of the events."""
    with store(settings) as opened:
        replay_id = opened.replays.begin(wanted.shown, wanted.sign, look)
        with claimed(opened.replays, replay_id, watch) as claim:
            for at in range(0, len(numbers), _ADDED_AT_ONCE):
                opened.replays.add(replay_id, numbers[at : at + _ADDED_AT_ONCE], wanted.seen(look))
                opened.replays.renew(replay_id, claim, until=_until())
            opened.replays.complete(replay_id)
            watch.began(replay_id)
            return _run_kept(opened, replay_id, claim, wanted, way, watch)


def resumable(settings: "Settings", replay_id: int | None) -> tuple[Replay, dict[ReplayState, int]]:
    """Return a replay that can go on (None: the newest), and how far its events are; raises `NotFoundError`."""
    with store(settings) as opened:
        found = opened.replays.get(replay_id)
        if found is None:
            which = "is no replay that is not at its end" if replay_id is None else f"is no replay {replay_id}"
            raise NotFoundError(f"There {which}.")
        if not found.is_whole:
            raise UsageError(f"Replay {found.id} was broken off before anything was sent: begin it again.")
        return found, dict(opened.replays.counts(found.id))


def resume(  # noqa: PLR0913, PLR0917 - as above
    settings: "Settings", wanted: Wanted, way: Route, replay_id: int, look: Reveal, watch: Watch
) -> Ended:
    """Go on with what the target has not taken, as far as is known."""
    with store(settings) as opened, claimed(opened.replays, replay_id, watch) as claim:
        last: int | None = 0
        while last is not None:
            last = opened.replays.reopen(replay_id, wanted.seen(look), after=last, limit=_ADDED_AT_ONCE)
            opened.replays.renew(replay_id, claim, until=_until())
        return _run_kept(opened, replay_id, claim, wanted, way, watch)


def send_files(wanted: Wanted, way: Route, parcels: Sequence[Parcel], watch: Watch) -> Ended:
    """Send what lies in files: nothing is kept of it."""
    ended = loops.run(_run(Unkept(list(parcels)), wanted, way, watch))
    ended.left = len(parcels) - ended.counts.get(ReplayState.TAKEN, 0)
    return ended


_clock: Final = cache(steady_clock)


def _until() -> int:
    return _clock()() + _LEASE_MS


@contextmanager
def claimed(replays: Replays, replay_id: int, watch: "Watch") -> Iterator[str]:
    """Make the replay ours, once a claim has ended that its holder did not live to let go of."""
    claim, seen = secrets.token_hex(8), None
    while (until := replays.claim(replay_id, claim, now=_clock()(), until=_until())) is not None:
        if seen is not None and until > seen:
            raise StoreBusyError(f"Replay {replay_id} is being sent by another process: let that come to its end.")
        seen, left_ms = until, min(max(until - _clock()(), 0), _LEASE_MS)
        watch.waiting(left_ms)
        time.sleep(left_ms / 1000)
    try:
        yield claim
    finally:
        replays.release(replay_id, claim)


def _run_kept(  # noqa: PLR0913, PLR0917 - what `begin` and `resume` have in common
    opened: "SqliteStore", replay_id: int, claim: str, wanted: Wanted, way: Route, watch: Watch
) -> Ended:
    kept = Kept(opened.replays, replay_id, claim, now_ms, opened.feed.newest)
    ended = loops.run(_run(kept, wanted, way, watch))
    ended.replay_id = replay_id
    counts = opened.replays.counts(replay_id)
    ended.left = sum(counts.values()) - counts[ReplayState.TAKEN]
    return ended


async def _run(source: Source, wanted: Wanted, way: Route, watch: Watch) -> Ended:
    async with aclosing(Outbound(only_at=way.addresses)) as outbound:
        target = HttpTarget(way.url, outbound, wanted.timeout_s)
        turns = _Turns(source, Pace(wanted.per_second), Pace(_BESIDE_LIVE))
        flow = Resend(source, target, way.signers, wanted.headers, turns.next, now_ms, wanted.max_failures)
        run = _Run(flow, wanted, watch)
        with loops.stopped_by_signals(run.signalled):
            async with run.holding(source):
                await run.through()
        return run.ended


@dataclass(frozen=True, slots=True)
class _Turns:
    """When the next may be sent: by the rate that was asked for, and no faster than live work allows."""

    source: Source
    asked: Pace
    beside_live: Pace

    async def next(self) -> None:
        await self.asked.turn(float("inf"))
        if isinstance(self.source, Kept) and self.source.is_live:
            await self.beside_live.turn(float("inf"))


@dataclass(slots=True)
class _Run:
    """One run, until there is no more, too much failed, a signal came, or it is somebody else's."""

    flow: Resend
    wanted: Wanted
    watch: Watch
    ended: Ended = field(default_factory=Ended)
    signalled: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def through(self) -> None:
        job = Job(self.flow.take, self.flow.call, self.flow.failed, self.flow.settle, self._record)
        running = asyncio.create_task(fan_out(job, concurrency=self._at_once, ahead=self._ahead))
        try:
            await self._until_over(running)
        finally:
            await asyncio.to_thread(self.flow.finish)
        self.ended.interrupted = self.signalled.is_set()
        self.ended.too_many_failures = self.flow.is_over and not self.flow.stopped

    @property
    def _at_once(self) -> int:
        """No more than the rate can keep busy: what only waits for its turn would be begun, and not sent."""
        rate = self.wanted.per_second
        most = self.wanted.concurrency
        return most if rate is None else min(most, ceil(rate * self.wanted.timeout_s) + 1)

    @property
    def _ahead(self) -> int:
        rate = self.wanted.per_second
        return _AHEAD * self._at_once if rate is None else min(_AHEAD * self._at_once, int(rate))

    def _record(self, verdict: Verdict) -> None:
        self.ended.counts[verdict.state] = self.ended.counts.get(verdict.state, 0) + 1
        self.watch.verdict(verdict)
        if self.flow.is_over:
            self.over.set()

    async def _until_over(self, running: "asyncio.Task[None]") -> None:
        """Let it run; once it is to stop, let what is on its way be answered, and give the rest back."""
        signalled, over = (asyncio.create_task(event.wait()) for event in (self.signalled, self.over))
        await asyncio.wait([running, signalled, over], return_when=asyncio.FIRST_COMPLETED)
        if not signalled.done() and over.done():
            await asyncio.wait([running, signalled], timeout=self.wanted.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if signalled.done():
            self.flow.stopped = True
            await asyncio.wait([running], timeout=_LAST_ANSWERS_S)
        for task in (running, signalled, over):
            task.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()

    @asynccontextmanager
    async def holding(self, source: Source) -> AsyncIterator[None]:
        """Hold on to the claim, if there is one."""
        if not isinstance(source, Kept):
            yield
            return
        holding = asyncio.create_task(self._hold(source))
        try:
            yield
        finally:
            holding.cancel()

    async def _hold(self, kept: Kept) -> None:
        while True:
            with suppress(StoreError):  # tried again before the claim ends
                if not await asyncio.to_thread(kept.replays.renew, kept.replay_id, kept.claim, until=_until()):
                    self.ended.taken_over = self.flow.stopped = True
                    self.over.set()
                    return
            await asyncio.sleep(_RENEW_S)
