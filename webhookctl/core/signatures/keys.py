"""A supplier's secrets as the settings name them, made ready for use."""

import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from webhookctl.core.errors import SchemeError

SHORTEST: Final = 16
"""Bytes. Below it a secret can be found by trying, given one signed delivery."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as it was read, and where from; printing it shows only the latter."""

    value: bytes = field(repr=False)
    reference: str
    """`env:ACME_SECRET`"""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret as the arithmetic takes it."""

    value: bytes = field(repr=False)
    reference: str
    _begun: dict[str, hmac.HMAC] = field(default_factory=dict, init=False, repr=False, compare=False)

    def mac(self, message: bytes, algorithm: str) -> bytes:
        """Return the HMAC of `message`; the key's own part of it is worked out once.

        Not `hmac.digest`: that releases the interpreter even for a short message, to whoever waits for it.
        """
        begun = self._begun.get(algorithm)
        if begun is None:
            begun = self._begun[algorithm] = hmac.new(self.value, digestmod=algorithm)
        mac = begun.copy()
        mac.update(message)
        return mac.digest()


class SecretEncoding(StrEnum):
    """How the bytes of the key are written."""

    UTF8 = "utf8"
    """As they are: what looks like hex or base64 is not decoded."""
    HEX = "hex"
    BASE64 = "base64"


# Strict: a character lost on the way into the settings must show here, not as a mismatch at three in the morning.
_DECODE: Final[Mapping[SecretEncoding, Callable[[bytes], bytes]]] = {
    SecretEncoding.UTF8: lambda value: value,
    SecretEncoding.HEX: binascii.unhexlify,
    SecretEncoding.BASE64: lambda value: binascii.a2b_base64(value, strict_mode=True),
}


def decode(secrets: Sequence[Secret], encoding: SecretEncoding, prefix: bytes, *, allow_short: bool) -> tuple[Key, ...]:
    """Return a key for each secret, in their order; raises `SchemeError` naming the reference only."""
    if not secrets:
        raise SchemeError("secrets", "secrets is empty: name at least one, such as env:ACME_SECRET")
    return tuple(Key(_decoded(secret, encoding, prefix, allow_short), secret.reference) for secret in secrets)


def _decoded(secret: Secret, encoding: SecretEncoding, prefix: bytes, allow_short: bool) -> bytes:  # noqa: FBT001 - private, and passed on as it came
    if not secret.value.strip():
        raise SchemeError("secrets", f"the secret {secret.reference} is empty")
    try:
        value = _DECODE[encoding](secret.value.removeprefix(prefix))
    except ValueError:
        behind = f" behind {prefix.decode()!r}" if secret.value.startswith(prefix) and prefix else ""
        raise SchemeError(
            "secrets",
            f"the secret {secret.reference} is not {encoding}{behind}: copy it again, or set secret_encoding",
        ) from None
    if not value:
        raise SchemeError("secrets", f"the secret {secret.reference} is empty")
    if len(value) < SHORTEST and not allow_short:
        raise SchemeError(
            "secrets",
            f"the secret {secret.reference} is {len(value)} bytes long, and {SHORTEST} are needed to keep guessers "
            "out: get a longer one, or set allow_short = true where the supplier issues no other",
        )
    return value
