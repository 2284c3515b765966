"""When a host that does not answer is left alone, and how it comes back."""

from webhookctl.core.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, SILENT_AT_MOST, Breaker


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(SILENT_AT_MOST):
        assert breaker.ask(now) is None
        breaker.silent(now)
    return breaker


def test_an_answer_in_between_starts_the_count_anew() -> None:
    """Only silence in a row counts: a shop that answers now and then is there."""
    breaker = Breaker()
    for _ in range(3):
        for _ in range(SILENT_AT_MOST - 1):
            breaker.silent(0.0)
        breaker.answered()

    assert breaker.is_ready(0.0)


def test_silence_in_a_row_brings_a_pause() -> None:
    """After five calls without an answer no call goes out until the pause is over."""
    breaker = broken()

    assert not breaker.is_ready(FIRST_PAUSE_S - 0.1)
    assert breaker.ask(1.0) == FIRST_PAUSE_S - 1
    assert breaker.is_ready(FIRST_PAUSE_S)


def test_one_call_asks_whether_the_host_is_back() -> None:
    """When the pause is over one call goes out, the others wait for what it finds."""
    breaker = broken()

    assert breaker.ask(FIRST_PAUSE_S) is None
    assert not breaker.is_ready(FIRST_PAUSE_S)
    assert breaker.ask(FIRST_PAUSE_S) is not None
    breaker.answered()
    assert breaker.ask(FIRST_PAUSE_S) is None
    assert breaker.ask(FIRST_PAUSE_S) is None


def test_pauses_grow_to_a_minute() -> None:
    """Each time that the host is still silent the pause is twice as long, and never longer than a minute."""
    breaker, now, pauses = broken(), FIRST_PAUSE_S, []
    for _ in range(6):
        assert breaker.ask(now) is None
        breaker.silent(now)
        pauses.append(breaker.ask(now))
        now += pauses[-1] or 0

    assert pauses == [10.0, 20.0, 40.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_late_silence_says_nothing_new() -> None:
    """Calls that were under way when the pause began do not make it longer."""
    breaker = broken()
    for _ in range(10):
        breaker.silent(1.0)

    assert breaker.is_ready(FIRST_PAUSE_S)


def test_a_call_that_we_ended_ourselves_leaves_the_question_open() -> None:
    """The next one asks."""
    breaker = broken()
    assert breaker.ask(FIRST_PAUSE_S) is None

    breaker.cut_off()

    assert breaker.ask(FIRST_PAUSE_S) is None
