"""A supplier's signature scheme, read from its table once and checked for contradictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, assert_never

from webhookctl.core import spelling
from webhookctl.core.errors import SchemeError
from webhookctl.core.jsontext import Pointer
from webhookctl.core.secret import Secret
from webhookctl.core.signatures import keys as decoding
from webhookctl.core.signatures.contradictions import refuse_contradictions
from webhookctl.core.signatures.keys import Key, SecretEncoding
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
    single_item: Pointer | None = None
    """A list that must have one element only, as no further one would be signed."""
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
        refuse_contradictions(scheme, given)
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

    @property
    def reads_json(self) -> bool:
        """Return whether anything is looked for in the body, so that it must be JSON."""
        places = (self.signature_pointer, self.timestamp_pointer, self.single_item)
        return any(places) or any(template.fields or template.cuts for template in self.templates)

    @property
    def signs_url(self) -> bool:
        """Return whether the address that the supplier posts to must be known."""
        return any("url" in template.names for template in self.templates)

    def keys(self, secrets: Sequence[Secret], *, allow_short: bool = False) -> tuple[Key, ...]:
        """Decode what deliveries are checked with, once; raises `SchemeError` for "secrets", naming references only."""
        match self.kind:
            case Kind.NONE:
                return ()
            case Kind.ED25519:
                return decoding.decode_public(secrets, self.secret_encoding, self.secret_prefix)
            case Kind.HMAC | Kind.TOKEN | Kind.DIGEST:
                return decoding.decode(secrets, self.secret_encoding, self.secret_prefix, allow_short=allow_short)
            case _:
                assert_never(self.kind)

    def signing_key(self, secret: Secret, *, allow_short: bool = False) -> Key:
        """Decode what the supplier signs with, which in kind `ed25519` is not what we check with."""
        if self.kind is Kind.ED25519:
            return decoding.decode_private(secret, self.secret_encoding, self.secret_prefix)
        return decoding.decode([secret], self.secret_encoding, self.secret_prefix, allow_short=allow_short)[0]


def _unknown(key: str) -> SchemeError:
    hint = spelling.nearest(key, READERS) or f"a scheme has {', '.join(READERS)}"
    return SchemeError(key, f"{key} is no key of a signature scheme: {hint}")
