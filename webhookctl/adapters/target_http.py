"""A request sent again, over HTTP."""

import re
from dataclasses import dataclass, field
from typing import Final

from webhookctl.adapters.outbound import NotSentError, Outbound, shown
from webhookctl.core.deliveries import Headers
from webhookctl.core.errors import UpstreamError
from webhookctl.core.ports.replays import ReplayState, Reply

_SECRET_IN_PATH: Final = re.compile(r"(/webhooks/[^/?]+/).+")
"""Our own receivers take a secret there from suppliers that sign nothing."""
_TAKEN: Final = 2
_REDIRECT: Final = 3


def name_of(url: str) -> str:
    """Return the target as it is shown and kept: without what opens a door there."""
    return _SECRET_IN_PATH.sub(r"\1…", shown(url)) + ("?…" if "?" in url else "")


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """Posts to `url`; what is answered is looked at no further than its status: it may repeat codes."""

    url: str = field(repr=False)
    outbound: Outbound
    timeout_s: float

    async def post(self, headers: Headers, body: bytes) -> Reply:
        try:
            answer = await self.outbound.request("POST", self.url, headers=headers, body=body, timeout_s=self.timeout_s)
        except NotSentError as error:
            return Reply(ReplayState.UNSENT, None, self._words(error))
        except UpstreamError as error:
            return Reply(ReplayState.UNKNOWN, None, self._words(error))
        kind = answer.status // 100
        end = ", a redirect, which is not followed" if kind == _REDIRECT else ""
        state = ReplayState.TAKEN if kind == _TAKEN else ReplayState.REFUSED
        return Reply(state, answer.status, f"answered {answer.status}{end}")

    def _words(self, error: UpstreamError) -> str:
        return str(error).replace(shown(self.url), name_of(self.url))
