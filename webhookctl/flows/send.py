"""Playing the supplier: sample payloads made ready, signed and posted."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from webhookctl.core.errors import UsageError
from webhookctl.core.signatures import Key, Scheme, sign

Post: TypeAlias = Callable[[bytes, Mapping[str, str]], Awaitable[int]]
"""Post (body, headers) and return the status of the answer."""

KEPT: Final = frozenset({200, 201, 202, 204})
"""What a supplier can be answered whose delivery is on disk: 200, or what its settings say."""
_WITHIN_DATA: Final = ("order_id", "reference", "status", "balance", "currency", "threshold")
_WITHIN_ITEM: Final = ("sku", "code", "pin")
_NUMBER: Final = "{n}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent: a payload for each number from 1 on."""

    template: bytes
    changes: Mapping[str, str]
    """`reference`, `code`, … or a JSON Pointer, and the text to put there; `{n}` in it becomes the number."""
    fresh: bool
    """The timestamp becomes now: right for samples, wrong for a file that is to be sent as it is."""
    count: int = 1
    in_body: bool = False
    tamper: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """How one payload was answered."""

    number: int
    status: int
    event: str | None
    reference: str | None


def payload(sending: Sending, number: int, *, now: int) -> bytes:
    """Return the bytes of payload `number`; raises `UsageError` where a change can't be made."""
    if not sending.changes and not sending.fresh:
        return sending.template
    try:
        value = json.loads(sending.template)
    except (ValueError, RecursionError):
        raise UsageError("--set needs a JSON payload, and this file holds none.") from None
    if sending.fresh and isinstance(value, dict):
        value["timestamp"] = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds")
    for name, text in sending.changes.items():
        _put(value, _tokens(name), text.replace(_NUMBER, str(number)), name)
    return json.dumps(value, ensure_ascii=False).encode()


def _tokens(name: str) -> list[str]:
    if name.startswith("/"):
        return [token.replace("~1", "/").replace("~0", "~") for token in name.split("/")[1:]]
    if name in _WITHIN_DATA:
        return ["data", name]
    if name in _WITHIN_ITEM:
        return ["data", "items", "0", name]
    known = ", ".join((*_WITHIN_DATA, *_WITHIN_ITEM))
    raise UsageError(f"--set {name}=… is not known: name one of {known}, or a JSON Pointer such as /data/note.")


def _put(value: Any, tokens: Sequence[str], text: str, name: str) -> None:  # noqa: ANN401 - any JSON value
    *path, last = tokens
    try:
        for token in path:
            value = value[int(token)] if isinstance(value, list) else value[token]
        value[int(last) if isinstance(value, list) else last] = text
    except (LookupError, TypeError, ValueError):
        raise UsageError(f"--set {name}=…: the payload has no place for it.") from None


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who is played, and how a request leaves."""

    scheme: Scheme
    key: Key | None
    """None where nothing is signed."""
    url: str
    """As the scheme signs it, if it does."""
    post: Post

    async def send(self, sending: Sending, number: int, *, now: int) -> Sent:
        """Sign payload `number` as the supplier would, post it, and say how it was answered."""
        body = payload(sending, number, now=now)
        message_id = f"msg_{now}_{number}"
        signed = sign(
            self.scheme, self.key, body=body, now=now, message_id=message_id, url=self.url, in_body=sending.in_body
        )
        # A blank behind the JSON changes no meaning, only the bytes: whoever accepts it did not check them.
        status = await self.post(signed.body + (b" " if sending.tamper else b""), signed.headers)
        return Sent(number, status, *_said(body))


def _said(body: bytes) -> tuple[str | None, str | None]:
    try:
        value = json.loads(body)
        data = value.get("data", {})
        return value.get("event"), data.get("reference")
    except (ValueError, AttributeError, RecursionError):
        return None, None
