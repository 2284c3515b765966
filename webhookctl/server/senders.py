"""Where a request came from, by the word of the proxies that we trust and of nobody else."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from webhookctl.core.addresses import Address, Network, is_among, parsed

_HEADER: Final = b"x-forwarded-for"
_MOST_HOPS: Final = 32
"""That are looked at, from the nearest one on: a header may be as long as its sender likes."""


def sender_of(scope: Any, trusted: Sequence[Network]) -> str:  # noqa: ANN401 - an ASGI scope
    """Return the address of whoever sent the request; empty where it is not known.

    A proxy of ours appends the address that it was called from: read from the end, the first that is no proxy of ours
    is the sender. What stands before it is the sender's own word, and worth nothing.
    """
    client = scope.get("client")
    nearest = parsed(client[0]) if client else None
    if not is_among(nearest, trusted):
        return _text(nearest)
    for hop in _hops(scope["headers"]):
        address = parsed(_bare(hop))
        if address is None:
            break  # nobody we trust writes that
        nearest = address
        if not is_among(address, trusted):
            break
    return _text(nearest)


def _text(address: Address | None) -> str:
    return "" if address is None else str(address)


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    """Return what stands in the header, wherever it is repeated, from the end."""
    values = b",".join(value for name, value in headers if name == _HEADER)
    return (hop.strip().decode("latin-1") for hop in reversed(values.rsplit(b",", _MOST_HOPS)[-_MOST_HOPS:]))


def _bare(hop: str) -> str:
    """Take off the port and the brackets that some proxies write."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
