"""How deliveries and codes are packed and encrypted."""

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from webhookctl.core.deliveries import Delivery, Headers, Verified
from webhookctl.core.errors import SealedError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.quarantine import Rejection
from webhookctl.core.redaction import Code

_FORM: Final = 1
_HEAD: Final = struct.Struct("<BI")


@dataclass(frozen=True, slots=True)
class Opened:
    """What of a delivery is kept encrypted."""

    method: str
    url: str
    apart: bytes | None
    """Of an event the supplier's id, of a rejection what stood in the path where a secret belongs."""
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


NOTHING_OPENED: Final = Opened("", "", None, (), b"")
"""For lists, which show no headers and no body."""


def seal_delivery(cipher: Cipher, verified: Verified) -> bytes:
    """Encrypt headers, body and all else that only the supplier and the shop need to know, as one value."""
    delivery = verified.delivery
    packed = _pack(delivery, verified.event_id)
    return cipher.seal(packed, bound_to_delivery(delivery.supplier, delivery.delivery_id))


def open_delivery(cipher: Cipher, sealed: bytes, supplier: str, delivery_id: bytes) -> Opened:
    """Raise `SealedError` where the key is missing, or the bytes are not those that were stored for this delivery."""
    return _unpack(cipher.open(sealed, bound_to_delivery(supplier, delivery_id)))


def seal_rejection(cipher: Cipher, rejection: Rejection) -> bytes:
    """Encrypt what was rejected, in such a way that nobody can make an event of it by moving the bytes."""
    delivery = rejection.delivery
    packed = _pack(delivery, rejection.presented)
    return cipher.seal(packed, bound_to_rejection(delivery.supplier, delivery.delivery_id))


def open_rejection(cipher: Cipher, sealed: bytes, supplier: str, delivery_id: bytes) -> Opened:
    """Open what `seal_rejection` made; raises `SealedError`."""
    return _unpack(cipher.open(sealed, bound_to_rejection(supplier, delivery_id)))


def seal_code(cipher: Cipher, code: Code | None, place: tuple[str, str, int, str]) -> bytes | None:
    """Encrypt a code for its `place`: supplier, reference, position, field."""
    if code is None:
        return None
    # A JSON string may hold half of a surrogate pair, which UTF-8 can't: it comes back as it was.
    return cipher.seal(code.reveal().encode("utf-8", "surrogatepass"), bound_to_place(place))


def open_code(cipher: Cipher, sealed: bytes | None, place: tuple[str, str, int, str]) -> Code | None:
    """Open what `seal_code` made for the same `place`; raises `SealedError`."""
    if sealed is None:
        return None
    return Code(cipher.open(sealed, bound_to_place(place)).decode("utf-8", "surrogatepass"))


def bound_to_delivery(supplier: str, delivery_id: bytes) -> bytes:
    """Return what binds a delivery to its row."""
    return b"delivery:%b:%b" % (delivery_id, supplier.encode())


def bound_to_rejection(supplier: str, delivery_id: bytes) -> bytes:
    """Return what binds a rejection to its row, and makes no event of it."""
    return b"rejected:%b:%b" % (delivery_id, supplier.encode())


def bound_to_place(place: tuple[str, str, int, str]) -> bytes:
    """Return what binds a code or a pin to its order and item."""
    parts = [str(part).encode() for part in place]
    return b"code:" + b"".join(b"%d:%b" % (len(part), part) for part in parts)


def _pack(delivery: Delivery, apart: bytes | None) -> bytes:
    """Lay out the number of parts, their lengths, then the parts themselves: twice as fast as JSON, and exact."""
    parts = [delivery.method.encode(), delivery.url.encode(), b"" if apart is None else b"=" + apart]
    for header in delivery.headers:
        parts += header
    head = _head(len(parts)).pack(_FORM, len(parts), *map(len, parts))
    return b"".join((head, *parts, delivery.body))


@lru_cache(128)
def _head(parts: int) -> struct.Struct:
    return struct.Struct(f"{_HEAD.format}{parts}I")


def _unpack(packed: bytes) -> Opened:
    form, count = _HEAD.unpack_from(packed)
    if form != _FORM:
        raise SealedError("A stored delivery was packed by a newer webhookctl: upgrade webhookctl.")
    parts = list[bytes]()
    at = _HEAD.size + 4 * count
    for length in struct.unpack_from(f"<{count}I", packed, _HEAD.size):
        parts.append(packed[at : at + length])
        at += length
    method, url, apart, *headers = parts
    pairs = tuple(zip(headers[::2], headers[1::2], strict=True))
    return Opened(method.decode(), url.decode(), apart[1:] if apart else None, pairs, packed[at:])
