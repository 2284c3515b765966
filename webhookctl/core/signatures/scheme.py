"""A supplier's signature scheme, read from its table once and checked for contradictions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import ClassVar, Final, TypeAlias

from webhookctl.core.errors import SchemeError
from webhookctl.core.jsontext import Pointer
from webhookctl.core.signatures import keys as decoding
from webhookctl.core.signatures.keys import Key, Secret, SecretEncoding
from webhookctl.core.signatures.template import HeaderName, Template, compile_template
from webhookctl.core.signatures.timestamps import TimestampFormat
from webhookctl.core.signatures.values import READERS, Algorithm, Encoding, Kind


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a supplier signs: each field is the key of that name in a preset or in the settings."""

    KEYS: ClassVar[frozenset[str]] = frozenset(READERS)
    """Every key that `parse` understands."""

    kind: Kind = Kind.HMAC
    signature_header: tuple[HeaderName, ...] = ()
    """The first that is present counts."""
    signature_pointer: Pointer | None = None
    """Where the signature stands in the body, if no header has it."""
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: bytes = b""
    prefix_required: bool = True
    list_separator: bytes | None = None
    pair_separator: bytes | None = None
    signature_key: bytes | None = None
    signed: Template = field(default_factory=lambda: compile_template("{body}", {}, "signed"))
    signed_in_body: Template | None = None
    """Takes the place of `signed` where the signature was found by `signature_pointer`."""
    timestamp_header: HeaderName | None = None
    timestamp_key: bytes | None = None
    timestamp_pointer: Pointer | None = None
    timestamp_format: TimestampFormat = TimestampFormat.UNIX
    tolerance: int = 5 * 60 * 1000
    """Milliseconds, to both sides; 0 switches the window off."""
    secret_encoding: SecretEncoding = SecretEncoding.UTF8
    secret_prefix: bytes = b""
    event_id_header: HeaderName | None = None
    """A signed header that tells one event from another."""
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """Every header that is looked at, by lower-case name."""

    def __post_init__(self) -> None:
        named = [*self.signature_header, *(header for template in self.templates for header in template.headers)]
        named += [self.timestamp_header] if self.timestamp_header else []
        object.__setattr__(self, "headers", frozenset(name.key for name in named))

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> "Scheme":
        """Read the table of a preset or of the settings; raises `SchemeError` with the key to mend."""
        for key in table:
            if key not in READERS:
                raise _unknown(key)
        # The kind first: under another one, the other keys may mean other things.
        given = {key: READERS[key](key, table[key]) for key in sorted(table, key=lambda key: key != "kind")}
        for key in given.keys() & {"signed", "signed_in_body"}:
            given[key] = compile_template(given[key], given.get("params", {}), key)
        scheme = cls(**given)
        for key, is_broken, words in _CONTRADICTIONS:
            if is_broken(scheme, given):
                raise SchemeError(key, words)
        return scheme

    @property
    def in_body(self) -> Template:
        """What is signed where the signature stands in the body."""
        return self.signed if self.signed_in_body is None else self.signed_in_body

    @property
    def templates(self) -> tuple[Template, ...]:
        """Every template that can come to be used."""
        if self.signature_pointer is None:
            return (self.signed,)
        return (self.signed, self.in_body) if self.signature_header else (self.in_body,)

    @property
    def timestamp_sources(self) -> list[HeaderName | Pointer | bytes]:
        """Where the timestamp may be read: at one place, or nowhere."""
        places = (self.timestamp_header, self.timestamp_key, self.timestamp_pointer)
        return [place for place in places if place is not None]

    def keys(self, secrets: Sequence[Secret], *, allow_short: bool = False) -> tuple[Key, ...]:
        """Decode the secrets, once; raises `SchemeError` for "secrets", naming the reference only."""
        return decoding.decode(secrets, self.secret_encoding, self.secret_prefix, allow_short=allow_short)


def _unknown(key: str) -> SchemeError:
    near = get_close_matches(key, READERS, 1)
    hint = f"did you mean {near[0]}?" if near else f"a scheme has {', '.join(READERS)}"
    return SchemeError(key, f"{key} is no key of a signature scheme: {hint}")


_IsBroken: TypeAlias = Callable[[Scheme, Collection[str]], bool]
_OF_THE_DELIVERY: Final = frozenset({"body", "body-without", "json", "header", "timestamp"})


def _is_movable(template: Template, scheme: Scheme) -> bool:
    """True where somebody could change the timestamp and leave the signature good."""
    if not scheme.timestamp_sources or template not in scheme.templates:
        return False
    pointer = scheme.timestamp_pointer
    return "timestamp" not in template.names and not (pointer and template.covers(pointer))


# What is wrong in a scheme whose every key is right: the key to mend, the test (of the scheme and of the keys that were
# written), the sentence. The first that holds is told.
_CONTRADICTIONS: Final[tuple[tuple[str, _IsBroken, str], ...]] = (
    (
        "signature_header",
        lambda scheme, _: not scheme.signature_header and scheme.signature_pointer is None,
        "signature_header is missing: name the header with the signature, or set signature_pointer if the body has it",
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
        lambda scheme, _: bool(scheme.pair_separator) and scheme.pair_separator == scheme.list_separator,
        "pair_separator must be another sign than list_separator",
    ),
    (
        "timestamp_key",
        lambda scheme, _: bool(scheme.timestamp_key) and not scheme.signature_key,
        "timestamp_key is of no use without signature_key, list_separator and pair_separator",
    ),
    (
        "timestamp_key",
        lambda scheme, _: bool(scheme.timestamp_key) and scheme.timestamp_key == scheme.signature_key,
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
        "{timestamp} is signed, but nothing says where it stands: set timestamp_header (or _key, or _pointer)",
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
        lambda scheme, _: scheme.signature_pointer is not None and scheme.in_body.covers(scheme.signature_pointer),
        "a signature in the body can't sign itself: cut it out with {body-without:/pointer} in signed_in_body",
    ),
    (
        "signed",
        lambda scheme, _: any(not template.names & _OF_THE_DELIVERY for template in scheme.templates),
        "what is signed holds nothing of the delivery, so that each would have the same signature: add {body}",
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
