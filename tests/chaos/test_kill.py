"""kill -9 at random moments, again and again on one store."""

from pathlib import Path

from tests.chaos.kill import campaign

ROUNDS = 25


def test_kill_9_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Every 200 is in the store, every order reaches its end, and no delivery took effect under two ids."""
    told = list[str]()

    report = campaign(tmp_path, ROUNDS, seed=27, told=told.append)

    assert report.faults == []
    assert len(told) == ROUNDS
    assert report.acknowledged >= ROUNDS
