"""An action as a POST to the shop, signed by the Standard Webhooks rule."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, assert_never

from webhookctl import __version__
from webhookctl.adapters.outbound import Answer, NotSentError, Outbound, retry_after, shown
from webhookctl.core.breaker import Breaker
from webhookctl.core.documents import excerpt
from webhookctl.core.errors import UpstreamError
from webhookctl.core.ports.handler import Failed, GivenUp, NotYet, Repeat, Result, Succeeded, Task, unsure
from webhookctl.core.retries import SECOND, RetryPolicy
from webhookctl.core.signatures import Key, Scheme, sign


class _Meaning(Enum):
    """What a status says of the action."""

    DONE = auto()
    OVER = auto()
    """It will never be wanted."""
    LATER = auto()
    """It was not taken; try again."""
    REFUSED = auto()
    """It was not taken, and somebody should look why; tried on, as a bad deploy of the shop must lose no delivery."""
    UNSURE = auto()
    """It may have been taken: a proxy gave up waiting, or the shop broke down on the way, or answers a form's POST."""


# A status's own row holds before its class's. Only what may not be repeated tells UNSURE from LATER.
_OF_STATUS: Final[Mapping[int, _Meaning]] = {
    HTTPStatus.MOVED_PERMANENTLY: _Meaning.LATER,
    HTTPStatus.TEMPORARY_REDIRECT: _Meaning.LATER,
    HTTPStatus.PERMANENT_REDIRECT: _Meaning.LATER,
    HTTPStatus.REQUEST_TIMEOUT: _Meaning.LATER,
    HTTPStatus.CONFLICT: _Meaning.LATER,
    HTTPStatus.GONE: _Meaning.OVER,
    HTTPStatus.TOO_EARLY: _Meaning.LATER,
    HTTPStatus.TOO_MANY_REQUESTS: _Meaning.LATER,
    HTTPStatus.SERVICE_UNAVAILABLE: _Meaning.LATER,
}
_OF_CLASS: Final[Mapping[int, _Meaning]] = {
    2: _Meaning.DONE,
    3: _Meaning.UNSURE,
    4: _Meaning.REFUSED,
    5: _Meaning.UNSURE,
}
# What a proxy says in the stead of a shop that is down, and a shop that is down for repair.
_NOBODY_HOME: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_TELL_WHEN: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class HttpAction:
    """Posts the document to `url`; the `webhook-id` is the action's id, the same in each attempt."""

    url: str = field(repr=False)
    scheme: Scheme
    key: Key = field(repr=False)
    repeat: Repeat
    retries: RetryPolicy
    outbound: Outbound
    clock: Callable[[], int]
    """Milliseconds since 1970, UTC: the signature has the time of the attempt."""
    timeout_s: float = 10.0

    steady: Callable[[], float] = time.monotonic
    """Seconds, evenly: for how long a shop that does not answer is left alone."""

    @property
    def ready(self) -> bool:
        return self._breaker.is_ready(self.steady())

    @property
    def _breaker(self) -> Breaker:
        return self.outbound.breaker(self.url)

    async def handle(self, task: Task) -> Result:
        breaker = self._breaker
        if (wait_s := breaker.ask(self.steady())) is not None:
            return NotYet(f"{shown(self.url)} did not answer lately and is left alone for a while.", _ms(wait_s))
        try:
            answer = await self._posted(task)
        except UpstreamError as error:
            breaker.silent(self.steady())
            return Failed(str(error)) if isinstance(error, NotSentError) else unsure(self.repeat, str(error))
        except BaseException:
            breaker.cut_off()
            raise
        breaker.silent(self.steady()) if answer.status in _NOBODY_HOME else breaker.answered()
        return self._judged(answer, task)

    async def ping(self, message_id: str, document: bytes, *, timeout_s: float) -> Answer:
        """Post, signed as an action would be, what asks for nothing; raises as `Outbound.post`."""
        return await self._signed(message_id, document, timeout_s)

    async def _posted(self, task: Task) -> Answer:
        return await self._signed(task.action.id, task.document, self.timeout_s)

    async def _signed(self, message_id: str, document: bytes, timeout_s: float) -> Answer:
        signed = sign(self.scheme, self.key, body=document, now=self.clock(), message_id=message_id)
        headers = {**signed.headers, "content-type": "application/json", "user-agent": f"webhookctl/{__version__}"}
        return await self.outbound.post(self.url, body=signed.body, headers=headers, timeout_s=timeout_s)

    def _judged(self, answer: Answer, task: Task) -> Result:
        meaning = _OF_STATUS.get(answer.status) or _OF_CLASS.get(answer.status // 100, _Meaning.LATER)
        words = excerpt(answer.text, task.codes) if answer.body else ""
        detail = f"{shown(self.url)} answered {answer.status}{f': {words}' if words else '.'}"
        match meaning:
            case _Meaning.DONE:
                return Succeeded(detail)
            case _Meaning.OVER:
                return GivenUp(detail)
            case _Meaning.LATER:
                wait = retry_after(answer.headers.get("retry-after", ""), self.clock())
                return Failed(detail, wait if answer.status in _TELL_WHEN else None)
            case _Meaning.REFUSED:
                return Failed(detail, alert=True)
            case _Meaning.UNSURE:
                return unsure(self.repeat, detail)
            case _:
                assert_never(meaning)


def _ms(seconds: float) -> int:
    return round(seconds * SECOND)
