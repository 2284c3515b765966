"""What people write into settings, as the values it stands for."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from webhookctl.core.addresses import Network
from webhookctl.core.errors import SettingsError

# durationpy also knows "mm" (months) and "y", and passes over what stands between two parts: neither is wanted here.
_DURATION: Final = re.compile(r"0|(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w))+")
_LONGEST_MS: Final = 36_525 * 86_400_000
"""What is added to a time must stay on the calendar, which ends in the year 9999."""
_SIZE: Final = re.compile(r"([0-9]{1,12}) ?(B|KiB|MiB|KB|MB)?")
_UNITS: Final[Mapping[str | None, int]] = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "KB": 1000, "MB": 1000**2}
_SMALLEST_BODY: Final = 1024
_LARGEST_BODY: Final = 64 * 1024**2
"""Each request's body is held in memory."""
_SMALLEST_KEPT: Final = 1024**2
_SHORTEST_RETENTION_MS: Final = 7 * 86_400_000
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_HIGHEST_PORT: Final = 65535


_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?")
_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|m|h)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_COUNT: Final = re.compile(r"[1-9][0-9]{0,5}|1000000")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True where nobody but this machine can come in."""
        return self.host == "localhost" or (_is_ip(self.host) and ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def duration(written: object) -> int:
    """Read "15m" to milliseconds."""
    import durationpy  # noqa: PLC0415 - keeps `Address` free of it, and every command's start light

    if not isinstance(written, str) or not _DURATION.fullmatch(written):
        raise SettingsError('must be a duration in quotes, such as "15m", "72h" or "7d" (units: ms, s, m, h, d, w)')
    try:
        milliseconds = round(durationpy.from_str(written).total_seconds() * 1000)
    except durationpy.DurationError:
        milliseconds = _LONGEST_MS + 1
    if milliseconds > _LONGEST_MS:
        raise SettingsError("is too long a duration: it may be a hundred years")
    return milliseconds


def retention(written: object) -> int:
    """Read how long things are kept: a duration of a week at least, as disputes and late refunds take longer."""
    milliseconds = duration(written)
    if milliseconds < _SHORTEST_RETENTION_MS:
        raise SettingsError('must be a week at least, such as "400d"')
    return milliseconds


def positive_duration(written: object) -> int:
    """Read a duration of at least a millisecond."""
    milliseconds = duration(written)
    if milliseconds < 1:
        raise SettingsError("must be longer than nothing")
    return milliseconds


def body_size(written: object) -> int:
    """Read 1048576, or "1MiB", to bytes."""
    match = _SIZE.fullmatch(str(written)) if isinstance(written, (int, str)) else None
    if match is None or isinstance(written, bool):
        raise SettingsError('must be a number of bytes, or a size in quotes such as "512KiB" or "1MiB"')
    size = int(match[1]) * _UNITS[match[2]]
    if not _SMALLEST_BODY <= size <= _LARGEST_BODY:
        raise SettingsError("must be between 1KiB and 64MiB")
    return size


def amount(written: object) -> Decimal:
    """Read "250.00", an amount of money; a number with a point would be a float."""
    if isinstance(written, bool) or not isinstance(written, (int, str)) or not _AMOUNT.fullmatch(str(written)):
        raise SettingsError('must be an amount of money in quotes, such as "250.00"')
    return Decimal(str(written))


def kept_size(written: object) -> int:
    """Read how many bytes may be kept, such as "64MiB"."""
    match = _SIZE.fullmatch(str(written)) if isinstance(written, (int, str)) else None
    if match is None or isinstance(written, bool):
        raise SettingsError('must be a number of bytes, or a size in quotes such as "64MiB"')
    size = int(match[1]) * _UNITS[match[2]]
    if size < _SMALLEST_KEPT:
        raise SettingsError("must be at least 1MiB: less would not hold one delivery")
    return size


def rate(written: object) -> float:
    """Read "5/s", "300/m" or "1000/h" to how often a second."""
    match = _RATE.fullmatch(written) if isinstance(written, str) else None
    if match is None or float(match[1]) == 0:
        raise SettingsError('must be a rate in quotes, such as "5/s", "300/m" or "1000/h"')
    return float(match[1]) / _SECONDS[match[2]]


def count(written: object) -> int:
    """Read a number of connections, or of rows."""
    if not isinstance(written, (int, str)) or isinstance(written, bool) or not _COUNT.fullmatch(str(written)):
        raise SettingsError("must be a whole number from 1 to 1000000")
    return int(written)


def networks(written: object) -> tuple[Network, ...]:
    """Read ["127.0.0.1", "10.0.0.0/8"]; an empty list is nobody."""
    form = 'must be a list of addresses and networks, such as ["127.0.0.1", "10.0.0.0/8", "::1"]'
    if not isinstance(written, list) or not all(isinstance(one, str) for one in written):
        raise SettingsError(form)
    try:
        return tuple(ip_network(one) for one in written)
    except ValueError:
        raise SettingsError(f"{form}; a network's address ends in zeros behind its prefix") from None


def address(written: object) -> Address:
    """Read "127.0.0.1:8700" or "[::1]:8700"; port 0 takes any free one."""
    form = "must be an address and a port in quotes, such as 127.0.0.1:8700 or [::1]:8700"
    host, colon, port = written.rpartition(":") if isinstance(written, str) else ("", "", "")
    if not colon or not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
        raise SettingsError(form)
    if host.startswith("[") and host.endswith("]"):
        if ":" not in host or not _is_ip(host[1:-1]):
            raise SettingsError(form)
        host = host[1:-1]
    elif ":" in host:
        raise SettingsError("must have its IPv6 address in brackets, such as [::1]:8700")
    elif not _HOST_NAME.fullmatch(host) or (host.replace(".", "").isdigit() and not _is_ip(host)):
        raise SettingsError(form)
    return Address(host, int(port))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def web_address(written: object) -> str:
    """Check the URL of the shop's endpoint."""
    form = "must be a URL in quotes, such as http://127.0.0.1:8000/internal/deliveries"
    if not isinstance(written, str) or not written.isprintable() or " " in written:
        raise SettingsError(form)
    try:
        parts = urlsplit(written)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise SettingsError(form) from None
    if not usable:
        raise SettingsError(form)
    if parts.username is not None or parts.password is not None:
        raise SettingsError("must not hold a user or a password: the request is signed with `secret` instead")
    if "#" in written:
        raise SettingsError("must not have a fragment (#…): it would never be sent")
    return written


def sentence(wanted: str) -> Callable[[object], bool]:
    """Return what reads a sentence by which the operator says that something is meant."""

    def read(written: object) -> bool:
        if written != wanted:
            raise SettingsError(f"must be the sentence '{wanted}', or not be there")
        return True

    return read


def words(written: object) -> tuple[str, ...]:
    """Check the words of a command."""
    if not isinstance(written, list) or not all(isinstance(word, str) and "\0" not in word for word in written):
        raise SettingsError('must be a list of words, such as ["/usr/local/bin/deliver", "--now"]: no shell reads it')
    if not written or not written[0]:
        raise SettingsError("must begin with the program to run")
    if "/" in written[0] and not written[0].startswith("/"):
        raise SettingsError("must begin with an absolute path, or with the bare name of a program on the PATH")
    return tuple(written)
