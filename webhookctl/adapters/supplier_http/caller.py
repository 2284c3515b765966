"""One question over HTTP: at its turn, within its time, tried again where that may help, and stopped where it can't."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import stamina
import stamina.instrumentation

from webhookctl import __version__
from webhookctl.adapters.outbound import Answer, NotSentError, Outbound, retry_after, shown
from webhookctl.adapters.supplier_http.authorisation import Authorisation, RefusedError
from webhookctl.adapters.supplier_http.pace import Pace
from webhookctl.core.errors import UpstreamError
from webhookctl.core.ports.supplier import MOST_ANSWERED, Api, Condition
from webhookctl.core.redaction import printable
from webhookctl.core.retries import LONGEST_RETRY_AFTER, SECOND

_TRIES: Final = 3
_IN_A_ROW: Final = 3
"""So many questions without a usable answer, one after the other, and the supplier is taken for down."""
_LONGEST_PAUSE_S: Final = 60.0
"""A run waits so long where the supplier asks for it; for longer, the next run is there."""
_UNLESS_TOLD_S: Final = 5.0
"""How long to pause after a 429 that does not say; doubled each time."""
_FIRST_LINE: Final = 60
_NEWEST: Final = 0.1
"""How much the newest answer counts in what is known of how long one takes."""
_ALWAYS: Final = {"user-agent": f"webhookctl/{__version__}", "accept": "application/json"}

stamina.instrumentation.set_on_retry_hooks([])  # its own would write to stdout what is ours to tell


class UnansweredError(UpstreamError):
    """No usable answer; `wait_s` where the supplier says how long to leave it alone."""

    def __init__(self, message: str, *, again: bool = False, unreached: bool = False) -> None:
        super().__init__(message)
        self.again = again
        self.unreached = unreached
        self.wait_s: float | None = None


class StoppedError(Exception):
    """Nothing more is asked of the supplier in this run."""


class _Meaning(Enum):
    """What a status says."""

    FINE = auto()
    NONE = auto()
    """There is no such order."""
    NOT_US = auto()
    """Our credentials are not accepted."""
    LATER = auto()
    """We ask too much."""
    BROKEN = auto()
    """It may be well the next time."""
    WRONG = auto()
    """It will be the same the next time."""


_OF_STATUS: Final[Mapping[int, _Meaning]] = {
    HTTPStatus.OK: _Meaning.FINE,
    HTTPStatus.UNAUTHORIZED: _Meaning.NOT_US,
    HTTPStatus.FORBIDDEN: _Meaning.NOT_US,
    HTTPStatus.NOT_FOUND: _Meaning.NONE,
    HTTPStatus.GONE: _Meaning.NONE,
    HTTPStatus.REQUEST_TIMEOUT: _Meaning.BROKEN,
    HTTPStatus.TOO_MANY_REQUESTS: _Meaning.LATER,
}
_OF_CLASS: Final[Mapping[int, _Meaning]] = {5: _Meaning.BROKEN}


@dataclass(slots=True)
class Caller:
    """Puts questions to one supplier, and remembers how it takes them."""

    api: Api
    authorisation: Authorisation
    outbound: Outbound
    now: Callable[[], int]
    """Milliseconds since 1970: a Retry-After may be a date."""
    first_wait_s: float = 0.5
    condition: Condition = field(default_factory=Condition, init=False)
    over: bool = field(default=False, init=False)
    """Nothing more is wanted of it in this run."""
    _pace: Pace = field(init=False)
    _slots: asyncio.Semaphore = field(init=False)
    took_s: float | None = field(default=None, init=False)
    """How long an answer takes, about; None: there was none so far."""
    _where: str = field(init=False)
    _failed: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.api.per_second)
        self._where = shown(self.api.base_url)
        self._slots = asyncio.Semaphore(self.api.concurrency)

    async def get(self, path: str, headers: Mapping[str, str], until: float) -> bytes | None:
        """Return the body of a good answer, None where there is no such thing.

        Raises `UnansweredError`; `StoppedError` once the supplier is not asked any more; `TimeUpError` where the time
        ends before the question was put.
        """
        try:
            body = await self._patiently(path, headers, until)
        except UnansweredError as error:
            self._note_failure(error)
            raise
        return body

    async def greet(self, path: str, timeout_s: float) -> Answer:
        """Put one question whatever the answer: raises `RefusedError` or `UpstreamError` where there is none."""
        return await self._ask(path, self.api.headers, timeout_s)

    def well(self) -> None:
        """Note that an answer could be used."""
        self._failed = 0
        if not self.condition.answered:
            self.condition = replace(self.condition, answered=True)

    def useless(self, reason: str) -> UnansweredError:
        """Note that an answer came and can't be used; return the error to raise."""
        error = UnansweredError(reason)
        self._note_failure(error)
        return error

    def stop(self, reason: str, wait_ms: int | None = None) -> None:
        """Ask no more in this run."""
        if self.condition.stopped is None:
            self.condition = replace(self.condition, stopped=reason, not_before_ms=wait_ms)

    async def _patiently(self, path: str, headers: Mapping[str, str], until: float) -> bytes | None:
        try:
            return await self._once(path, headers, until)
        except UnansweredError as error:
            # What never answered so far is not worth a second try: the next run is that.
            if not error.again or (error.wait_s is None and not self.condition.answered):
                raise
            first: UnansweredError | None = error
        async for attempt in stamina.retry_context(
            on=_tried_again, attempts=_TRIES, timeout=None, wait_initial=self.first_wait_s, wait_jitter=0.5
        ):
            with attempt:
                if first is not None:
                    failed, first = first, None
                    raise failed
                return await self._once(path, headers, until)
        raise AssertionError  # the last attempt raises

    async def _once(self, path: str, headers: Mapping[str, str], until: float) -> bytes | None:
        async with self._slots:
            await self._pace.turn(until)
            if self.over or self.condition.stopped is not None:
                raise StoppedError
            left_s = max(until - asyncio.get_running_loop().time(), 0.05)
            timeout_s = min(self.api.timeout_s, left_s)
            began = asyncio.get_running_loop().time()
            try:
                answer = await self._ask(path, headers, timeout_s)
            except RefusedError as error:
                self.stop(str(error))
                raise StoppedError from None
            except UnansweredError:
                raise
            except UpstreamError as error:
                raise UnansweredError(str(error), again=True, unreached=isinstance(error, NotSentError)) from None
            took_s = asyncio.get_running_loop().time() - began
            self.took_s = took_s if self.took_s is None else self.took_s + (took_s - self.took_s) * _NEWEST
        return self._judged(answer, until)

    async def _ask(self, path: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        answer = await self._put(path, headers, timeout_s)
        if answer.status == HTTPStatus.UNAUTHORIZED and self.authorisation.forget():
            answer = await self._put(path, headers, timeout_s)  # the token had ended before its time
        return answer

    async def _put(self, path: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        own = await self.authorisation.headers(timeout_s)
        query = self.authorisation.query
        url = self.api.base_url + path + (f"{'&' if '?' in path else '?'}{query}" if query else "")
        return await self.outbound.request(
            "GET", url, headers={**_ALWAYS, **headers, **own}, timeout_s=timeout_s, most=MOST_ANSWERED
        )

    def _judged(self, answer: Answer, until: float) -> bytes | None:
        told = f"{self._where} answered {answer.status}"
        match _OF_STATUS.get(answer.status) or _OF_CLASS.get(answer.status // 100, _Meaning.WRONG):
            case _Meaning.FINE:
                return self._body(answer, told)
            case _Meaning.NONE:
                return None
            case _Meaning.NOT_US:
                self.stop(f"{told}: our credentials are not accepted. Mend `auth`, or what the supplier lets us see.")
                raise StoppedError
            case _Meaning.LATER:
                raise self._asked_too_much(answer, told, until)
            case _Meaning.BROKEN:
                error = UnansweredError(f"{told}.", again=True)
                if wait := retry_after(answer.headers.get("retry-after", ""), self.now()):
                    self._leave_alone(wait / SECOND, told, until, error)
                raise error
            case _:
                raise UnansweredError(f"{told}{_elsewhere(answer)}.")

    def _body(self, answer: Answer, told: str) -> bytes:
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise UnansweredError(f"{told} compressed ({printable(encoding)[:30]}), which was not asked for.")
        if not answer.complete:
            whole = len(answer.body) >= MOST_ANSWERED
            raise UnansweredError(f"{told} with {'more than 1 MiB' if whole else 'a body that broke off'}.", again=True)
        start = answer.body[:256].lstrip()
        if start.startswith(b"<"):
            line = start.decode(errors="replace").splitlines()[0][:_FIRST_LINE]
            raise UnansweredError(f"{told} with HTML instead of JSON: {printable(line)}")
        return answer.body

    def _asked_too_much(self, answer: Answer, told: str, until: float) -> UnansweredError:
        self._refusals += 1
        asked = retry_after(answer.headers.get("retry-after", ""), self.now())
        wait_s = asked / SECOND if asked else min(_UNLESS_TOLD_S * 2 ** (self._refusals - 1), _LONGEST_PAUSE_S)
        error = UnansweredError(f"{told}.", again=True)
        self._leave_alone(max(wait_s, 1.0), told, until, error)
        return error

    def _leave_alone(self, wait_s: float, told: str, until: float, error: UnansweredError) -> None:
        """Pause where the run can wait for that long; stop it otherwise."""
        end = asyncio.get_running_loop().time() + wait_s
        if wait_s <= _LONGEST_PAUSE_S and end < until:
            self._pace.pause(end)
            error.wait_s = wait_s
            return
        wait_ms = min(round(wait_s * SECOND), LONGEST_RETRY_AFTER)
        self.stop(f"{told}: it wants to be left alone for {wait_s:.0f} s.", wait_ms)
        error.again = False

    def _note_failure(self, error: UnansweredError) -> None:
        self._failed += 1
        unreachable = error.unreached and not self.condition.answered
        if unreachable or self._failed >= _IN_A_ROW:
            self.stop(str(error))


def _tried_again(error: Exception) -> bool | float:
    """Say whether, and where the supplier says so after how many seconds."""
    if not isinstance(error, UnansweredError) or not error.again:
        return False
    return True if error.wait_s is None else error.wait_s


def _elsewhere(answer: Answer) -> str:
    target = answer.headers.get("location", "")
    if answer.status // 100 != 3 or not target:  # noqa: PLR2004 - the class of redirects
        return ""
    with suppress(ValueError):
        return f", pointing to {shown(target)[:100]}, which is not followed: mend base_url"
    return ""
