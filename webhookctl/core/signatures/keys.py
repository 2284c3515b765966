"""A supplier's secrets as the settings name them, made ready for use."""

import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from webhookctl.core.errors import SchemeError
from webhookctl.core.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SHORTEST: Final = 16
"""Bytes. Below it a secret can be found by trying, given one signed delivery."""
KEY_SIZE: Final = 32
"""Bytes of a key of Ed25519, public or private."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret, or a public key, as the arithmetic takes it."""

    value: bytes = field(repr=False)
    reference: str
    _begun: dict[str, hmac.HMAC] = field(default_factory=dict, init=False, repr=False, compare=False)
    _public: list["Ed25519PublicKey"] = field(default_factory=list, init=False, repr=False, compare=False)

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

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether the holder of this public key's other half signed `message` (Ed25519)."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only Ed25519 pays for OpenSSL's start
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

        if not self._public:
            self._public.append(Ed25519PublicKey.from_public_bytes(self.value))
        try:
            self._public[0].verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey(Key):
    """What an Ed25519 signature is made with; only the supplier has it, or who plays him."""


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


# The points of small order in each way of writing them, the bit of the sign off. Under such a key a made-up signature
# is good for one message in eight, or for all; and a key of zeros is what a placeholder looks like.
_WEAK: Final = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
_PUBLIC_PREFIX: Final = b"whpk_"
_PRIVATE_PREFIX: Final = b"whsk_"


def decode(secrets: Sequence[Secret], encoding: SecretEncoding, prefix: bytes, *, allow_short: bool) -> tuple[Key, ...]:
    """Return a key for each secret, in their order; raises `SchemeError` naming the reference only."""
    keys = [Key(_decoded(secret, encoding, prefix), secret.reference) for secret in _some(secrets)]
    for key in keys:
        if len(key.value) < SHORTEST and not allow_short:
            raise SchemeError(
                "secrets",
                f"the secret {key.reference} is {len(key.value)} bytes long, and {SHORTEST} are needed to keep "
                "guessers out: get a longer one, or set allow_short = true where the supplier issues no other",
            )
    return tuple(keys)


def decode_public(secrets: Sequence[Secret], encoding: SecretEncoding, prefix: bytes) -> tuple[Key, ...]:
    """Return the supplier's public keys (Ed25519); raises `SchemeError`."""
    keys = [Key(_sized(secret, encoding, prefix, "public"), secret.reference) for secret in _some(secrets)]
    for key in keys:
        if key.value[:-1] + bytes([key.value[-1] & 0x7F]) in _WEAK:
            raise SchemeError("secrets", f"{key.reference} is a public key that anybody can sign for: copy it again")
    return tuple(keys)


def decode_private(secret: Secret, encoding: SecretEncoding, prefix: bytes) -> PrivateKey:
    """Return the key that a supplier signs with (Ed25519); raises `SchemeError`.

    Written as the public one is; a key that both halves were written for is taken by its first.
    """
    if secret.value.startswith(_PUBLIC_PREFIX):
        raise SchemeError("secrets", f"{secret.reference} is a public key: to sign, the private one is needed, whsk_…")
    prefix = _PRIVATE_PREFIX if prefix == _PUBLIC_PREFIX else prefix
    return PrivateKey(_sized(secret, encoding, prefix, "private")[:KEY_SIZE], secret.reference)


def _some(secrets: Sequence[Secret]) -> Sequence[Secret]:
    if not secrets:
        raise SchemeError("secrets", "secrets is empty: name at least one, such as env:ACME_SECRET")
    return secrets


def _sized(secret: Secret, encoding: SecretEncoding, prefix: bytes, half: str) -> bytes:
    value = _decoded(secret, encoding, prefix)
    if len(value) != KEY_SIZE and (half == "public" or len(value) != 2 * KEY_SIZE):
        raise SchemeError(
            "secrets",
            f"{secret.reference} is {len(value)} bytes long, and a {half} key of Ed25519 has {KEY_SIZE}: copy it again",
        )
    return value


def _decoded(secret: Secret, encoding: SecretEncoding, prefix: bytes) -> bytes:
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
    return value
