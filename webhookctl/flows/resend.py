"""Sending what came elsewhere: the exact bytes again, as they were signed or signed anew."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from webhookctl.core.deliveries import Headers
from webhookctl.core.errors import WebhookctlError, told
from webhookctl.core.forwarding import headers_to_send
from webhookctl.core.ports.replays import FAILED, Parcel, Replays, ReplayState, Reply, Target, Verdict
from webhookctl.core.signatures import Key, Kind, Scheme, sign

_LIVE_FOR_S: Final = 2.0
"""So long after the last arrival it is taken for quiet again."""
_WRITTEN_AT_ONCE: Final = 64
_WRITTEN_AFTER_S: Final = 0.2
"""Whoever receives meanwhile needs the store too: verdicts are written some at a time, and none waits for long."""


@dataclass(frozen=True, slots=True)
class Signer:
    """How one supplier signs."""

    name: str
    scheme: Scheme
    key: Key | None = field(repr=False)
    """None where nothing is signed."""
    url: str = ""
    """As the scheme signs it, if it does."""

    def signed(self, parcel: Parcel, *, now: int) -> tuple[Headers, bytes]:
        """Return the new headers and the body, which changes only where it holds the signature or its time."""
        signed = sign(
            self.scheme,
            self.key,
            body=parcel.body,
            now=now,
            message_id=self._message_id(parcel),
            url=self.url,
            in_body=self._is_in_body(parcel),
            restamp=True,
        )
        return tuple((name.encode(), value.encode("latin-1")) for name, value in signed.headers.items()), signed.body

    def _message_id(self, parcel: Parcel) -> str:
        """Keep the event's id: whoever has seen it knows it again."""
        time_key = None if self.scheme.timestamp_header is None else self.scheme.timestamp_header.key
        ids = {name.key for template in self.scheme.templates for name in template.headers} - {time_key}
        came = next((value for name, value in parcel.headers if name in ids), b"")
        return came.decode("latin-1") or parcel.event_id

    def _is_in_body(self, parcel: Parcel) -> bool:
        """Return whether the signature came in the body, where the scheme has a place in both."""
        names = {name.key for name in self.scheme.signature_header}
        came = any(name in names for name, _ in parcel.headers)
        return bool(names) and self.scheme.signature_pointer is not None and bool(parcel.headers) and not came


class Source(Protocol):
    """Where parcels come from, and where it is kept what became of them."""

    def take(self, limit: int) -> Sequence[Parcel]:
        """Begin up to so many."""

    def settle(self, verdicts: Collection[Verdict]) -> None:
        """Keep what came of them."""


@dataclass(slots=True)
class Kept:
    """The events of a replay in the store, as long as the claim on it is ours."""

    replays: Replays
    replay_id: int
    claim: str
    clock: Callable[[], int]
    newest: Callable[[], int]
    """The number of the newest event: it grows while deliveries arrive."""
    _seen: int | None = None
    _live_until: float = 0.0

    @property
    def is_live(self) -> bool:
        """Return whether deliveries arrive meanwhile, which go first."""
        return time.monotonic() < self._live_until

    def take(self, limit: int) -> Sequence[Parcel]:
        newest = self.newest()
        if self._seen not in {None, newest}:
            self._live_until = time.monotonic() + _LIVE_FOR_S
        self._seen = newest
        return self.replays.take(self.replay_id, self.claim, limit)

    def settle(self, verdicts: Collection[Verdict]) -> None:
        self.replays.settle(self.replay_id, self.claim, verdicts, now=self.clock())


@dataclass(slots=True)
class Unkept:
    """Parcels that nobody keeps a record of: files."""

    parcels: list[Parcel]

    def take(self, limit: int) -> Sequence[Parcel]:
        taken, self.parcels = self.parcels[:limit], self.parcels[limit:]
        return taken

    def settle(self, verdicts: Collection[Verdict]) -> None:
        """Forget them."""


@dataclass(slots=True)
class Resend:
    """One run: what `fanout` needs to send all that there is."""

    source: Source
    target: Target
    signer: Callable[[str], Signer | None]
    """By the name of the supplier; None: as it came. Raises where it can't be."""
    added: Headers
    turn: Callable[[], Awaitable[None]]
    """Waits until the next may be sent."""
    clock: Callable[[], int]
    max_failures: int
    failures: int = 0
    stopped: bool = False
    _begun: set[int] = field(default_factory=set)
    _unwritten: list[Verdict] = field(default_factory=list)
    _written_at: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Nothing more is to be sent: it was stopped, or too many failed."""
        return self.stopped or (self.max_failures > 0 and self.failures >= self.max_failures)

    def take(self, limit: int) -> Sequence[Parcel]:
        return () if self.is_over else self.source.take(limit)

    async def call(self, parcel: Parcel) -> Verdict:
        """Send one, unless it was decided meanwhile that no more are sent."""
        if parcel.fault is not None:
            return self._verdict(parcel, Reply(ReplayState.UNSENT, None, parcel.fault), None)
        try:
            headers, body = self._made_ready(parcel)
        except WebhookctlError as error:
            return self._verdict(parcel, Reply(ReplayState.UNSENT, None, str(error)), None)
        await self.turn()
        if self.is_over:
            return _put_back(parcel)
        self._begun.add(parcel.number)
        start = time.perf_counter()
        reply = await self.target.post(headers, body)
        return self._verdict(parcel, reply, round((time.perf_counter() - start) * 1000))

    def _made_ready(self, parcel: Parcel) -> tuple[Headers, bytes]:
        signer = self.signer(parcel.supplier)
        if signer is None or signer.scheme.kind is Kind.NONE:
            return headers_to_send(parcel.headers, without=(), added=self.added), parcel.body
        signed, body = signer.signed(parcel, now=self.clock())
        return headers_to_send(parcel.headers, without=signer.scheme.headers, added=(*signed, *self.added)), body

    def failed(self, parcel: Parcel, error: BaseException) -> Verdict:
        """Judge what was cut off, or what we stumbled over."""
        if parcel.number not in self._begun:
            return _put_back(parcel)
        detail = told(error) if isinstance(error, Exception) else "it was cut off before an answer came."
        return self._verdict(parcel, Reply(ReplayState.UNKNOWN, None, detail), None)

    def _verdict(self, parcel: Parcel, reply: Reply, took_ms: int | None) -> Verdict:
        self.failures += reply.state in FAILED
        return Verdict(parcel.number, parcel.label, reply.state, reply.status, took_ms, reply.detail, parcel.tries)

    def settle(self, verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        """Keep what came, and write it down once there are some, or some time has gone by."""
        unwritten = [*self._unwritten, *verdicts]
        is_due = time.monotonic() - self._written_at >= _WRITTEN_AFTER_S
        if len(unwritten) >= _WRITTEN_AT_ONCE or is_due:
            self.source.settle(unwritten)  # where this raises, the caller comes again with the same verdicts
            self._begun.difference_update(one.number for one in unwritten)
            unwritten, self._written_at = [], time.monotonic()
        self._unwritten = unwritten
        return [one for one in verdicts if one.state is not ReplayState.WAITING]

    def finish(self) -> None:
        """Write down what was not written down yet."""
        if self._unwritten:
            self.source.settle(self._unwritten)
            self._unwritten = []


def _put_back(parcel: Parcel) -> Verdict:
    """It waits on; that it was begun is true of the row alone."""
    return Verdict(parcel.number, parcel.label, ReplayState.WAITING, None, None, "not sent", parcel.tries)
