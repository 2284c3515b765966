"""Does our clock agree with those of the suppliers?"""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final

from webhookctl.core.checkup import Area, Asked, Finding, must_fix, ok, warning

_AREA: Final = Area.CLOCK
_TOLERANCE_OF_THE_SHOP: Final = 300_000
"""The Standard Webhooks libraries refuse what is five minutes off."""
_NOTICED: Final = 10_000
"""A Date header has whole seconds, and an answer takes its time."""
_DO: Final = "Set the clock and keep it set: `timedatectl set-ntp true`, or chrony."


def findings(asked: Mapping[str, Asked], tolerances: Mapping[str, int]) -> Iterator[Finding]:
    """Judge the skew against each supplier; `tolerances` are those of suppliers that sign a time, in milliseconds."""
    skews = {name: one.skew_ms for name, one in asked.items() if one.skew_ms is not None}
    if not skews:
        return
    common = median(skews.values())
    for name, skew in skews.items():
        if abs(skew) < _NOTICED:
            yield ok(_AREA, name, f"Our clock and that of {name} agree.")
        elif len(skews) > 1 and abs(common) < _NOTICED:
            yield warning(
                _AREA, name, f"{_told(name, skew)} The other clocks agree with ours.", f"Tell {name}, if it goes on."
            )
        else:
            yield _judged(name, skew, tolerances.get(name))


def _judged(name: str, skew: int, tolerance: int | None) -> Finding:
    bounds = [one for one in (tolerance, _TOLERANCE_OF_THE_SHOP) if one]
    told = f"{_told(name, skew)} {_why(skew, tolerance)}"
    return (must_fix if abs(skew) >= min(bounds) else warning)(_AREA, name, told, _DO)


def _told(name: str, skew: int) -> str:
    return f"Our clock is {span(skew)} {'ahead of' if skew > 0 else 'behind'} that of {name}."


def _why(skew: int, tolerance: int | None) -> str:
    """Say what the skew does to deliveries: theirs are judged by our clock, ours by the shop's."""
    seen = "too old" if skew > 0 else "from the future"
    if tolerance is not None and abs(skew) >= tolerance:
        return f"What it sends looks {seen} and is rejected: its scheme allows {span(tolerance)}."
    if abs(skew) >= _TOLERANCE_OF_THE_SHOP:
        return f"The shop may refuse our deliveries, as its libraries allow {span(_TOLERANCE_OF_THE_SHOP)}."
    allowed = min(tolerance or _TOLERANCE_OF_THE_SHOP, _TOLERANCE_OF_THE_SHOP)
    return f"Beyond {span(allowed)} what it sends would look {seen}, or the shop refuse what we send."


def span(milliseconds: int) -> str:
    """Say how long that is, either way: `10 min 3 s`."""
    seconds = round(abs(milliseconds) / 1000)
    parts = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"
