"""How much one client, and all of them together, may take of this machine."""

import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from webhookctl.core.addresses import Network, is_among, parsed, site

LOOPBACK: Final[tuple[Network, ...]] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_RESERVED: Final = 128
"""Descriptors that clients leave to the store, to calls of ours and to commands."""
_ADDRESSES_KNOWN: Final = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a client; times are in seconds."""

    connections: int = 1000
    per_address: int = 100
    trusted: tuple[Network, ...] = LOOPBACK
    """Proxies: many clients come from one of their addresses."""
    head_s: float = 5.0
    """For a whole head, from the connection or the response before it."""
    body_s: float = 10.0
    """For a whole body, from the head's end."""
    answer_s: float = 30.0
    """For reading our answers."""
    head_bytes: int = 16 * 1024
    headers: int = 100
    pipelined: int = 64
    """Requests that may wait behind the one that is being answered."""


@dataclass(slots=True)
class Crowd:
    """Counts who is connected; for one thread."""

    limits: Limits
    most: int = field(init=False)
    _total: int = 0
    _by_site: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.most = affordable(self.limits.connections)

    def admit(self, host: str) -> str | None:
        """Count one more from `host`, to be given back by `leave`; returns why not, or None."""
        site = _site(host, self.limits.trusted)
        if self._total >= self.most:
            return f"there are {self.most} connections already"
        if site and self._by_site[site] >= self.limits.per_address:
            return f"there are {self.limits.per_address} connections from its address already"
        self._total += 1
        if site:
            self._by_site[site] += 1
        return None

    def leave(self, host: str) -> None:
        """Take back one that was admitted."""
        site = _site(host, self.limits.trusted)
        self._total -= 1
        if site:
            self._by_site[site] -= 1
            if not self._by_site[site]:
                del self._by_site[site]


def affordable(connections: int) -> int:
    """Return how many of `connections` fit beside the other files that this process may open (`ulimit -n`)."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return connections
    return min(connections, files - min(_RESERVED, files // 2))


@lru_cache(_ADDRESSES_KNOWN)
def _site(host: str, trusted: Sequence[Network]) -> str:
    """Return what counts as one client; empty for a trusted proxy."""
    return "" if is_among(parsed(host), trusted) else site(host)
