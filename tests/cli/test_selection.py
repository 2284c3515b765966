"""The options that choose events mean the same in every command, and refuse what means nothing."""

import pytest

from webhookctl.cli import selection
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import UsageError
from webhookctl.core.events import EventState


def test_each_option_finds_its_place() -> None:
    """What was said stands in the query, and what was not filters nothing."""
    query = selection.query(supplier="acme", type_="order.failed", state="dead", via="poll", since="2026-05-01T00:00Z")

    assert (query.supplier, query.type, query.state, query.via) == (
        "acme",
        "order.failed",
        EventState.DEAD,
        Via.POLL,
    )
    assert (query.since, query.until, query.reference) == (1_777_593_600_000, None, None)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"state": "deed"}, "--state 'deed' is not known; did you mean dead?"),
        ({"state": "xyz"}, "--state 'xyz' is not known; there are: queued, done, ignored, duplicate, dead."),
        ({"via": "pol"}, "--via 'pol' is not known; did you mean poll?"),
        ({"type_": "order.fulfiled"}, "--type 'order.fulfiled' is not known; did you mean order.fulfilled?"),
        ({"since": "yesterday"}, "--since 'yesterday' can't be read; give an age (90s, 15m"),
        ({"since": "1h", "until": "2h"}, "--since 1h lies after --until 2h"),
    ],
)
def test_what_means_nothing_is_refused_in_words(said: dict[str, str], sentence: str) -> None:
    """A sentence names the option, what was said, and what could have been meant."""
    with pytest.raises(UsageError) as refused:
        selection.query(**said)  # type: ignore[arg-type] # the only number is none of these

    assert str(refused.value).startswith(sentence)
