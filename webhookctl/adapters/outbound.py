"""The one way out over HTTP: with a deadline in total and a cap on what is read, following and inheriting nothing.

httpx's own timeouts start again with every byte, so that a server that drips one a second holds a caller for ever.
"""

import asyncio
import errno
import os
import re
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ssl import SSLContext, cert_time_to_seconds
from typing import TYPE_CHECKING, Final, TypeAlias

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from webhookctl import __version__
from webhookctl.core.addresses import Address, parsed
from webhookctl.core.breaker import Breaker
from webhookctl.core.errors import UpstreamError
from webhookctl.core.redaction import printable
from webhookctl.core.retries import LONGEST_RETRY_AFTER, SECOND

if TYPE_CHECKING:
    from aiohttp import AddrInfoType

Fields: TypeAlias = Mapping[str, str] | Sequence[tuple[bytes, bytes]]
"""The headers of a request; of a mapping the names are found in any case, pairs go as they are."""

MOST_READ: Final = 64 * 1024
"""Bytes of an answer after which a caller who only wants to know how it went stops reading."""
# The shop's server may close an idle connection at the very moment at which we use it again, and whether it took the
# request is then unknown. Servers close after 2 s (gunicorn) and more; we are earlier, and a burst still shares.
_IDLE_S: Final = 1.0
_CONNECTIONS: Final = 100
PER_HOST: Final = 16
"""Posts that may be at one host at the same time."""
# What has not got its connection in half of the time was certainly not sent; a deadline that strikes later can't tell.
_SHARE_FOR_CONNECTING: Final = 0.5

_MOST_DIGITS: Final = 6
"""Of a Retry-After in seconds: eleven days are an hour to us."""

_HEADERS: Final = {"accept": "*/*", "accept-encoding": "identity", "user-agent": f"webhookctl/{__version__}"}
_HEADER_PAIRS: Final = tuple((name.encode(), value.encode()) for name, value in _HEADERS.items())


class NotSentError(UpstreamError):
    """The request certainly did not reach the other side."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names are found in any case."""
    body: bytes = field(repr=False)
    """As received, never decompressed; at most what was asked for."""
    complete: bool
    """The body ended, in time and under the cap; a status stands even where its body broke off."""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """How one kind of transport failure is told."""

    kind: type[Exception]
    words: str
    sent: bool
    """The other side may have got the request."""


# The first row that fits holds: the particular stand above the general. The words never quote the exception, whose text
# may hold the whole URL. httpx-aiohttp maps nearly all of it to ConnectTimeout: what was raised first is looked at.
_TROUBLES: Final = (
    _Trouble(aiohttp.ConnectionTimeoutError, "did not take the connection in time", sent=False),
    _Trouble(aiohttp.ClientConnectorDNSError, "has a name that can't be resolved", sent=False),
    _Trouble(aiohttp.ClientConnectorCertificateError, "has a TLS certificate that can't be trusted", sent=False),
    _Trouble(aiohttp.ClientSSLError, "does not speak TLS as we do", sent=False),
    _Trouble(aiohttp.ClientConnectorError, "can't be connected to", sent=False),
    _Trouble(aiohttp.InvalidURL, "is not an address that can be called", sent=False),
    _Trouble(aiohttp.NonHttpUrlClientError, "is neither http:// nor https://", sent=False),
    _Trouble(httpx.InvalidURL, "is not an address that can be called", sent=False),
    _Trouble(aiohttp.ServerDisconnectedError, "closed the connection without an answer", sent=True),
    _Trouble(aiohttp.ClientResponseError, "answered something that is not HTTP", sent=True),
    _Trouble(OSError, "broke the connection off", sent=True),
    _Trouble(Exception, "could not be asked", sent=True),
)
_EXPECTED: Final = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class _Pinned(AbstractResolver):
    """Whatever name is asked for: the addresses that were found and looked at before. No second look can differ."""

    addresses: Sequence[Address]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=kinds[address.version],
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses
            if family in {socket.AF_UNSPEC, kinds[address.version]}
        ]

    async def close(self) -> None:
        """Hold nothing."""

    def socket(self, info: "AddrInfoType") -> socket.socket:
        """Open a socket for one of the addresses alone: this is what all must pass, also what asked no resolver."""
        family, kind, protocol, _, where = info
        if parsed(str(where[0])) not in self.addresses:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)


