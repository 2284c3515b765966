"""Signing as the supplier would: for playing it, and for our own requests to the shop."""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from webhookctl.core import jsontext
from webhookctl.core.errors import SignatureError, UsageError
from webhookctl.core.signatures.keys import Key
from webhookctl.core.signatures.scheme import Scheme
from webhookctl.core.signatures.template import Source, Template
from webhookctl.core.signatures.timestamps import FORMS
from webhookctl.core.signatures.values import Encoding

_ENCODE: Final[Mapping[Encoding, Callable[[bytes], bytes]]] = {
    Encoding.HEX: lambda digest: digest.hex().encode(),
    Encoding.BASE64: base64.b64encode,
    Encoding.BASE64URL: lambda digest: base64.urlsafe_b64encode(digest).rstrip(b"="),
}


@dataclass(frozen=True, slots=True)
class Signed:
    """What to send."""

    headers: dict[str, str]
    body: bytes


def sign(  # noqa: PLR0913 - what a signed request consists of
    scheme: Scheme,
    key: Key,
    *,
    body: bytes,
    now: int,
    message_id: str = "",
    url: str = "",
    method: str = "POST",
    in_body: bool = False,
) -> Signed:
    """Return the headers and body that the supplier would send; raises `UsageError` where it could not.

    `message_id` goes into every signed header. With `in_body`, or where the scheme knows no header, the signature
    becomes the body's last member.
    """
    pointer = scheme.signature_pointer if in_body or not scheme.signature_header else None
    if in_body and pointer is None:
        raise UsageError("This scheme has no place in the body for a signature: it sets no signature_pointer.")
    template = scheme.signed if pointer is None else scheme.in_body
    try:
        body = body if pointer is None else jsontext.with_text(body, pointer, "")
        timestamp = _timestamp(scheme, body, now)
        headers = _headers(scheme, template, message_id, timestamp)
        given = {name.lower().encode(): value.encode() for name, value in headers.items()}
        message = template.render(Source(body, given, url, method, timestamp))
        text = _written(hmac.digest(key.value, message, scheme.algorithm.value), scheme, timestamp)
        if pointer is None:
            return Signed({**headers, scheme.signature_header[0].written: text}, body)
        return Signed(headers, jsontext.with_text(body, pointer, text))
    except (jsontext.UnreadableJsonError, SignatureError) as error:
        raise UsageError(f"This payload can't be signed by this scheme: {error}") from None


def _timestamp(scheme: Scheme, body: bytes, now: int) -> bytes:
    if scheme.timestamp_pointer is None:
        return FORMS[scheme.timestamp_format].write(now).encode()
    text = jsontext.scalar(body, scheme.timestamp_pointer)
    if text is None:
        raise jsontext.UnreadableJsonError(f"its timestamp is missing at {scheme.timestamp_pointer}")
    return text


def _headers(scheme: Scheme, template: Template, message_id: str, timestamp: bytes) -> dict[str, str]:
    """Return the headers beside the signature's own."""
    time = scheme.timestamp_header
    ids = [name.written for name in template.headers if time is None or name.key != time.key]
    if ids and not (message_id and message_id.isascii() and message_id.isprintable()):
        raise UsageError(f"This scheme signs the header {ids[0]}: it needs a message id of printable ASCII characters.")
    return dict.fromkeys(ids, message_id) | ({} if time is None else {time.written: timestamp.decode()})


def _written(digest: bytes, scheme: Scheme, timestamp: bytes) -> str:
    """Return the signature's text, in its list where the scheme has one."""
    text = (scheme.prefix + _ENCODE[scheme.encoding](digest)).decode()
    if scheme.signature_key is None:
        return text
    pairs = [(scheme.signature_key, text)]
    if scheme.timestamp_key is not None:
        pairs.insert(0, (scheme.timestamp_key, timestamp.decode()))
    equals, comma = (scheme.pair_separator or b"").decode(), (scheme.list_separator or b"").decode()
    return comma.join(f"{name.decode()}{equals}{value}" for name, value in pairs)
