"""What may be wrong with a timestamp whose signature is good."""

from typing import Final

from webhookctl.core.diagnosis.findings import Mistake
from webhookctl.core.signatures import Scheme, TimestampFormat
from webhookctl.core.signatures.timestamps import FORMS

_ZONE_STEP_MS: Final = 30 * 60 * 1000
_FARTHEST_ZONE_MS: Final = 14 * 60 * 60 * 1000
_CLOCKS_APART_MS: Final = 90 * 1000
"""Two clocks that are set right, and the way between them."""
_NAMES: Final = {
    TimestampFormat.UNIX: "in seconds (unix)",
    TimestampFormat.UNIX_MS: "in milliseconds (unix_ms)",
    TimestampFormat.RFC3339: "written as RFC 3339 (rfc3339)",
}
_SPANS: Final = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"))


def of_text(scheme: Scheme, text: bytes, now: int) -> Mistake | None:
    """Return the format that the timestamp has, where it is not the scheme's; None where it has none."""
    for format_, name in _NAMES.items():
        if format_ is scheme.timestamp_format:
            continue
        try:
            moment = FORMS[format_].read(text)
        except ValueError:
            continue
        # Seconds are milliseconds too, of January 1970: only what lies near can be meant.
        if abs(now - moment) <= _near(scheme):
            return Mistake("time.format", name)
    return None


def _near(scheme: Scheme) -> int:
    return max(scheme.tolerance, _FARTHEST_ZONE_MS)


def of_skew(scheme: Scheme, skew_ms: int) -> Mistake:
    """Explain a good signature's timestamp that lies so far in the past (negative: in the future)."""
    distance = abs(skew_ms)
    steps = round(distance / _ZONE_STEP_MS)
    rest = abs(distance - steps * _ZONE_STEP_MS)
    if steps and distance <= _FARTHEST_ZONE_MS + _CLOCKS_APART_MS and rest <= min(_CLOCKS_APART_MS, scheme.tolerance):
        where = "behind" if skew_ms > 0 else "ahead"
        return Mistake("time.local", f"{steps * _ZONE_STEP_MS / 3_600_000:g} h {where}")
    return Mistake("time.old" if skew_ms > 0 else "time.future", span(distance))


def span(milliseconds: int) -> str:
    """Say how long that is, in the largest unit that fits twice, else the next."""
    for size, name in _SPANS:
        if milliseconds >= size:
            count = milliseconds / size
            return f"{count:.3g} {name}" + ("" if count == 1 else "s") if count < 100 else f"{count:.0f} {name}s"  # noqa: PLR2004 - three digits
    return f"{milliseconds} ms"
