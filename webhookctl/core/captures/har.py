"""An entry of a HAR file: what a browser or a proxy recorded (HAR 1.2)."""

import binascii
import json
from typing import Any, Final
from urllib.parse import quote_plus

from webhookctl.core.captures.captured import Captured, Load
from webhookctl.core.errors import UsageError

_NO_HAR: Final = "This JSON is no HAR: it has neither a request nor log.entries."


def read(raw: bytes, _: Load | None = None) -> Captured:
    """Read an entry, a request alone, or a log with one request that has a body; raises `UsageError`."""
    try:
        value = json.loads(raw.decode("utf-8-sig"))
        request = _request(value)
        headers = tuple(
            (_bytes(one["name"]).strip().lower(), _bytes(one["value"]).strip()) for one in request.get("headers", [])
        )
        body, notes = _body(request.get("postData") or {})
        return Captured(str(request.get("method", "POST")), str(request.get("url", "")), headers, body, notes)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise UsageError(_NO_HAR) from None


def _request(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        value = {"log": {"entries": value}}
    if "log" in value:
        requests = [entry["request"] for entry in value["log"]["entries"]]
        with_body = [request for request in requests if request.get("postData")] or requests
        if len(with_body) != 1:
            raise UsageError(f"This HAR holds {len(with_body)} requests: keep the one to verify.")
        return dict(with_body[0])
    return dict(value.get("request", value) if "request" in value or "headers" in value else value["request"])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _body(posted: dict[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    text = posted.get("text")
    if text is None and posted.get("params"):
        pairs = [(str(one["name"]), str(one.get("value", ""))) for one in posted["params"]]
        form = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
        return form.encode(), ("The form was put together from the HAR's params: its exact bytes are not recorded.",)
    if posted.get("encoding") == "base64" or posted.get("_encoding") == "base64":
        return binascii.a2b_base64(str(text)), ()
    return _bytes(str(text or "")), ()
