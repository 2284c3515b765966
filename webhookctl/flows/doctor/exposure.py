"""Who can reach the listeners, and whose word is taken there?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from webhookctl.core.addresses import Network, is_among, parsed
from webhookctl.core.checkup import Area, Finding, must_fix, ok, warning
from webhookctl.flows.doctor.network import SOON_MS

_AREA: Final = Area.LISTENERS
_WIDEST: Final = {4: 8, 6: 16}
"""Bits of a network's prefix below which it is half the Internet."""
_THIS_MACHINE: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Listener:
    """Where suppliers come in."""

    address: str
    loopback: bool
    tls: bool
    trusted: tuple[Network, ...]
    """Proxies whose X-Forwarded-For is read."""
    by_address: tuple[str, ...] = ()
    """Suppliers that are known by the address they send from."""
    certificate_ends: int | None = None


def findings(listener: Listener, now: int) -> Iterator[Finding]:
    """Judge `serve.listen` and who may speak for others there."""
    if listener.loopback:
        yield ok(_AREA, "serve.listen", f"{listener.address} is for this machine alone: a TLS proxy stands before it.")
    elif listener.tls:
        yield ok(_AREA, "serve.listen", f"{listener.address} is open to others, by TLS.")
    else:
        said = f"{listener.address} is open to others without TLS: what comes in, codes too, can be read on the way."
        do = "Set tls_cert and tls_key, or listen on 127.0.0.1 behind a TLS proxy; `init` prints the lines for nginx."
        yield warning(_AREA, "serve.listen", said, do)
    yield from _of_proxies(listener)
    yield from _of_certificate(listener, now)


def _of_proxies(listener: Listener) -> Iterator[Finding]:
    wide = [str(one) for one in listener.trusted if one.prefixlen < _WIDEST[one.version]]
    if wide:
        said = f"trusted_proxies has {', '.join(wide)}: nearly anybody can claim any address by X-Forwarded-For."
        yield must_fix(_AREA, "serve.trusted_proxies", said, "Name only the proxies that stand before this listener.")
    elif listener.loopback and not any(map(_is_here, listener.trusted)):
        who = f", so that nothing of {', '.join(listener.by_address)} gets in" if listener.by_address else ""
        said = f"The proxy on this machine is not among trusted_proxies: all clients count as one address{who}."
        judge = must_fix if listener.by_address else warning
        yield judge(_AREA, "serve.trusted_proxies", said, 'Add "127.0.0.0/8" and "::1" to [serve] trusted_proxies.')
    else:
        shown = ", ".join(map(str, listener.trusted)) or "nobody"
        yield ok(_AREA, "serve.trusted_proxies", f"X-Forwarded-For is read from {shown}.")


def _is_here(network: Network) -> bool:
    return any(is_among(parsed(one), [network]) for one in _THIS_MACHINE)


def _of_certificate(listener: Listener, now: int) -> Iterator[Finding]:
    if listener.certificate_ends is None:
        return
    left = listener.certificate_ends - now
    if left <= 0:
        yield must_fix(_AREA, "serve.tls_cert", "Our TLS certificate has ended: suppliers refuse it.", "Renew it.")
    elif left < SOON_MS:
        said = f"Our TLS certificate ends in {left // 86_400_000} days."
        yield warning(_AREA, "serve.tls_cert", said, "Renew it, and restart `serve`, which reads it at its start.")
    else:
        yield ok(_AREA, "serve.tls_cert", f"Our TLS certificate is good for {left // 86_400_000} days.")
