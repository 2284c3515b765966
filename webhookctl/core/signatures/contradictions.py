"""What is wrong in a scheme whose every key is right?"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from webhookctl.core.errors import SchemeError
from webhookctl.core.signatures.keys import SecretEncoding
from webhookctl.core.signatures.template import Template
from webhookctl.core.signatures.values import READERS, Algorithm, Kind

if TYPE_CHECKING:
    from webhookctl.core.signatures.scheme import Scheme

_IsBroken: TypeAlias = "Callable[[Scheme, Collection[str]], bool]"
_OF_THE_DELIVERY: Final = frozenset({"body", "body-without", "json", "header", "timestamp"})
_ALL: Final = frozenset(READERS)

_USED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.HMAC: _ALL,
    Kind.DIGEST: _ALL,
    Kind.ED25519: _ALL - {"algorithm"},
    Kind.TOKEN: frozenset({"kind", "signature_header", "signature_pointer", "prefix", "prefix_required"}),
    Kind.NONE: frozenset({"kind"}),
}
"""The keys that say something in each kind. Another one would be believed to protect."""


def refuse_contradictions(scheme: "Scheme", given: Collection[str]) -> None:
    """Raise `SchemeError` for the first contradiction between the keys that were `given`."""
    for key in given:
        if key not in _USED[scheme.kind]:
            raise SchemeError(key, f"{key} is of no use in kind {scheme.kind}: remove it, or write another kind")
    for key, is_broken, words in _CONTRADICTIONS:
        if is_broken(scheme, given):
            raise SchemeError(key, words)


def _is_movable(template: Template, scheme: "Scheme") -> bool:
    """True where somebody could change the timestamp and leave the signature good."""
    if not scheme.timestamp_sources or template not in scheme.templates:
        return False
    pointer = scheme.timestamp_pointer
    return "timestamp" not in template.names and not (pointer and template.covers(pointer))


def _are_twins(*words: bytes | None) -> bool:
    return len(set(words)) < len(words)


def _shows_secret(template: Template | None, scheme: "Scheme") -> bool:
    return template is not None and scheme.kind is not Kind.DIGEST and "secret" in template.names


# The key to mend, the test (of the scheme and of the keys that were written), the sentence. The first that holds is
# told.
_CONTRADICTIONS: Final[tuple[tuple[str, _IsBroken, str], ...]] = (
    (
        "signature_header",
        lambda scheme, _: (
            scheme.kind is not Kind.NONE and not scheme.signature_header and scheme.signature_pointer is None
        ),
        "signature_header is missing: name the header with the signature, or set signature_pointer if the body has it",
    ),
    (
        "algorithm",
        lambda scheme, _: scheme.algorithm is Algorithm.MD5 and scheme.kind is not Kind.DIGEST,
        "algorithm md5 is broken, and taken in kind digest only: use sha256 or sha512, or sha1 where it must be",
    ),
    (
        "secret_encoding",
        lambda scheme, _: scheme.kind is Kind.ED25519 and scheme.secret_encoding is SecretEncoding.UTF8,
        "secret_encoding must say how the public key is written, hex or base64",
    ),
    (
        "signature_key",
        lambda scheme, _: bool(scheme.signature_key) and not (scheme.list_separator and scheme.pair_separator),
        "signature_key is of no use without list_separator and pair_separator, which cut the header into items",
    ),
    (
        "pair_separator",
        lambda scheme, _: bool(scheme.pair_separator) and not scheme.signature_key,
        "pair_separator needs signature_key: which of the items is the signature?",
    ),
    (
        "pair_separator",
        lambda scheme, _: bool(scheme.pair_separator) and _are_twins(scheme.pair_separator, scheme.list_separator),
        "pair_separator must be another sign than list_separator",
    ),
    (
        "timestamp_key",
        lambda scheme, _: bool(scheme.timestamp_key) and not scheme.signature_key,
        "timestamp_key is of no use without signature_key, list_separator and pair_separator",
    ),
    (
        "timestamp_key",
        lambda scheme, _: bool(scheme.timestamp_key) and _are_twins(scheme.timestamp_key, scheme.signature_key),
        "timestamp_key and signature_key must be different items of the header",
    ),
    (
        "timestamp_header",
        lambda scheme, _: len(scheme.timestamp_sources) > 1,
        "timestamp_header, timestamp_key and timestamp_pointer exclude one another: keep the one that is true",
    ),
    (
        "timestamp_header",
        lambda scheme, _: (
            not scheme.timestamp_sources and any("timestamp" in template.names for template in scheme.templates)
        ),
        "timestamp_header is missing: {timestamp} is signed, and nothing says where it stands (nor a timestamp_key)",
    ),
    (
        "signed",
        lambda scheme, _: _shows_secret(scheme.signed, scheme),
        "signed must not contain {secret}: only in kind digest is the secret a part of the text",
    ),
    (
        "signed_in_body",
        lambda scheme, _: _shows_secret(scheme.signed_in_body, scheme),
        "signed_in_body must not contain {secret}: only in kind digest is the secret a part of the text",
    ),
    (
        "signed",
        lambda scheme, _: (
            scheme.kind is Kind.DIGEST and any("secret" not in template.names for template in scheme.templates)
        ),
        "signed must have {secret} in kind digest, where the supplier puts it: one without it anybody can compute",
    ),
    (
        "signed",
        lambda scheme, _: _is_movable(scheme.signed, scheme),
        "signed leaves out the timestamp, so that anybody could make an old delivery look new: add {timestamp}",
    ),
    (
        "signed_in_body",
        lambda scheme, _: _is_movable(scheme.in_body, scheme),
        "signed_in_body leaves out the timestamp, so that anybody could make an old delivery look new: add {timestamp}",
    ),
    (
        "tolerance",
        lambda scheme, given: "tolerance" in given and scheme.tolerance > 0 and not scheme.timestamp_sources,
        "tolerance is of no use without timestamp_header, timestamp_key or timestamp_pointer",
    ),
    (
        "timestamp_format",
        lambda scheme, given: "timestamp_format" in given and not scheme.timestamp_sources,
        "timestamp_format is of no use without timestamp_header, timestamp_key or timestamp_pointer",
    ),
    (
        "signed_in_body",
        lambda scheme, _: scheme.signed_in_body is not None and scheme.signature_pointer is None,
        "signed_in_body is of no use without signature_pointer",
    ),
    (
        "signed_in_body",
        lambda scheme, _: (
            scheme.kind is not Kind.TOKEN
            and scheme.signature_pointer is not None
            and scheme.in_body.covers(scheme.signature_pointer)
        ),
        "signed_in_body covers the signature, which can't sign itself: cut it out with {body-without:/pointer}",
    ),
    (
        "signed",
        lambda scheme, _: (
            scheme.kind in {Kind.HMAC, Kind.ED25519}
            and any(not template.names & _OF_THE_DELIVERY for template in scheme.templates)
        ),
        "signed holds nothing of the delivery, so that each would have the same signature: add {body}",
    ),
    (
        "event_id_header",
        lambda scheme, _: (
            scheme.event_id_header is not None
            and not any(template.has_header(scheme.event_id_header) for template in scheme.templates)
        ),
        "event_id_header is not signed, so that anybody could change it: put it into signed as {header:NAME}",
    ),
)
