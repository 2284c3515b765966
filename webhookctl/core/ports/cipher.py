"""Keeping headers, bodies, codes and pins unreadable at rest."""

from typing import Protocol


class Cipher(Protocol):
    """Authenticated encryption under one of several keys."""

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Encrypt under the first key; opens only with the same `bound_to` (associated data)."""

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Decrypt; raises `SealedError` that names the missing key, or says that the value was changed."""

    def is_current(self, sealed: bytes) -> bool:
        """Say whether a value is what `seal` makes today: under the first key."""
