"""A time in milliseconds since 1970, written out; UTC."""

from datetime import UTC, datetime


def exact(milliseconds: int) -> str:
    """Return RFC 3339 to the millisecond, for machines."""
    return _written(milliseconds, "milliseconds").replace("+00:00", "Z")


def to_the_second(milliseconds: int) -> str:
    """Return RFC 3339 to the second, as it stands in sentences and in addresses."""
    return _written(milliseconds, "seconds").replace("+00:00", "Z")


def on_page(milliseconds: int | None) -> str | None:
    """Return how `--json` shows a time; None where there is none, or a supplier names one that no calendar has."""
    try:
        return None if milliseconds is None else _written(milliseconds, "milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _written(milliseconds: int, timespec: str) -> str:
    # Never by way of a float, which is a millisecond off for some.
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    return moment.isoformat(timespec=timespec)
