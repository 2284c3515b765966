"""The planted bugs can still be planted; that each is caught, `python -m tests.chaos.mutants` shows."""

from tests.chaos.mutants import MUTANTS, ROOT, unfit


def test_each_bug_finds_its_place() -> None:
    """What is to be replaced stands once in the source, and the test that must see it exists."""
    named = [mutant.test.partition("::") for mutant in MUTANTS]

    assert unfit(ROOT) == []
    assert [test for file, _, test in named if f"def {test}" not in (ROOT / file).read_text("utf-8")] == []
