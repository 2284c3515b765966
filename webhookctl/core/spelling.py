"""Which of the known words was meant by one that is not known?"""

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], shown: str = "{}") -> str:
    """Ask whether the nearest of `words` was meant, with it in the place of {} in `shown`; empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - for nobody who spells well

    near = get_close_matches(word, words, 1)
    return f"did you mean {shown.replace('{}', near[0])}?" if near else ""


def behind(word: str, words: Iterable[str], shown: str = "{}") -> str:
    """Ask the same behind a sentence."""
    asked = nearest(word, words, shown)
    return asked and f"; {asked}"
