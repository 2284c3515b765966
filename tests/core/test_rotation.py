"""When can an old secret go?"""

import pytest

from webhookctl.core.rotation import Judged, Verdict, judge

DAY = 86_400_000
NOW = 1_777_000_000_000


@pytest.mark.parametrize(
    ("old", "new", "verdicts", "why"),
    [
        (None, None, ("wait", "wait"), "nothing came yet"),
        (NOW, None, ("keep", "wait"), "it is what the supplier uses"),
        (NOW - 30 * DAY, None, ("keep", "wait"), "it is what the supplier uses"),
        (NOW, NOW - 1, ("keep", "wait"), "it is what the supplier uses"),
        (NOW - DAY, NOW, ("wait", "keep"), "env:NEW matched since, but not yet for 3 days"),
        (NOW - 3 * DAY + 1, NOW, ("wait", "keep"), "env:NEW matched since, but not yet for 3 days"),
        (NOW - 3 * DAY, NOW, ("can go", "keep"), "not seen for 3 days, while env:NEW matched"),
        (NOW - 90 * DAY, NOW - 60 * DAY, ("can go", "keep"), "not seen for 30 days, while env:NEW matched"),
        (None, NOW, ("wait", "keep"), "never matched, and env:NEW did: the supplier does not use it yet, or any more"),
    ],
)
def test_an_old_secret_goes_when_others_have_matched_for_days(
    old: int | None, new: int | None, verdicts: tuple[str, str], why: str
) -> None:
    """Silence alone proves nothing: what counts is how long deliveries came without it."""
    last_at = {name: at for name, at in (("env:OLD", old), ("env:NEW", new)) if at is not None}

    judged = judge(["env:OLD", "env:NEW"], last_at)

    assert tuple(one.verdict for one in judged) == verdicts
    assert judged[0].why == why


def test_the_only_secret_stays() -> None:
    """However long ago it matched, and whatever matched that is not in the settings any more."""
    judged = judge(["env:ONE"], {"env:ONE": NOW - 90 * DAY, "env:GONE": NOW})

    assert judged == [Judged("env:ONE", NOW - 90 * DAY, Verdict.KEEP, "it is what the supplier uses")]
