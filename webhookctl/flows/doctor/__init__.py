"""From what was found on this machine to what is right, what may become a trouble, and what must be mended.

Rules alone: whoever calls these has looked at the files, the store, the clock and the other side.
"""

from collections.abc import Iterable

from webhookctl.core.checkup import Finding, Verdict

_ORDER = list(Verdict)


def sorted_by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Return what must be fixed first, then warnings, then the rest; else as they came."""
    return sorted(findings, key=lambda one: _ORDER.index(one.verdict))


def counted(findings: Iterable[Finding]) -> str:
    """Say in a line how many of each there are."""
    verdicts = [one.verdict for one in findings]
    must, warned, well = (verdicts.count(verdict) for verdict in Verdict)
    return f"{must} must be fixed, {warned} {'warning' if warned == 1 else 'warnings'}, {well} ok."