class Outbound:
    """The process's client: connections are shared and reused; use it in one event loop, and close it there."""

    def __init__(self, tls: SSLContext | None = None, *, only_at: Collection[Address] | None = None) -> None:
        """Trust the certificates of certifi and of the system, or those of `tls` alone.

        `only_at`: connect to these addresses and to no other, whatever a name may lead to.
        """
        self._pinned = None if only_at is None else _Pinned(tuple(only_at))
        if tls is None:
            tls = httpx.create_ssl_context(trust_env=False)
            tls.load_default_certs()  # the shop's own authority stands in the system's store, not in certifi's
        self._tls = tls
        # Without httpx's client round it: that brings redirects, cookies and proxies, none of which is wanted here.
        self._transport = AiohttpTransport(verify=tls, trust_env=False, client=self._session)
        self._rooms = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(PER_HOST))
        self._breakers = defaultdict[str, Breaker](Breaker)

    def breaker(self, url: str) -> Breaker:
        """Return what is known of how the host of `url` answers, shared by all who call it."""
        return self._breakers[_host(url)]

    def _session(self) -> aiohttp.ClientSession:
        pinned = self._pinned
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            limit=_CONNECTIONS,
            keepalive_timeout=_IDLE_S,
            resolver=pinned,
            socket_factory=pinned.socket if pinned else None,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def post(self, url: str, *, body: bytes, headers: Fields, timeout_s: float) -> Answer:
        """Post `body`; raises `NotSentError` or `UpstreamError` where no status came back within `timeout_s`.

        Waiting until fewer than `PER_HOST` others are at the same host is not counted.
        """
        async with self._rooms[_host(url)]:
            return await self.request("POST", url, body=body, headers=headers, timeout_s=timeout_s)

    async def request(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        url: str,
        *,
        headers: Fields,
        timeout_s: float,
        body: bytes = b"",
        most: int = MOST_READ,
    ) -> Answer:
        """Make one request and read at most `most` bytes of its answer, all within `timeout_s`; raises as `post`.

        How many are at one host is for the caller to keep in bounds.
        """
        head: httpx.Response | None = None
        kept = bytearray()
        complete = False
        try:
            async with asyncio.timeout(timeout_s):
                request = self._request(method, url, body, headers, timeout_s)
                async with aclosing(await self._transport.handle_async_request(request)) as head:
                    async for chunk in head.aiter_raw():
                        kept += chunk
                        if len(kept) > most:
                            break
                    complete = len(kept) <= most
        except _EXPECTED as error:
            if head is None:
                raise _explained(error, url, timeout_s) from None
        return Answer(head.status_code, head.headers, bytes(kept[:most]), complete)

    async def certificate_end(self, url: str, timeout_s: float) -> int | None:
        """Return when the certificate of the host of `url` ends, in milliseconds since 1970; None where it has none.

        Nor where it can't be had: what a request to the same host meets says why.
        """
        target, _ = _target(url)
        if target.scheme != "https":
            return None
        try:
            connecting = asyncio.open_connection(target.host, target.port or 443, ssl=self._tls)
            _, writer = await asyncio.wait_for(connecting, timeout_s)
        except _EXPECTED:
            return None
        found = writer.get_extra_info("peercert") or {}
        writer.close()
        return round(cert_time_to_seconds(found["notAfter"]) * SECOND) if "notAfter" in found else None

    def _request(self, method: str, url: str, body: bytes, headers: Fields, timeout_s: float) -> httpx.Request:
        target, auth = _target(url)
        request = httpx.Request(
            method,
            target,
            content=body,
            headers=_fields(headers),
            extensions={"timeout": _timeout(timeout_s)},
        )
        return request if auth is None else next(auth.auth_flow(request))

    async def aclose(self) -> None:
        await self._transport.aclose()


def _fields(headers: Fields) -> dict[str, str] | Sequence[tuple[bytes, bytes]]:
    if isinstance(headers, Mapping):
        return {**_HEADERS, **{name.lower(): value for name, value in headers.items()}}
    given = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in _HEADER_PAIRS if pair[0] not in given)]


@lru_cache(256)
def _host(url: str) -> str:
    """Return the host and port of `url`; of what is no address, whatever: it gets no further."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2].lower()


@lru_cache(16)
def _timeout(timeout_s: float) -> Mapping[str, float | None]:
    return httpx.Timeout(None, pool=timeout_s * _SHARE_FOR_CONNECTING).as_dict()


@lru_cache(256)
def _target(url: str) -> tuple[httpx.URL, httpx.BasicAuth | None]:
    """Take apart what is called again and again: aiohttp refuses a user in the URL beside the header made of it."""
    target = httpx.URL(url)
    auth = httpx.BasicAuth(target.username, target.password) if target.userinfo else None
    return target.copy_with(userinfo=b""), auth


@lru_cache(256)
def shown(url: str) -> str:
    """Return `url` without its user, password, query and fragment: they may open a door."""
    try:
        bare = httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx.InvalidURL, ValueError):
        return "the address"
    return printable(str(bare))


def _explained(error: Exception, url: str, timeout_s: float) -> UpstreamError:
    if isinstance(error, TimeoutError):
        return UpstreamError(f"{shown(url)} did not answer within {timeout_s:g} s.")
    first = error.__cause__ if isinstance(error, httpx.HTTPError) and isinstance(error.__cause__, Exception) else error
    trouble = next(row for row in _TROUBLES if isinstance(first, row.kind))
    return (UpstreamError if trouble.sent else NotSentError)(f"{shown(url)} {trouble.words}{_detail(first)}.")


def _detail(error: Exception) -> str:
    """Return the part of `error` that is known to be plain words, if it has one."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f" ({getattr(error.certificate_error, 'verify_message', 'no reason given')})"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return f" ({os.strerror(error.os_error.errno).lower()})" if error.os_error.errno > 0 else ""
    return ""


def retry_after(value: str, now: int) -> int | None:
    """Return the milliseconds to wait that a Retry-After header asks for, at most an hour; None where it says nothing.

    Zero, the past and nonsense say nothing.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = int(text.lstrip("0")[: _MOST_DIGITS + 1] or "0")
        return min(seconds * SECOND, LONGEST_RETRY_AFTER) or None
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        wait = int(aware.timestamp() * 1000) - now
    except (ValueError, OverflowError):
        return None
    return min(wait, LONGEST_RETRY_AFTER) if wait > 0 else None
