"""The walk through the space of mistakes: what the scheme says, each mistake alone, then two together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias, TypeVar

from webhookctl.core.deliveries import Delivery
from webhookctl.core.diagnosis.bodies import ROWS, Body
from webhookctl.core.diagnosis.case import Case
from webhookctl.core.diagnosis.contents import Content, far, near
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
_SIGNATURE_SIZES: Final = frozenset({16, 20, 32, 64})
"""Bytes of MD5, SHA-1, SHA-256, and of SHA-512 and Ed25519."""
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


def _by_count(variants: Iterable[_V]) -> tuple[list[_V], list[_V], list[_V]]:
    """Part them by their number of mistakes."""
    parts: tuple[list[_V], list[_V], list[_V]] = ([], [], [])
    for variant in variants:
        if len(variant.mistakes) < len(parts):
            parts[len(variant.mistakes)].append(variant)
    return parts


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
        spare: Found | None = None
        for most, stage in self.begun():
            if spare is not None and len(spare.mistakes) <= most:
                return spare
            for found in stage:
                if len(found.mistakes) <= most:
                    return found
                if spare is None or len(found.mistakes) < len(spare.mistakes):
                    spare = found
        return spare

    def begun(self) -> Iterator[_Stage]:
        """Read the delivery's signatures, and return the stages."""
        self._presented = presented(self.case)
        self._cut_sizes = sorted({len(value) for value in self._presented if len(value) >= SHORTEST})
        return self._stages()

    @property
    def is_unsigned(self) -> bool:
        """True where nothing was found that could be a signature, once it was looked for.

        Many a text of a header reads as base64: one that stands elsewhere counts only if it has the size of a digest.
        """
        return not any(
            len(value) in _SIGNATURE_SIZES or not any(mistake.name == "header.other" for mistake in mistakes)
            for value, mistakes in self._presented.items()
        )

    def _stages(self) -> Iterator[_Stage]:
        """Return each part of the walk with the fewest mistakes that can come of it, the likely ones first."""
        as_is = [_BodyVariant((), self.case.delivery.body)]
        texts0, texts1, _ = _by_count(near(self.case))
        digests0, digests1, digests2 = _by_count(constructions(self.case.scheme))
        keys0, keys1, _ = _by_count(self._keys(self._near_keys()))
        yield 0, self._walk(as_is, texts0, keys0, digests0)
        yield 1, self._walk(as_is, texts0, keys1, digests0)
        yield 1, self._walk(as_is, texts1, keys0, digests0)
        yield 1, self._walk(as_is, texts0, keys0, digests1)
        yield 1, self._schemes()
        changed: list[_BodyVariant] = []
        yield 1, self._walk(self._bodies(changed), texts0, keys0, digests0)
        yield 1, self._within(changed if self.case.is_in_body else [])
        yield 2, self._walk(as_is, texts1, keys1, digests0)
        yield 2, self._walk(as_is, texts0, keys1, digests1)
        yield 2, self._walk(as_is, texts1, keys0, digests1)
        _, _, keys2 = _by_count(self._keys([*self._near_keys(), *self._far_keys()]))
        yield 2, self._walk(as_is, texts0, keys2, digests0)
        yield 2, self._walk(as_is, far(self.case), keys0, digests0)
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
        for body in bodies:
            for text in texts:
                yield from self._over(body, text, keys, digests)

    def _over(
        self, body: _BodyVariant, text: Content, keys: Sequence[_KeyVariant], digests: Sequence[Construction]
    ) -> Iterator[Found]:
        """Try every key and digest over one text."""
        cost = sum(digest.cost for digest in digests) * len(body.raw) + len(digests) * _FIXED_COST
        has_secret = "secret" in text.template.names
        so_far = body.mistakes + text.mistakes
        message = text.message(body.raw, b"") if self.left >= cost else b""
        for key in keys if message is not None else ():
            if not self._pays(cost, len(digests)):
                continue
            message = text.message(body.raw, key.value) if has_secret else message
            for digest in digests:
                self.tried += 1
                for mistakes in self._matches(digest, key.value, message or b""):
                    yield Found(_told_once(so_far + key.mistakes + digest.mistakes + mistakes), key.reference)

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

    def _keys(self, variants: Iterable[_KeyVariant]) -> list[_KeyVariant]:
        """Return each key once, under the fewest mistakes that lead to it."""
        found: dict[bytes, _KeyVariant] = {}
        for variant in sorted(variants, key=lambda variant: len(variant.mistakes)):
            found.setdefault(variant.value, variant)
        return list(found.values())

    def _near_keys(self) -> Iterator[_KeyVariant]:
        """Return what our secrets are, and what one mistake may have made of them."""
        reading = Reading.of(self.case.scheme)
        for secret in self.case.secrets:
            key = reading.key(secret.value)
            if key is not None:
                yield _KeyVariant((), key, secret.reference)
            for mistake, key in reading.single(secret.value):
                yield _KeyVariant((mistake,), key, secret.reference)
        for secret in self.case.others:
            key = reading.key(secret.value)
            if key is not None:
                yield _KeyVariant((Mistake("secret.other", secret.reference),), key, secret.reference)

    def _far_keys(self) -> Iterator[_KeyVariant]:
        """Return what two mistakes may have made of our secrets."""
        reading = Reading.of(self.case.scheme)
        for secret in self.case.secrets:
            for mistakes, key in reading.double(secret.value):
                yield _KeyVariant(mistakes, key, secret.reference)
        for secret in self.case.others:
            for mistake, key in reading.single(secret.value):
                yield _KeyVariant((Mistake("secret.other", secret.reference), mistake), key, secret.reference)

    def _schemes(self) -> Iterator[Found]:
        """Try whatever other scheme we know as a whole."""
        for name, scheme in self.case.presets.items():
            for secret in self.case.secrets if scheme.kind is not Kind.NONE else ():
                key = Reading.of(scheme).key(secret.value)
                is_key = key is not None and (scheme.kind is not Kind.ED25519 or len(key) == _KEY_SIZE)
                if key is not None and is_key and self._pays(len(self.case.delivery.body) + _FIXED_COST, 1):
                    self.tried += 1
                    if _is_signed(self.case.delivery, scheme, Key(key, secret.reference)):
                        yield Found((Mistake("scheme.other", name),), secret.reference)

    def _within(self, changed: Sequence[_BodyVariant]) -> Iterator[Found]:
        """Look for the signature itself in the changed bodies."""
        for body in changed:
            if self._pays(3 * len(body.raw) + _FIXED_COST, 1):
                inner = Search(replace(self.case, delivery=self.case.delivery._replace(body=body.raw)))
                _, found = next(inner.begun())
                for one in found:
                    yield Found(body.mistakes + one.mistakes, one.reference)
                self.tried += inner.tried

    def _bodies(self, kept: list[_BodyVariant]) -> Iterator[_BodyVariant]:
        """Return each body that may have been signed; those that are to be had again go into `kept`."""
        raw = self.case.delivery.body
        body = Body(raw, self.case.scheme.signature_pointer)
        seen = {hash(raw)}
        room = _MOST_KEPT
        for row in ROWS:
            if not row.applies(raw) or not self._pays(row.price(raw), 1):
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


def _told_once(mistakes: Mistakes) -> Mistakes:
    """Leave out that the timestamp stands elsewhere where the whole header does."""
    places = tuple(mistake.detail for mistake in mistakes if mistake.name in {"header.other", "header.twice"})
    return tuple(
        mistake
        for mistake in mistakes
        if mistake.name != "header.timestamp_other" or not any(place.startswith(mistake.detail) for place in places)
    )


def _is_signed(delivery: Delivery, scheme: Scheme, key: Key) -> bool:
    """Return whether the signature is good by `scheme`, whatever the time."""
    try:
        verify(delivery, scheme, [key], now=delivery.received_at)
    except SignatureError as error:
        return error.reason in _GOOD_BUT_FOR_THE_CLOCK
    return True
