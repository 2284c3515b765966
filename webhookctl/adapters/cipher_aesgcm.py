"""AES-256-GCM over bodies, codes and pins, under the first of several keys."""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webhookctl.adapters.cipher_clear import MARK
from webhookctl.core.errors import KEY_MISSING, SealedError, SettingsError

KEY_BYTES: Final = 32
_HEX_DIGITS: Final = 2 * KEY_BYTES
_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
"""Random: with 2^32 values under one key two share a nonce with a chance of 2^-33; that many events need a new key."""
_NONCE_AT: Final = len(_VERSION) + _KEY_ID_BYTES
_TEXT_AT: Final = _NONCE_AT + _NONCE_BYTES
_TAG_BYTES: Final = 16
_NONCES_AT_ONCE: Final = 256
"""Asking the system releases the interpreter, which a thread in a hurry must then win back: not for each value."""


class AesGcmCipher:
    """Seals under the first key, opens under any.

    A sealed value is: a version byte, 4 bytes of the key's SHA-256, 12 random bytes, ciphertext and tag.
    """

    __slots__ = ("_first", "_keys", "_nonces", "_prefix", "_reads_clear")

    def __init__(self, keys: Sequence[bytes], *, reads_clear: bool = False) -> None:
        """Take `keys` of 32 bytes each; raises `SettingsError`.

        `reads_clear` also opens what was written when there was no key. Else it is refused: whoever can write to the
        store could put a code of his own there.
        """
        if not keys:
            raise SettingsError("The store has no key: name one in [store] keys, or run `webhookctl init`.")
        if any(len(key) != KEY_BYTES for key in keys):
            raise SettingsError(f"A key of the store is not {KEY_BYTES} bytes long: see [store] keys.")
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._first = AESGCM(keys[0])
        self._prefix = _VERSION + _key_id(keys[0])
        self._reads_clear = reads_clear
        self._nonces = list[bytes]()
        os.register_at_fork(after_in_child=self._nonces.clear)  # no two processes may use one nonce

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        nonce = self._nonce()
        return b"%b%b%b" % (self._prefix, nonce, self._first.encrypt(nonce, plain, bound_to))

    def is_current(self, sealed: bytes) -> bool:
        return sealed.startswith(self._prefix)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        if sealed.startswith(MARK):
            return self._opened_clear(sealed)
        if len(sealed) < _TEXT_AT + _TAG_BYTES or not sealed.startswith(_VERSION):
            raise SealedError("A stored value is not in the form that this webhookctl encrypts to: it was changed.")
        key_id = sealed[len(_VERSION) : _NONCE_AT]
        key = self._keys.get(key_id)
        if key is None:
            raise SealedError(f"A stored value needs the key {key_id.hex()}, {KEY_MISSING}")
        try:
            return key.decrypt(sealed[_NONCE_AT:_TEXT_AT], sealed[_TEXT_AT:], bound_to)
        except InvalidTag:
            raise SealedError(
                f"A stored value does not open under its key {key_id.hex()}: it was changed, or put in another's place."
            ) from None

    def _opened_clear(self, sealed: bytes) -> bytes:
        if not self._reads_clear:
            raise SealedError(
                "A stored value lies in clear, as it was written when [store] had no key: set `unencrypted` there "
                "again, beside the keys, run `webhookctl store rekey`, and take it out."
            )
        return sealed.removeprefix(MARK)

    def _nonce(self) -> bytes:
        """Return random bytes that nobody else gets: taking one from a list is one step, whatever other threads do."""
        try:
            return self._nonces.pop()
        except IndexError:
            drawn = os.urandom(_NONCES_AT_ONCE * _NONCE_BYTES)
            nonce, *others = (drawn[at : at + _NONCE_BYTES] for at in range(0, len(drawn), _NONCE_BYTES))
            self._nonces.extend(others)
            return nonce


def parse_key(text: bytes, where: str) -> bytes:
    """Read a key of 32 bytes from hex or base64; raises `SettingsError` that names `where`."""
    bare = b"".join(text.split())
    try:
        if len(bare) == _HEX_DIGITS:
            return binascii.unhexlify(bare)
        standard = bare.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        key = base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"The key in {where} is not {KEY_BYTES} bytes as hex or base64: `openssl rand -hex {KEY_BYTES}` makes one."
        )
    return key


def shown_id(key: bytes) -> str:
    """Return the id of a key, by which messages name it."""
    return _key_id(key).hex()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_KEY_ID_BYTES]
