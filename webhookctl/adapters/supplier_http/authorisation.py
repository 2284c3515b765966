"""How we show a supplier's API who asks."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, urlencode

import orjson

from webhookctl.adapters.outbound import Outbound, shown
from webhookctl.core.errors import UpstreamError

_BEFORE_ITS_END_S: Final = 30.0
_UNLESS_TOLD_S: Final = 300.0
"""How long a token is kept whose answer names no end."""
_LONGEST_S: Final = 86_400.0
_OK: Final = 200
_REFUSED: Final = frozenset({400, 401, 403})


class RefusedError(UpstreamError):
    """The supplier does not accept our credentials: asking on is pointless, and may lock us out."""


class Authorisation(Protocol):
    """Proof of who asks."""

    @property
    def query(self) -> str:
        """What is added to each URL: `key=…`, or nothing."""

    async def headers(self, timeout_s: float) -> Mapping[str, str]:
        """Return the headers that prove it; raises `RefusedError` or `UpstreamError` where none can be had."""

    def forget(self) -> bool:
        """Drop what was refused; True where something fresh can be had instead."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same with every question: bearer, basic, an own header, a parameter, or nothing at all."""

    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)

    async def headers(self, timeout_s: float) -> Mapping[str, str]:  # noqa: ARG002 - nothing is waited for
        return self.fixed

    def forget(self) -> bool:
        return False

    @classmethod
    def bearer(cls, token: str) -> "Fixed":
        return cls({"authorization": f"Bearer {token}"})

    @classmethod
    def basic(cls, username: str, password: str) -> "Fixed":
        pair = b64encode(f"{username}:{password}".encode()).decode()
        return cls({"authorization": f"Basic {pair}"})

    @classmethod
    def parameter(cls, name: str, token: str) -> "Fixed":
        return cls(query=f"{quote(name, safe='')}={quote(token, safe='')}")


@dataclass(frozen=True, slots=True)
class Client:
    """What an OAuth2 client credentials grant (RFC 6749, 4.4) needs."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str | None = None
    audience: str | None = None
    as_json: bool = False
    """Ask for the token in JSON, as some do; else by a form, as the standard has it."""


@dataclass(slots=True)
class OAuth2:
    """A token, kept until it ends, and fetched once however many questions wait for it."""

    client: Client = field(repr=False)
    outbound: Outbound
    query: str = field(default="", init=False)
    _token: str | None = field(default=None, init=False, repr=False)
    _ends: float = field(default=0.0, init=False)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def headers(self, timeout_s: float) -> Mapping[str, str]:
        now = asyncio.get_running_loop().time
        if self._token is None or now() >= self._ends:
            async with self._fetching:
                if self._token is None or now() >= self._ends:
                    self._token, lasts_s = await self._fetch(timeout_s)
                    self._ends = now() + lasts_s
        return {"authorization": f"Bearer {self._token}"}

    def forget(self) -> bool:
        had_one, self._token = self._token is not None, None
        return had_one

    async def _fetch(self, timeout_s: float) -> tuple[str, float]:
        client = self.client
        fields = {
            "grant_type": "client_credentials",
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            **({"scope": client.scope} if client.scope else {}),
            **({"audience": client.audience} if client.audience else {}),
        }
        body = orjson.dumps(fields) if client.as_json else urlencode(fields).encode()
        kind = "application/json" if client.as_json else "application/x-www-form-urlencoded"
        headers = {"content-type": kind, "accept": "application/json"}
        answer = await self.outbound.post(client.token_url, body=body, headers=headers, timeout_s=timeout_s)
        where = shown(client.token_url)
        if answer.status in _REFUSED:
            raise RefusedError(f"{where} gives no token ({answer.status}): mend client_id and client_secret")
        if answer.status != _OK:
            raise UpstreamError(f"{where} gives no token: it answered {answer.status}")
        return _token_of(answer.body, where)


def _token_of(body: bytes, where: str) -> tuple[str, float]:
    try:
        table = orjson.loads(body)
        token, lasts = table["access_token"], table.get("expires_in", _UNLESS_TOLD_S)
        lasts_s = min(max(float(lasts) - _BEFORE_ITS_END_S, 1.0), _LONGEST_S)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UpstreamError(f"{where} gives no token: its answer can't be read") from None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise UpstreamError(f"{where} gives no token: what it calls one can't be sent")
    return token, lasts_s
