"""Is this delivery really from its supplier?"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from webhookctl.core import jsontext
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.redaction import printable
from webhookctl.core.signatures.keys import Key
from webhookctl.core.signatures.proofs import TESTS, Test, read_signature
from webhookctl.core.signatures.scheme import Scheme
from webhookctl.core.signatures.template import HeaderName, Source, Template
from webhookctl.core.signatures.timestamps import FORMS, seconds
from webhookctl.core.signatures.values import Kind

MOST_ITEMS: Final = 64
"""Of a signature's list. Each is compared with every secret; a supplier in the middle of a rotation sends two."""
MOST_PUBLIC: Final = 8
"""Of signatures that are tried under public keys: each try takes a hundred microseconds, and anybody may send them."""
_MOST_NAMED: Final = 5
_LONGEST_SHOWN: Final = 40
_LOOKS_LIKE_ONE: Final = re.compile(rb"signature|hmac|hash|digest|sign$|[-_]sig\b")
_LOOKS_LIKE_TOKEN: Final = re.compile(rb"token|secret|authorization|api-?key")
UNPROVEN: Final = "none"
"""What a delivery is said to match where the scheme proves nothing."""


class _Presented(NamedTuple):
    """The signature's text as the delivery presents it."""

    text: bytes
    template: Template
    found_at: HeaderName | jsontext.Pointer

    @property
    def place(self) -> str:
        """Where it was found, in words."""
        at = self.found_at
        return f"the header {at}" if isinstance(at, HeaderName) else f"{at} of the body"


def verify(delivery: Delivery, scheme: Scheme, keys: Sequence[Key], *, now: int) -> Verified:
    """Return `delivery` as proven; raises `SignatureError`, and on whatever headers and body nothing else.

    The age is judged last: `too_old` and `in_future` mean that the signature is good, so that they speak of a clock or
    a replay and never of a forger.
    """
    if scheme.kind is Kind.NONE:
        return Verified(delivery, UNPROVEN)
    source = Source(delivery.body, _headers(delivery, scheme), delivery.url, delivery.method)
    presented = _presented(source, scheme, delivery)
    signatures, timestamp = _signatures(presented, scheme)
    sent_at = _sent_at(source, scheme, timestamp)
    _check_single(source, scheme)
    key = _matching(signatures, TESTS[scheme.kind](source, presented.template, scheme), keys)
    if key is None:
        raise _mismatch(presented, scheme, keys)
    if sent_at is not None and scheme.tolerance:
        _check_age(now - sent_at, scheme.tolerance)
    return Verified(delivery, key.reference, _event_id(source, scheme, presented.template))


def sent_at(delivery: Delivery, scheme: Scheme) -> int | None:
    """Return the delivery's timestamp in milliseconds since 1970, None where there is none; raises `SignatureError`."""
    if not scheme.timestamp_sources:
        return None
    source = Source(delivery.body, _headers(delivery, scheme), delivery.url, delivery.method)
    _, timestamp = _signatures(_presented(source, scheme, delivery), scheme)
    return _sent_at(source, scheme, timestamp)


def _headers(delivery: Delivery, scheme: Scheme) -> dict[bytes, bytes]:
    """Return the headers that the scheme looks at; one that comes twice could be read in two ways."""
    found: dict[bytes, bytes] = {}
    wanted = scheme.headers
    for name, value in delivery.headers:
        if name in wanted:
            if name in found:
                raise SignatureError(Reason.MALFORMED, f"The header {name.decode('ascii')} stands twice.")
            found[name] = value
    return found


