"""The walk through the space of mistakes: what the scheme says, each mistake alone, then two together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, TypeVar

from webhookctl.core.diagnosis.bodies import ROWS, Body
from webhookctl.core.diagnosis.case import Case
from webhookctl.core.diagnosis.contents import Content, contents
from webhookctl.core.diagnosis.digests import Construction, constructions
from webhookctl.core.diagnosis.findings import Mistake, Mistakes
from webhookctl.core.diagnosis.presented import SHORTEST, presented
from webhookctl.core.diagnosis.secret_forms import Reading
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.signatures import Key, Kind, Scheme, verify

BUDGET: Final = 1_000 * 1024 * 1024
"""Bytes through SHA-256, about 0.65 s. What else is done counts as the bytes that would take as long."""
_FIXED_COST: Final = 4 * 1024
"""Of each variant, however short."""
_MOST_KEPT: Final = 16 * 1024 * 1024
"""Bytes of changed bodies that are kept for the pairs."""
_KEY_SIZE: Final = 32
"""Of Ed25519."""
_GOOD_BUT_FOR_THE_CLOCK: Final = frozenset({Reason.TOO_OLD, Reason.IN_FUTURE})


@dataclass(frozen=True, slots=True)
class Found:
    """An explanation that verifies."""

    mistakes: Mistakes
    reference: str
    """Of the secret."""


@dataclass(frozen=True, slots=True)
class _BodyVariant:
    mistakes: Mistakes
    raw: bytes


@dataclass(frozen=True, slots=True)
class _KeyVariant:
    mistakes: Mistakes
    value: bytes = field(repr=False)
    reference: str


class _Variant(Protocol):
    @property
    def mistakes(self) -> Mistakes: ...


_V = TypeVar("_V", bound=_Variant)
_Stage: TypeAlias = tuple[int, Iterable[Found]]


def _with_mistakes(variants: Iterable[_V], count: int) -> list[_V]:
    return [variant for variant in variants if len(variant.mistakes) == count]


@dataclass(slots=True)
class Search:
    """One search under its budget; what it tried and left out can be asked for afterwards."""

    case: Case
    left: int = BUDGET
    tried: int = 0
    untried: int = 0
    _presented: dict[bytes, Mistakes] = field(default_factory=dict)
    _cut_sizes: list[int] = field(default_factory=list)
    _forgotten: int = 0
    """Changed bodies that were too many to keep."""

    def run(self) -> Found | None:
        """Return the smallest explanation; None where nothing matches."""
        self._presented = presented(self.case)
        self._cut_sizes = sorted({len(value) for value in self._presented if len(value) >= SHORTEST})
        spare: Found | None = None
        for most, stage in self._stages():
            if spare is not None and len(spare.mistakes) <= most:
                return spare
            for found in stage:
                if len(found.mistakes) <= most:
                    return found
                if spare is None or len(found.mistakes) < len(spare.mistakes):
                    spare = found
        return spare

    def _stages(self) -> Iterator[_Stage]:
        """Return each part of the walk with the fewest mistakes that can come of it, the likely ones first."""
        as_is = [_BodyVariant((), self.case.delivery.body)]
        keys0, keys1, keys2 = (_with_mistakes(self._keys(), count) for count in range(3))
        found, made = contents(self.case), constructions(self.case.scheme)
        texts0, texts1, texts2 = (_with_mistakes(found, count) for count in range(3))
        digests0, digests1, digests2 = (_with_mistakes(made, count) for count in range(3))
        yield 0, self._walk(as_is, texts0, keys0, digests0)
        yield 1, self._walk(as_is, texts0, keys1, digests0)
        yield 1, self._walk(as_is, texts1, keys0, digests0)
        yield 1, self._walk(as_is, texts0, keys0, digests1)
        yield 1, self._schemes()
        changed: list[_BodyVariant] = []
        yield 1, self._walk(self._bodies(changed), texts0, keys0, digests0)
        yield 2, self._walk(as_is, texts1, keys1, digests0)
        yield 2, self._walk(as_is, texts0, keys1, digests1)
        yield 2, self._walk(as_is, texts1, keys0, digests1)
        yield 2, self._walk(as_is, texts0, keys2, digests0)
        yield 2, self._walk(as_is, texts2, keys0, digests0)
        yield 2, self._walk(as_is, texts0, keys0, digests2)
        yield 2, self._walk(changed, texts0, keys1, digests0)
        yield 2, self._walk(changed, texts0, keys0, digests1)
        yield 2, self._walk(changed, texts1, keys0, digests0)
        self.untried += self._forgotten * (len(keys1) + len(digests1) + len(texts1))

    def _walk(
        self,
        bodies: Iterable[_BodyVariant],
        texts: Sequence[Content],
        keys: Sequence[_KeyVariant],
        digests: Sequence[Construction],
    ) -> Iterator[Found]:
        """Try every combination that the budget allows."""
        cost = len(keys) * sum(digest.cost for digest in digests)
        count = len(keys) * len(digests)
        for body in bodies:
            for text in texts:
                if self._pays(cost * len(body.raw) + count * _FIXED_COST, count):
                    yield from self._over(body, text, keys, digests)

    def _over(
        self, body: _BodyVariant, text: Content, keys: Sequence[_KeyVariant], digests: Sequence[Construction]
    ) -> Iterator[Found]:
        """Try every key and digest over one text."""
        has_secret = "secret" in text.template.names
        so_far = body.mistakes + text.mistakes
        message = text.message(body.raw, b"")
        for key in keys:
            message = text.message(body.raw, key.value) if has_secret else message
            if message is None:
                return
            for digest in digests:
                self.tried += 1
                for mistakes in self._matches(digest, key.value, message):
                    yield Found(so_far + key.mistakes + digest.mistakes + mistakes, key.reference)

    def _matches(self, digest: Construction, key: bytes, message: bytes) -> Iterator[Mistakes]:
        """Return how the delivery presents the signature that this makes, if it does.

        Not in constant time: who asks has the secrets.
        """
        if digest.make is None:
            yield from self._signed_by(key, message)
            return
        made = digest.make(key, message)
        whole = self._presented.get(made)
        if whole is not None:
            yield whole
        if self.case.scheme.kind is not Kind.TOKEN:
            for size in self._cut_sizes:
                cut = self._presented.get(made[:size]) if size < len(made) else None
                if cut is not None:
                    yield (*cut, Mistake("digest.cut_short", f"{size} of {len(made)} bytes"))

    def _signed_by(self, key: bytes, message: bytes) -> Iterator[Mistakes]:
        if len(key) == _KEY_SIZE:
            public = Key(key, "")
            for value, mistakes in self._presented.items():
                if len(value) == 2 * _KEY_SIZE and public.has_signed(message, value):
                    yield mistakes

    def _keys(self) -> list[_KeyVariant]:
        """Return each key once, under the fewest mistakes that lead to it."""
        found: dict[bytes, _KeyVariant] = {}
        for variant in sorted(self._key_variants(), key=lambda variant: len(variant.mistakes)):
            found.setdefault(variant.value, variant)
        return list(found.values())

    def _key_variants(self) -> Iterator[_KeyVariant]:
        reading = Reading.of(self.case.scheme)
        for secret in self.case.secrets:
            key = reading.key(secret.value)
            if key is not None:
                yield _KeyVariant((), key, secret.reference)
            for mistake, key in reading.single(secret.value):
                yield _KeyVariant((mistake,), key, secret.reference)
            for mistakes, key in reading.double(secret.value):
                yield _KeyVariant(mistakes, key, secret.reference)
        for secret in self.case.others:
            other = Mistake("secret.other", secret.reference)
            key = reading.key(secret.value)
            if key is not None:
                yield _KeyVariant((other,), key, secret.reference)
            for mistake, key in reading.single(secret.value):
                yield _KeyVariant((other, mistake), key, secret.reference)

    def _schemes(self) -> Iterator[Found]:
        """Try whatever other scheme we know as a whole."""
        for name, scheme in self.case.presets.items():
            for secret in self.case.secrets if scheme.kind is not Kind.NONE else ():
                key = Reading.of(scheme).key(secret.value)
                is_key = key is not None and (scheme.kind is not Kind.ED25519 or len(key) == _KEY_SIZE)
                if key is not None and is_key and self._pays(len(self.case.delivery.body) + _FIXED_COST, 1):
                    self.tried += 1
                    if _is_signed(self.case, scheme, Key(key, secret.reference)):
                        yield Found((Mistake("scheme.other", name),), secret.reference)

    def _bodies(self, kept: list[_BodyVariant]) -> Iterator[_BodyVariant]:
        """Return each body that may have been signed; those that are to be had again go into `kept`."""
        raw = self.case.delivery.body
        body = Body(raw, self.case.scheme.signature_pointer)
        seen = {hash(raw)}
        room = _MOST_KEPT
        for row in ROWS:
            if not self._pays(row.cost * len(raw), 1):
                continue
            for mistake, changed in row.variants(body):
                if hash(changed) in seen:
                    continue
                seen.add(hash(changed))
                variant = _BodyVariant((mistake,), changed)
                room -= len(changed)
                if room >= 0:
                    kept.append(variant)
                else:
                    self._forgotten += 1
                yield variant

    def _pays(self, cost: int, variants: int) -> bool:
        """Take `cost` from the budget; where it is too much, count what stays untried for it."""
        if cost > self.left:
            self.untried += variants
            return False
        self.left -= cost
        return True


def _is_signed(case: Case, scheme: Scheme, key: Key) -> bool:
    """Return whether the signature is good by `scheme`, whatever the time."""
    try:
        verify(case.delivery, scheme, [key], now=case.delivery.received_at)
    except SignatureError as error:
        return error.reason in _GOOD_BUT_FOR_THE_CLOCK
    return True
