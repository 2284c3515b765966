"""Where may what suppliers sent be posted again? It may hold codes, so that not every address will do."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from webhookctl.core.addresses import Address, Network, parsed
from webhookctl.core.errors import UsageError

_LOCALHOST: Final = "localhost"
_MISREAD: Final = frozenset(" \\#")
_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Who answers at a URL."""

    scheme: str
    host: str
    """In lower case, an address of IPv6 without its brackets."""
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Take the origin of a URL; raises `ValueError` for what is none."""
        if not url.isprintable() or set(url) & _MISREAD:
            raise ValueError  # two readers of such a URL may find two hosts in it
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError
        return cls(parts.scheme, parts.hostname.rstrip(".").lower(), parts.port or _PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _PORTS[self.scheme] else "")

    @property
    def says_loopback(self) -> bool:
        """Return whether the URL itself says that this machine is meant."""
        address = parsed(self.host)
        return self.host == _LOCALHOST or (address is not None and address.is_loopback)


# Never, whatever the settings and the command line say. From inside a machine of a cloud, its metadata service gives
# whoever asks the machine's own keys, and takes what it is sent as a question.
_NEVER: Final[tuple[tuple[Network, str], ...]] = (
    (ip_network("169.254.0.0/16"), "a link-local address, where clouds have their metadata service"),
    (ip_network("fe80::/10"), "a link-local address"),
    (ip_network("fd00:ec2::254/128"), "the metadata service of a cloud"),
    (ip_network("fd20:ce::254/128"), "the metadata service of a cloud"),
    (ip_network("100.100.100.200/32"), "the metadata service of a cloud"),
    (ip_network("192.0.0.192/32"), "the metadata service of a cloud"),
    (ip_network("168.63.129.16/32"), "the agent's service of a cloud"),
    (ip_network("0.0.0.0/8"), "no address of one machine"),
    (ip_network("::/128"), "no address of one machine"),
    (ip_network("224.0.0.0/4"), "an address of many"),
    (ip_network("255.255.255.255/32"), "an address of many"),
    (ip_network("ff00::/8"), "an address of many"),
    (ip_network("64:ff9b:1::/48"), "translated on the way, nobody can say to which address"),
)

# Addresses of IPv6 that stand for one of IPv4: what leads there (by the machine itself, NAT64, 6to4, Teredo) ends at
# that address. (network, bits behind the address of IPv4, whether that is written inverted)
_CARRIES: Final[tuple[tuple[IPv6Network, int, bool], ...]] = (
    (IPv6Network("::ffff:0:0/96"), 0, False),
    (IPv6Network("::ffff:0:0:0/96"), 0, False),
    (IPv6Network("::/96"), 0, False),
    (IPv6Network("64:ff9b::/96"), 0, False),
    (IPv6Network("2002::/16"), 80, False),
    (IPv6Network("2001::/32"), 0, True),
)
_IPV4: Final = 0xFFFFFFFF


def _meant(address: Address) -> list[Address]:
    """Return the address, and that of IPv4 that it carries."""
    if not isinstance(address, IPv6Address) or address.is_loopback:
        return [address]
    carried = [
        IPv4Address((int(address) >> shift & _IPV4) ^ (_IPV4 if inverted else 0))
        for network, shift, inverted in _CARRIES
        if address in network
    ]
    return [address, *carried]


def refusal(address: Address) -> str | None:
    """Say what is wrong with an address that nothing may ever be sent to."""
    for meant in _meant(address):
        for network, words in _NEVER:
            if meant in network:
                return words if meant == address else f"by another name {meant}, {words}"
    return None


def check_url(url: str, *, named: Collection[Origin], allowed: bool) -> Origin:
    """Return the origin of a target; raises `UsageError` unless it is loopback, named in the settings, or allowed."""
    try:
        origin = Origin.of(url)
    except ValueError:
        raise UsageError("--to takes a URL, such as http://127.0.0.1:8700/webhooks/acme.") from None
    if urlsplit(url).username is not None or urlsplit(url).password is not None:
        raise UsageError("--to must not hold a user or a password: give them with --header, as a reference.")
    if (address := parsed(origin.host)) is not None:
        check_addresses(origin, [address])  # first: no other way to name it would help
    if origin.says_loopback or origin in named:
        return origin
    if not allowed:
        raise UsageError(
            f"--to {origin} is another machine, and what is sent may hold codes: name it in the "
            "settings ([replay] targets), or add --allow-url if it is meant."
        )
    if origin.scheme != "https":
        raise UsageError(
            f"--to {origin} would let anybody on the way read codes: use https://, or name it in the settings "
            "([replay] targets)."
        )
    return origin


def check_addresses(origin: Origin, addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses that the target's name has; raises `UsageError` where one of them may not be sent to."""
    found = list(dict.fromkeys(addresses))
    for address in found:
        if (words := refusal(address)) is not None:
            raise UsageError(f"--to {origin.host}: {address} is {words}, and nothing is ever sent there.")
        if origin.says_loopback and not address.is_loopback:
            raise UsageError(f"--to {origin.host}: {address} is not this machine.")
    return found
