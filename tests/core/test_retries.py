"""When is a failure tried again, and when given up?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.retries import HOUR, LONGEST_RETRY_AFTER, SECOND, RetryPolicy

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("attempts", "ceiling"),
    [(1, 5 * SECOND), (2, 10 * SECOND), (5, 80 * SECOND), (13, 20_480 * SECOND), (14, 6 * HOUR), (10**6, 6 * HOUR)],
)
def test_wait_doubles_up_to_longest(attempts: int, ceiling: int) -> None:
    """The longest possible wait doubles with each attempt and stops at `longest`."""
    at = RetryPolicy().next_at(attempts=attempts, since=NOW, now=NOW, chance=1.0)

    assert at == NOW + ceiling


def test_jitter_is_full() -> None:
    """The wait is anything between nothing and the ceiling, as chance will have it."""
    policy = RetryPolicy(first=1000)

    waits = [policy.next_at(attempts=1, since=NOW, now=NOW, chance=chance) for chance in (0.0, 0.25, 0.5)]

    assert waits == [NOW, NOW + 250, NOW + 500]


def test_gives_up_by_age() -> None:
    """An action is given up when it is as old as the policy allows, whatever the other side asks for."""
    policy = RetryPolicy(give_up_after=HOUR)

    last = policy.next_at(attempts=9, since=NOW - HOUR + 1, now=NOW, chance=0.0)
    over = policy.next_at(attempts=9, since=NOW - HOUR, now=NOW, chance=0.0)
    over_though_asked = policy.next_at(attempts=9, since=NOW - HOUR, now=NOW, chance=0.0, retry_after=1000)

    assert (last, over, over_though_asked) == (NOW, None, None)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(0, SECOND), (-5, SECOND), (1, SECOND), (90_000, 90_000), (HOUR, HOUR), (10**20, LONGEST_RETRY_AFTER)],
)
def test_waits_as_told_up_to_an_hour(asked: int, wait: int) -> None:
    """We wait as the other side asks, between a second and an hour, whatever backoff would say."""
    at = RetryPolicy().next_at(attempts=7, since=NOW, now=NOW, chance=0.9, retry_after=asked)

    assert at == NOW + wait


@given(
    attempts=st.integers(1, 10_000),
    age=st.integers(-HOUR, 100 * HOUR),
    chance=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.integers(-(10**25), 10**25),
)
def test_next_attempt_is_never_past_nor_far(attempts: int, age: int, chance: float, asked: int | None) -> None:
    """Whatever the numbers, the next attempt is never in the past and never further off than the longest wait."""
    policy = RetryPolicy()

    at = policy.next_at(attempts=attempts, since=NOW - age, now=NOW, chance=chance, retry_after=asked)

    assert at is None if age >= policy.give_up_after else at is not None and NOW <= at <= NOW + policy.longest
