"""Which word was meant."""

from webhookctl.core import spelling


def test_the_nearest_is_asked_about_as_it_is_written_there() -> None:
    """In whatever stands around it; braces and signs of the place are no part of a format."""
    assert spelling.nearest("statos", ["reference", "status"]) == "did you mean status?"
    assert spelling.nearest("statos", ["status"], "suppliers.a{b}.{}") == "did you mean suppliers.a{b}.status?"
    assert spelling.nearest("statos", ["status"], "{{}}") == "did you mean {status}?"
    assert spelling.behind("statos", ["status"], "map.{}") == "; did you mean map.status?"


def test_what_is_near_nothing_is_not_guessed() -> None:
    """Then whoever asks says what there is, or nothing."""
    assert spelling.nearest("xyzzy", ["reference", "status"]) == ""
    assert spelling.behind("", []) == ""
