"""Which arithmetic may have made the signature."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhookctl.core.diagnosis.findings import Mistake, Mistakes
from webhookctl.core.signatures import Algorithm, Kind, Scheme

_COSTS: Final[Mapping[Algorithm, int]] = {
    Algorithm.SHA256: 1,
    Algorithm.SHA1: 1,
    Algorithm.SHA512: 3,
    Algorithm.MD5: 3,
}


@dataclass(frozen=True, slots=True)
class Construction:
    """One way of making a signature out of key and message."""

    mistakes: Mistakes
    make: Callable[[bytes, bytes], bytes] | None
    """None for Ed25519, which only tells whether a signature is good."""
    cost: int
    """Of a byte, in bytes through SHA-256."""


def _plain(algorithm: str, message: bytes) -> bytes:
    return hashlib.new(algorithm, message, usedforsecurity=False).digest()


# Each by its name and what its words leave open: (algorithm, key, message) to signature.
_HMAC: Final = "hmac"
_MAKE: Final[Mapping[tuple[str, str], Callable[[str, bytes, bytes], bytes]]] = {
    (_HMAC, ""): lambda algorithm, key, message: hmac.digest(key, message, algorithm),
    ("digest.plain", "the secret and the text"): lambda algorithm, key, message: _plain(algorithm, key + message),
    ("digest.plain", "the text and the secret"): lambda algorithm, key, message: _plain(algorithm, message + key),
    ("digest.no_secret", ""): lambda algorithm, _, message: _plain(algorithm, message),
    ("digest.swapped", ""): lambda algorithm, key, message: hmac.digest(message, key, algorithm),
}


def constructions(scheme: Scheme) -> Sequence[Construction]:
    """Return what may have made a signature of this scheme's: what it says first, then by the number of mistakes."""
    if scheme.kind is Kind.TOKEN:
        return [Construction((), lambda key, _: key, 0)]
    if scheme.kind is Kind.ED25519:
        return [Construction((), None, 5)]
    found = []
    for way, make in _MAKE.items():
        for algorithm in Algorithm:
            mistakes = _way(scheme, *way) + _hash(scheme, algorithm)
            found.append(Construction(mistakes, _with(make, algorithm), _COSTS[algorithm]))
    return sorted(found, key=lambda one: len(one.mistakes))


def _with(make: Callable[[str, bytes, bytes], bytes], algorithm: Algorithm) -> Callable[[bytes, bytes], bytes]:
    name = algorithm.value
    return lambda key, message: make(name, key, message)


def _way(scheme: Scheme, name: str, detail: str) -> Mistakes:
    if scheme.kind is Kind.DIGEST:
        # Its template puts the secret into the text, so that the plain hash is what the scheme says.
        return {"digest.no_secret": (), _HMAC: (Mistake("digest.hmac"),)}.get(name, (Mistake(name, detail),))
    return () if name == _HMAC else (Mistake(name, detail),)


def _hash(scheme: Scheme, algorithm: Algorithm) -> Mistakes:
    return () if algorithm is scheme.algorithm else (Mistake("digest.algorithm", algorithm.value),)
