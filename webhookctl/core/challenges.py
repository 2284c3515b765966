"""Some suppliers ask, before they send: is this address really yours?"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from webhookctl.core.signatures import Key

_LONGEST: Final = 4096
"""Bytes of a body that may be a question: no event is parsed on the way to its answer for having a long one."""


class Challenge(StrEnum):
    """Whose way of asking."""

    SLACK = "slack"
    """`{"type": "url_verification", "challenge": …}`: the answer is the challenge, as text."""
    ZOOM = "zoom"
    """`{"event": "endpoint.url_validation", "payload": {"plainToken": …}}`: the answer signs the token."""


class Reply(NamedTuple):
    """What is answered."""

    content_type: str
    body: bytes


def reply(challenge: Challenge, body: bytes, key: Key) -> Reply | None:
    """Answer a proven delivery that is a question, by the key that it was proven with; None: it is none."""
    mark, answer = _WAYS[challenge]
    if len(body) > _LONGEST or mark not in body:
        return None
    try:
        return answer(orjson.loads(body), key)
    except (ValueError, TypeError, KeyError):  # not JSON, or of another shape: then it is an event like any other
        return None


def _slack(asked: Any, _key: Key) -> Reply | None:  # noqa: ANN401 - any JSON value
    if asked["type"] != "url_verification":
        return None
    return Reply("text/plain", asked["challenge"].encode() if isinstance(asked["challenge"], str) else b"")


def _zoom(asked: Any, key: Key) -> Reply | None:  # noqa: ANN401 - any JSON value
    token = asked["payload"]["plainToken"]
    if asked["event"] != "endpoint.url_validation" or not isinstance(token, str):
        return None
    signed = key.mac(token.encode(), "sha256").hex()
    return Reply("application/json", orjson.dumps({"plainToken": token, "encryptedToken": signed}))


_Way: TypeAlias = tuple[bytes, Callable[[Any, Key], Reply | None]]
# What must stand in the body for it to be parsed at all, and how it is answered.
_WAYS: Final[Mapping[Challenge, _Way]] = {
    Challenge.SLACK: (b"url_verification", _slack),
    Challenge.ZOOM: (b"endpoint.url_validation", _zoom),
}
