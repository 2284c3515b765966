"""When can an old secret go?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

QUIET_DAYS: Final = 3
_DAY_MS: Final = 86_400_000


class Verdict(StrEnum):
    """What to do about a secret."""

    KEEP = "keep"
    WAIT = "wait"
    CAN_GO = "can go"


@dataclass(frozen=True, slots=True)
class Judged:
    """One secret of a supplier."""

    reference: str
    last_at: int | None
    """When a delivery matched it last; None: never."""
    verdict: Verdict
    why: str


def judge(references: Sequence[str], last_at: Mapping[str, int]) -> list[Judged]:
    """Judge a supplier's secrets by when each matched last, in milliseconds since 1970.

    A secret can go once others have matched for days and it has not: that the supplier is silent proves nothing.
    """
    return [_judged(reference, references, last_at) for reference in references]


def _judged(reference: str, references: Sequence[str], last_at: Mapping[str, int]) -> Judged:
    own = last_at.get(reference)
    others = {other: last_at[other] for other in references if other != reference and other in last_at}
    newest = max(others, key=others.__getitem__, default=None)
    if own is None:
        why = f"never matched, and {newest} did: the supplier does not use it yet, or any more" if newest else _NOTHING
        return Judged(reference, own, Verdict.WAIT, why)
    days = (others[newest] - own) // _DAY_MS if newest else 0
    if newest and days >= QUIET_DAYS:
        return Judged(reference, own, Verdict.CAN_GO, f"not seen for {days} days, while {newest} matched")
    if newest and others[newest] > own:
        return Judged(reference, own, Verdict.WAIT, f"{newest} matched since, but not yet for {QUIET_DAYS} days")
    return Judged(reference, own, Verdict.KEEP, "it is what the supplier uses")


_NOTHING: Final = "nothing came yet"
