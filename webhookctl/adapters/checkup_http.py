"""Asking another machine's endpoint once: does it answer, what time is it there, and until when is it to be trusted?"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from webhookctl.adapters.outbound import Answer, NotSentError, Outbound, shown
from webhookctl.adapters.supplier_http.authorisation import RefusedError
from webhookctl.core.checkup import Asked
from webhookctl.core.errors import UpstreamError

_HALF_A_SECOND_MS: Final = 500


async def ask(
    url: str, question: Callable[[], Awaitable[Answer]], outbound: Outbound, now: Callable[[], int], timeout_s: float
) -> Asked:
    """Put `question`, which calls `url`, and look at the certificate there meanwhile; all within `timeout_s`."""
    asked, ends = await asyncio.gather(
        _put(shown(url), question, now, timeout_s), outbound.certificate_end(url, timeout_s)
    )
    return replace(asked, certificate_ends=ends)


async def _put(
    where: str, question: Callable[[], Awaitable[Answer]], now: Callable[[], int], timeout_s: float
) -> Asked:
    began = now()
    try:
        async with asyncio.timeout(timeout_s):
            answer = await question()
    except RefusedError as error:
        return Asked(where, refused=f"{str(error).rstrip('.')}.")
    except UpstreamError as error:
        return Asked(where, unreached=str(error), sent=not isinstance(error, NotSentError))
    except TimeoutError:
        return Asked(where, unreached=f"{where} did not answer within {timeout_s:g} s.", sent=True)
    return Asked(where, answer.status, skew_ms=skew(answer, began, now()))


def skew(answer: Answer, began: int, ended: int) -> int | None:
    """Return how far our clock is ahead of that of whoever answered between `began` and `ended`.

    None where the answer has no usable Date, or came out of a cache, which has the date of another time.
    """
    if answer.headers.get("age") is not None:
        return None
    try:
        said = parsedate_to_datetime(answer.headers.get("date", ""))
        theirs = round((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return (began + ended) // 2 - (theirs + _HALF_A_SECOND_MS)
