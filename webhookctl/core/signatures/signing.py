"""Signing as the supplier would: for playing it, and for our own requests to the shop."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from webhookctl.core import jsontext
from webhookctl.core.errors import SignatureError, UsageError
from webhookctl.core.signatures.keys import Key, PrivateKey
from webhookctl.core.signatures.proofs import digest_of
from webhookctl.core.signatures.scheme import Scheme
from webhookctl.core.signatures.template import Source, Template
from webhookctl.core.signatures.timestamps import FORMS
from webhookctl.core.signatures.values import Algorithm, Encoding, Kind

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
    key: Key | None,
    *,
    body: bytes,
    now: int,
    message_id: str = "",
    url: str = "",
    method: str = "POST",
    in_body: bool = False,
    restamp: bool = False,
) -> Signed:
    """Return the headers and body that the supplier would send; raises `UsageError` where it could not.

    `key` is of `Scheme.signing_key`, None where the kind is `none`. `message_id` goes into every signed header, the
    timestamp to its place unless it stands in the body already: there only `restamp` puts a new one. With `in_body`,
    or where the scheme knows no header, the signature becomes the body's last member.
    """
    pointer = scheme.signature_pointer if in_body or not scheme.signature_header else None
    if in_body and pointer is None:
        raise UsageError("This scheme has no place in the body for a signature: it sets no signature_pointer.")
    if scheme.kind is Kind.NONE:
        return Signed({}, body)
    template = scheme.signed if pointer is None else scheme.in_body
    try:
        body, timestamp = _stamped(scheme, body, now, restamp=restamp)
        body = body if pointer is None else jsontext.with_text(body, pointer, "")
        headers = _headers(scheme, template, message_id, timestamp)
        given = {name.lower().encode(): value.encode() for name, value in headers.items()}
        text = _written(scheme, _value(scheme, key, template, Source(body, given, url, method, timestamp)), timestamp)
        if pointer is None:
            return Signed({**headers, scheme.signature_header[0].written: text.decode("latin-1")}, body)
        return Signed(headers, jsontext.with_text(body, pointer, text.decode("utf-8", "surrogateescape")))
    except (jsontext.UnreadableJsonError, SignatureError) as error:
        raise UsageError(f"This payload can't be signed by this scheme: {error}") from None


def _stamped(scheme: Scheme, body: bytes, now: int, *, restamp: bool) -> tuple[bytes, bytes]:
    """Return the body and the timestamp, which is put into the body where it belongs there and is not, or is old."""
    written = FORMS[scheme.timestamp_format].write(now)
    if scheme.timestamp_pointer is None:
        return body, written.encode()
    text = jsontext.scalar(body, scheme.timestamp_pointer)
    if text is not None and not restamp:
        return body, text
    return jsontext.with_text(body, scheme.timestamp_pointer, written), written.encode()


def _value(scheme: Scheme, key: Key | None, template: Template, source: Source) -> bytes:
    """Return the signature as it is written, without what stands around it."""
    if key is None:
        raise UsageError("Signing needs a secret, and none was given.")
    if scheme.kind is Kind.TOKEN:
        return key.value
    source.secret = key.value
    return _ENCODE[scheme.encoding](_MAKE[scheme.kind](key, template.render(source), scheme.algorithm))


def _signed_privately(key: Key, message: bytes, _: object) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see `Key`

    if not isinstance(key, PrivateKey):
        raise UsageError("This scheme signs with a private key, which only the supplier has: ours is the public one.")
    return Ed25519PrivateKey.from_private_bytes(key.value).sign(message)


_MAKE: Final[Mapping[Kind, Callable[[Key, bytes, Algorithm], bytes]]] = {
    Kind.HMAC: lambda key, message, algorithm: key.mac(message, algorithm),
    Kind.DIGEST: lambda _, message, algorithm: digest_of(message, algorithm),
    Kind.ED25519: _signed_privately,
}
"""From key and signed text to the signature; `token` and `none` make none."""


def _headers(scheme: Scheme, template: Template, message_id: str, timestamp: bytes) -> dict[str, str]:
    """Return the headers beside the signature's own."""
    time = scheme.timestamp_header
    ids = [name.written for name in template.headers if time is None or name.key != time.key]
    if ids and not (message_id and message_id.isascii() and message_id.isprintable()):
        raise UsageError(f"This scheme signs the header {ids[0]}: it needs a message id of printable ASCII characters.")
    return dict.fromkeys(ids, message_id) | ({} if time is None else {time.written: timestamp.decode()})


def _written(scheme: Scheme, value: bytes, timestamp: bytes) -> bytes:
    """Return the signature's text, in its list where the scheme has one."""
    text = scheme.prefix + value
    if scheme.signature_key is None:
        return text
    pairs = [(scheme.signature_key, text)]
    if scheme.timestamp_key is not None:
        pairs.insert(0, (scheme.timestamp_key, timestamp))
    return (scheme.list_separator or b"").join(key + (scheme.pair_separator or b"") + item for key, item in pairs)
