"""Why does a signature not match?

`diagnose` looks for the mistake that explains it: `bodies`, `secret_forms`, `contents`, `digests` and `presented` are
the space as tables, `search` walks it, `words` says what each mistake is and what to do about it.
"""

from webhookctl.core.diagnosis import times
from webhookctl.core.diagnosis.case import Case
from webhookctl.core.diagnosis.findings import Confidence, Diagnosis, Mistake, Mistakes
from webhookctl.core.diagnosis.hints import hints
from webhookctl.core.diagnosis.search import BUDGET, Search
from webhookctl.core.errors import SignatureError

__all__ = ["Case", "Confidence", "Diagnosis", "Mistake", "diagnose"]


def diagnose(case: Case, failure: SignatureError, *, now: int, budget: int = BUDGET) -> Diagnosis:
    """Explain why `case` failed: at best the one mistake with which undone it verifies.

    `budget` is in bytes through SHA-256; what it left untried is counted.
    """
    if failure.skew_ms is not None:
        return Diagnosis(Confidence.LIKELY, (_of_time(case, failure.skew_ms, now),), tried=1)
    search = Search(case, budget)
    found = search.run()
    if found is not None:
        mistakes = found.mistakes or _left_over(case, now)
        return Diagnosis(Confidence.CERTAIN, mistakes, search.tried, search.untried, found.reference)
    hint = next(hints(case), None)
    if hint is not None:
        return Diagnosis(Confidence.LIKELY, (hint,), search.tried, search.untried)
    return Diagnosis(Confidence.NONE, (), search.tried, search.untried, is_unsigned=search.is_unsigned)


def _of_time(case: Case, skew_ms: int, now: int) -> Mistake:
    return times.of_text(case.scheme, case.timestamp or b"", now) or times.of_skew(case.scheme, skew_ms)


def _left_over(case: Case, now: int) -> Mistakes:
    """Say what is wrong where the signature itself is good."""
    return (times.of_text(case.scheme, case.timestamp or b"", now) or Mistake("scheme.but_for_that"),)
