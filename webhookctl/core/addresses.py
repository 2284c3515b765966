"""Addresses of those who send: read strictly, and told apart by whose they are."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_SITE: Final = 64
"""Bits of an IPv6 address that say whose it is; whoever has one of those networks has all its addresses."""
_ADDRESSES_KNOWN: Final = 4096


@lru_cache(_ADDRESSES_KNOWN)
def parsed(text: str) -> Address | None:
    """Read an address, without its zone; one of IPv4 that was mapped into IPv6 is one of IPv4. None: it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_among(address: Address | None, networks: Iterable[Network]) -> bool:
    """Does the address lie in one of the networks? An unknown one lies nowhere."""
    return address is not None and any(address in network for network in networks)


@lru_cache(_ADDRESSES_KNOWN)
def site(text: str) -> str:
    """Return what counts as one sender: an address of IPv4, or the network of one of IPv6; else `unknown`."""
    address = parsed(text)
    if address is None:
        return "unknown"
    return str(IPv6Network((int(address), _SITE), strict=False)) if isinstance(address, IPv6Address) else str(address)
