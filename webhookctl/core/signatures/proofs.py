"""What makes a signature good, kind by kind."""

import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from webhookctl.core.signatures.keys import Key
from webhookctl.core.signatures.scheme import Scheme
from webhookctl.core.signatures.template import Source, Template
from webhookctl.core.signatures.values import Algorithm, Encoding, Kind

Test: TypeAlias = Callable[[bytes], bool]
"""Whether a signature is good under one key."""

_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_ED25519_SIZE: Final = 64


def _from_base64(text: bytes) -> bytes:
    value = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    # The last letter has bits that no byte takes: with any of them set it is another text for the same bytes.
    if binascii.b2a_base64(value, newline=False).rstrip(b"=") != text.rstrip(b"="):
        raise ValueError
    return value


# Each raises ValueError on what it can't read, and nothing else on whatever bytes.
_DECODE: Final[Mapping[Encoding, Callable[[bytes], bytes]]] = {
    Encoding.HEX: binascii.unhexlify,
    Encoding.BASE64: _from_base64,
    Encoding.BASE64URL: lambda text: _from_base64(text.translate(_URL_SAFE)),
}
_SIZES: Final[Mapping[Algorithm, int]] = {
    Algorithm.MD5: 16,
    Algorithm.SHA1: 20,
    Algorithm.SHA256: 32,
    Algorithm.SHA512: 64,
}


def read_signature(text: bytes, scheme: Scheme) -> bytes:
    """Return the bytes of a signature, none where `text` is not written as one of this scheme's.

    Of a token its hash: what is compared has one length, so that the time of it does not tell how long ours is.
    """
    if scheme.prefix:
        if text.startswith(scheme.prefix):
            text = text[len(scheme.prefix) :]
        elif scheme.prefix_required:
            return b""
    if scheme.kind is Kind.TOKEN:
        return hashlib.sha256(text).digest() if text else b""
    try:
        value = _DECODE[scheme.encoding](text)
    except ValueError:
        return b""
    size = _ED25519_SIZE if scheme.kind is Kind.ED25519 else _SIZES[scheme.algorithm]
    return value if len(value) == size else b""


def digest_of(message: bytes, algorithm: Algorithm) -> bytes:
    """Return the plain hash of `message`."""
    return hashlib.new(algorithm.value, message, usedforsecurity=False).digest()


def _hmac(source: Source, template: Template, scheme: Scheme) -> Callable[[Key], Test]:
    message = template.render(source)
    algorithm = scheme.algorithm
    return lambda key: partial(hmac.compare_digest, key.mac(message, algorithm))


def _token(_source: Source, _template: Template, _scheme: Scheme) -> Callable[[Key], Test]:
    return lambda key: partial(hmac.compare_digest, hashlib.sha256(key.value).digest())


def _digest(source: Source, template: Template, scheme: Scheme) -> Callable[[Key], Test]:
    def test(key: Key) -> Test:
        source.secret = key.value
        return partial(hmac.compare_digest, digest_of(template.render(source), scheme.algorithm))

    return test


def _ed25519(source: Source, template: Template, _scheme: Scheme) -> Callable[[Key], Test]:
    message = template.render(source)
    return lambda key: partial(key.has_signed, message)


TESTS: Final[Mapping[Kind, Callable[[Source, Template, Scheme], Callable[[Key], Test]]]] = {
    Kind.HMAC: _hmac,
    Kind.TOKEN: _token,
    Kind.DIGEST: _digest,
    Kind.ED25519: _ed25519,
}
"""From a delivery to the test that each key brings; the first step may raise `SignatureError`. `none` tests nothing."""
