"""Which headers go with a request that is sent again."""

import pytest

from webhookctl.core.forwarding import headers_to_send, is_for_its_way

JSON = (b"content-type", b"application/json")


def test_what_was_about_the_way_stays_behind() -> None:
    """The hop's headers, those that Connection names, and what is made anew."""
    received = (
        (b"x-keep", b"1"),
        (b"connection", b"close, X-Named"),
        (b"x-named", b"2"),
        (b"te", b"trailers"),
        (b"host", b"a"),
        (b"expect", b"100-continue"),
    )

    assert headers_to_send(received, without=(), added=()) == ((b"x-keep", b"1"), JSON)


def test_what_is_added_takes_the_place_of_what_came() -> None:
    """Whatever the case of its name; a repeated header that is not touched stays repeated."""
    received = ((b"x-a", b"1"), (b"x-b", b"2"), (b"x-b", b"3"), (b"content-type", b"text/plain"))
    added = ((b"X-A", b"new"),)

    found = headers_to_send(received, without={b"x-gone"}, added=added)

    assert found == ((b"x-b", b"2"), (b"x-b", b"3"), (b"content-type", b"text/plain"), (b"X-A", b"new"))


@pytest.mark.parametrize("value", [b"caf\xe9", b"a\r\nx: y", b"a\0", b"a\x1b[2J"])
def test_what_would_not_arrive_as_it_is_stays_behind(value: bytes) -> None:
    """No UTF-8, or a character that no header may have."""
    assert headers_to_send(((b"x-a", value),), without=(), added=()) == (JSON,)


def test_names_of_the_way_are_told() -> None:
    """So that nobody adds them by hand."""
    assert [name for name in (b"host", b"content-length", b"upgrade", b"x-host") if is_for_its_way(name)] == [
        b"host",
        b"content-length",
        b"upgrade",
    ]