def _presented(source: Source, scheme: Scheme, delivery: Delivery) -> _Presented:
    for name in scheme.signature_header:
        text = source.headers.get(name.key)
        if text is not None:
            return _Presented(text, scheme.signed, name)
    pointer = scheme.signature_pointer
    if pointer is None:
        raise _missing(scheme, delivery)
    try:
        text = source.document.scalar(pointer)
    except jsontext.RepeatedMemberError as error:
        raise SignatureError(Reason.MALFORMED, f"The body has no one signature: {error}.") from None
    except jsontext.UnreadableJsonError as error:
        raise _missing(scheme, delivery, f" The body can't be searched for {pointer}: {error}.") from None
    if text is None:
        raise _missing(scheme, delivery, f" Nor does {pointer} stand in the body.")
    return _Presented(text, scheme.in_body, pointer)


def _missing(scheme: Scheme, delivery: Delivery, further: str = "") -> SignatureError:
    wanted = ", ".join(map(str, scheme.signature_header))
    noun, alike = ("token", _LOOKS_LIKE_TOKEN) if scheme.kind is Kind.TOKEN else ("signature", _LOOKS_LIKE_ONE)
    words = f"The delivery has no {noun}: no header {wanted}." if wanted else f"The delivery has no {noun}."
    seen = dict.fromkeys(
        printable(name.decode("latin-1"))[:_LONGEST_SHOWN]
        for name, _ in delivery.headers
        if alike.search(name) and name not in scheme.headers
    )
    hint = f" It has {', '.join(list(seen)[:_MOST_NAMED])}: is that the one to name in signature_header?"
    return SignatureError(Reason.MISSING_HEADER, words + further + (hint if seen else ""))


def _signatures(presented: _Presented, scheme: Scheme) -> tuple[list[bytes], bytes | None]:
    """Return the decoded signatures, one at least, and the timestamp if it stands among them."""
    timestamp = None
    if scheme.list_separator is None:
        texts = [presented.text.strip()]
    elif scheme.pair_separator is None:
        texts = _items(presented, scheme.list_separator)
    else:
        texts, timestamp = _from_pairs(presented, scheme)
    signatures = [value for value in [read_signature(text, scheme) for text in texts] if value]
    if not signatures:
        behind = f" behind {scheme.prefix.decode()!r}" if scheme.prefix and scheme.prefix_required else ""
        raise SignatureError(Reason.MALFORMED, f"In {presented.place} stands no {_form(scheme)}{behind}.")
    if scheme.kind is Kind.ED25519 and len(signatures) > MOST_PUBLIC:
        raise SignatureError(Reason.MALFORMED, f"In {presented.place} stand more than {MOST_PUBLIC} signatures.")
    return signatures, timestamp


def _form(scheme: Scheme) -> str:
    if scheme.kind is Kind.TOKEN:
        return "token"
    return f"signature of {scheme.kind if scheme.kind is Kind.ED25519 else scheme.algorithm} in {scheme.encoding}"


def _items(presented: _Presented, separator: bytes) -> list[bytes]:
    items = presented.text.split(separator, MOST_ITEMS)
    if len(items) > MOST_ITEMS:
        raise SignatureError(Reason.MALFORMED, f"In {presented.place} stand more than {MOST_ITEMS} items.")
    return [item.strip() for item in items]


def _from_pairs(presented: _Presented, scheme: Scheme) -> tuple[list[bytes], bytes | None]:
    texts: list[bytes] = []
    timestamps: list[bytes] = []
    wanted = {scheme.signature_key: texts, scheme.timestamp_key: timestamps}
    for item in _items(presented, scheme.list_separator or b""):
        # At the first one only: base64 ends in "=".
        key, _, value = item.partition(scheme.pair_separator or b"")
        if key in wanted:
            wanted[key].append(value)
    if not texts:
        name = (scheme.signature_key or b"").decode()
        raise SignatureError(Reason.UNKNOWN_KEY, f"In {presented.place} stands no {name}, the key of the signature.")
    if len(timestamps) > 1:
        raise SignatureError(Reason.MALFORMED, f"In {presented.place} stand several timestamps.")
    return texts, timestamps[0] if timestamps else None


