"""Times written out."""

import pytest

from webhookctl.core import moments


def test_each_form() -> None:
    """Machines get the millisecond, sentences the second, and no form rounds up."""
    assert moments.exact(1_777_645_391_999) == "2026-05-01T14:23:11.999Z"
    assert moments.to_the_second(1_777_645_391_999) == "2026-05-01T14:23:11Z"
    assert moments.on_page(1_777_645_391_001) == "2026-05-01T14:23:11.001+00:00"


@pytest.mark.parametrize("nonsense", [None, 10**18, -(10**18), 10**30])
def test_what_no_calendar_has_is_none_on_a_page(nonsense: int | None) -> None:
    """A supplier may write any number for a time: the page that shows it is shown all the same."""
    assert moments.on_page(nonsense) is None
