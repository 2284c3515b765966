"""How much is kept of each, so that nobody is pushed out by somebody larger."""

from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.quarantine import fair_share

sizes = st.lists(st.integers(min_value=0, max_value=1000), max_size=20)


@given(sizes, st.integers(min_value=0, max_value=3000), st.integers(min_value=0, max_value=1500))
def test_all_together_have_no_more_than_there_is(held: list[int], most: int, most_each: int) -> None:
    """Whatever they had: what each keeps of it fits, and no share is larger than a sender's quota."""
    share = fair_share(held, most, most_each)

    assert sum(min(size, share) for size in held) <= most
    assert share <= most_each


@given(sizes, st.integers(min_value=0, max_value=3000), st.integers(min_value=0, max_value=1500))
def test_no_room_is_wasted(held: list[int], most: int, most_each: int) -> None:
    """Who is cut is cut by the quota, or because one more for everybody who was cut would not fit."""
    share = fair_share(held, most, most_each)

    larger = sum(min(size, share + 1) for size in held)
    assert share == most_each or larger > most


def test_who_has_little_keeps_it() -> None:
    """The largest pays."""
    assert fair_share([3, 4, 9000], 10, 8) == 3
    assert fair_share([1, 2, 9000], 10, 8) == 7
    assert fair_share([1, 2, 3], 10, 8) == 8
    assert fair_share([], 10, 8) == 8
