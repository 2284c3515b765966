"""By which scheme is this delivery signed?"""

from collections.abc import Mapping

from webhookctl.core.deliveries import Delivery
from webhookctl.core.diagnosis.case import Case
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Kind, Scheme
from webhookctl.core.signatures.proofs import read_signature


def recognise(delivery: Delivery, schemes: Mapping[str, Scheme]) -> list[str]:
    """Return the names of the schemes whose signature this delivery seems to have, the likeliest first."""
    ranks = {name: _likeness(Case(delivery, scheme, ())) for name, scheme in schemes.items()}
    return sorted((name for name, rank in ranks.items() if rank), key=lambda name: ranks[name], reverse=True)


def _likeness(case: Case) -> tuple[int, ...]:
    """Say how well they fit; nothing where no signature stands in its place."""
    scheme = case.scheme
    if scheme.kind is Kind.NONE:
        return ()
    present = [place for place, name in enumerate(scheme.signature_header) if case.header(name.key) is not None]
    pointed = case.pointed(scheme.signature_pointer)
    if not present and pointed is None:
        return ()
    text = case.header(scheme.signature_header[present[0]].key) if present else pointed
    others = sum(case.header(name) is not None for name in scheme.headers)
    # A readable signature says most, then how many of its headers are there, then a scheme with a header of its own
    # before one that takes many; one in the body comes last.
    return (int(_is_readable(scheme, text or b"")), others, int(bool(present)), -len(scheme.signature_header))


def _is_readable(scheme: Scheme, text: bytes) -> bool:
    if scheme.list_separator is None:
        return bool(read_signature(text.strip(), scheme))
    key = (scheme.signature_key or b"") + (scheme.pair_separator or b"")
    items = (item.strip() for item in text.split(scheme.list_separator, 64))
    return any(item.startswith(key) and read_signature(item.removeprefix(key), scheme) for item in items)


def expected(delivery: Delivery, scheme: Scheme, key: bytes) -> bytes | None:
    """Return the signature that the delivery would have to have: a forgery token. None where none can be made."""
    from webhookctl.core.diagnosis.contents import near  # noqa: PLC0415 - not needed to recognise
    from webhookctl.core.diagnosis.digests import constructions  # noqa: PLC0415 - as above

    made = constructions(scheme)[0].make
    try:
        message = near(Case(delivery, scheme, ()))[0].message(delivery.body, key)
    except SignatureError:
        return None
    return None if made is None or message is None else made(key, message)
