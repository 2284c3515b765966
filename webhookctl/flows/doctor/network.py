"""Do the suppliers' APIs and the shop answer, and do they know us?"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from webhookctl.core.checkup import Area, Asked, Finding, must_fix, ok, warning

_AREA: Final = Area.NETWORK
SOON_MS: Final = 14 * 86_400_000
"""So long before its end a certificate that nobody renews is worth a word."""
_REDIRECTS, _WRONG, _BROKEN = 3, 4, 5
_NOT_US: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_MEND: Final = "Mend the address in the settings, or the network on the way: deliveries and questions can't get there."


def of_supplier(name: str, asked: Asked, now: int) -> Iterator[Finding]:
    """Judge a supplier's API, which was asked for an order that nobody has."""
    subject = f"suppliers.{name}.api"
    if asked.refused or asked.status in _NOT_US:
        said = asked.refused or f"{asked.where} answered {asked.status}: our credentials are not accepted."
        yield must_fix(_AREA, subject, said, f"Mend [{subject}] auth, or what {name} lets us see.")
    elif asked.unreached is not None:
        if asked.sent:
            yield warning(_AREA, subject, asked.unreached, f"Try again later; if it lasts, tell {name}.")
        else:
            yield must_fix(_AREA, subject, asked.unreached, _MEND)
    elif asked.status is not None:
        yield _of_status(name, subject, asked, asked.status)
    yield from _of_certificate(subject, asked, now)


def _of_status(name: str, subject: str, asked: Asked, status: int) -> Finding:
    told = f"{asked.where} answered {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return warning(_AREA, subject, f"{told}: we ask too much.", f"Set [{subject}] rate to what {name} allows.")
    if status // 100 == _BROKEN:
        return warning(_AREA, subject, f"{told}: it is not well.", f"Try again later; if it lasts, tell {name}.")
    if status // 100 == _REDIRECTS:
        do = f"Mend [{subject}] base_url: redirects are not followed."
        return must_fix(_AREA, subject, f"{told}, a redirect.", do)
    return ok(_AREA, subject, f"{told} to a question about an order that nobody has: it is there, and knows us.")


def of_shop(name: str, asked: Asked, now: int) -> Iterator[Finding]:
    """Judge the shop's endpoint, which was sent a signed `ping`."""
    if asked.unreached is not None:
        yield must_fix(_AREA, name, asked.unreached, _MEND)
    elif asked.status is not None:
        yield _of_answer(name, asked, asked.status)
    yield from _of_certificate(name, asked, now)


_OF_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: (
        "it refuses our signature, or does not know pings",
        "Compare `secret` with what the shop has; have it answer 2xx to what is signed and of the type `ping`.",
    ),
    HTTPStatus.UNAUTHORIZED: ("it wants a login beside our signature", "Let signed requests in without one."),
    HTTPStatus.FORBIDDEN: (
        "it, or a wall before it, lets us not in",
        "Let this machine in, and compare `secret` with what the shop has.",
    ),
    HTTPStatus.NOT_FOUND: ("there is nothing at this path", "Mend the address, or deploy what answers there."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("it takes no POST", "Mend the address, or let POST in there."),
    HTTPStatus.GONE: ("it says that nobody wants deliveries any more, which would end them", "Mend the address."),
}
"""What a shop's answer to a ping means, and what to do."""


def _of_answer(name: str, asked: Asked, status: int) -> Finding:
    told = f"{asked.where} answered {status} to a signed ping"
    if status // 100 == HTTPStatus.OK // 100:
        return ok(_AREA, name, f"{told}: it is there, and takes our signature.")
    if status // 100 == _REDIRECTS:
        return must_fix(_AREA, name, f"{told}, a redirect.", f"Mend [{name}] http: redirects are not followed.")
    if status // 100 == _BROKEN:
        do = "Look into its log; if deliveries arrive, have it answer 2xx to documents of the type `ping`."
        return warning(_AREA, name, f"{told}: it broke down.", do)
    unknown = "it does not take pings", "Have it answer 2xx to documents of the type `ping`."
    means, do = _OF_STATUS.get(status, unknown)
    return warning(_AREA, name, f"{told}: {means}.", do)


def _of_certificate(name: str, asked: Asked, now: int) -> Iterator[Finding]:
    if asked.certificate_ends is not None and asked.certificate_ends - now < SOON_MS:
        days = max(asked.certificate_ends - now, 0) // 86_400_000
        said = f"The TLS certificate of {asked.where} ends in {days} days."
        yield warning(_AREA, name, said, "Renew it, or tell who runs that server: afterwards nothing gets there.")