def _sent_at(source: Source, scheme: Scheme, text: bytes | None) -> int | None:
    """Read the timestamp, which goes into the signed text as it stands; None where the scheme has none."""
    place: object = ""
    if scheme.timestamp_header is not None:
        place, text = f"header {scheme.timestamp_header}", source.headers.get(scheme.timestamp_header.key)
    elif scheme.timestamp_key is not None:
        place = f"item {scheme.timestamp_key.decode()}"
    elif scheme.timestamp_pointer is not None:
        place, text = f"member {scheme.timestamp_pointer}", _from_body(source.document, scheme.timestamp_pointer)
    else:
        return None
    if text is None:
        reason = Reason.MISSING_HEADER if scheme.timestamp_header else Reason.MALFORMED
        raise SignatureError(reason, f"The delivery has no timestamp: no {place}.")
    form = FORMS[scheme.timestamp_format]
    source.timestamp = text
    try:
        return form.read(text)
    except ValueError:
        shown = printable(text[:_LONGEST_SHOWN].decode("latin-1"))
        raise SignatureError(
            Reason.MALFORMED, f"The timestamp in {place} must be {form.words}; it is '{shown}'."
        ) from None


def _from_body(document: jsontext.Document, pointer: jsontext.Pointer) -> bytes | None:
    try:
        return document.scalar(pointer)
    except jsontext.UnreadableJsonError as error:
        raise SignatureError(Reason.MALFORMED, f"The timestamp can't be read from the body: {error}.") from None


def _check_single(source: Source, scheme: Scheme) -> None:
    if scheme.single_item is None:
        return
    second = jsontext.Pointer(f"{scheme.single_item}/1", (*scheme.single_item.tokens, "1"))
    try:
        found = source.document.find(second)
    except jsontext.UnreadableJsonError as error:
        raise SignatureError(Reason.MALFORMED, f"The items at {scheme.single_item} can't be told: {error}.") from None
    if found is not None:
        raise SignatureError(
            Reason.MALFORMED,
            f"At {scheme.single_item} stands more than one item, and only the first is signed: have the supplier send "
            "them one by one.",
        )


def _matching(signatures: list[bytes], begin: Callable[[Key], Test], keys: Sequence[Key]) -> Key | None:
    """Return the first key that a signature is good under; every pair is tried, so that time tells nothing."""
    matching = None
    for key in keys:
        is_good = begin(key)
        for signature in signatures:
            if is_good(signature) and matching is None:
                matching = key
    return matching


def _mismatch(presented: _Presented, scheme: Scheme, keys: Sequence[Key]) -> SignatureError:
    tried = ", ".join(key.reference for key in keys) or "none"
    if scheme.kind is Kind.TOKEN:
        return SignatureError(Reason.MISMATCH, f"The token in {presented.place} is none of ours ({tried}).")
    what = "public key" if scheme.kind is Kind.ED25519 else "secret"
    return SignatureError(
        Reason.MISMATCH,
        f"The signature in {presented.place} is not over what was received with any {what} we have ({tried}): the "
        f"supplier uses another {what}, or the body was changed on its way.",
    )


def _check_age(skew_ms: int, tolerance: int) -> None:
    """Judge by how far the timestamp lies in the past (negative: in the future)."""
    if abs(skew_ms) <= tolerance:
        return
    reason, where = (Reason.TOO_OLD, "old") if skew_ms > 0 else (Reason.IN_FUTURE, "in the future")
    raise SignatureError(
        reason,
        f"The signature is good, but its timestamp is {seconds(skew_ms)} s {where}, and {seconds(tolerance)} s are "
        "allowed: a replay, or one of the two clocks is wrong.",
        skew_ms=skew_ms,
    )


def _event_id(source: Source, scheme: Scheme, template: Template) -> bytes | None:
    """Return the signed event id; an empty one would make every event the same."""
    name = scheme.event_id_header
    if name is None or not template.has_header(name):
        return None
    return source.headers[name.key] or None
