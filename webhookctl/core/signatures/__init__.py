"""Is this delivery really from its supplier?

A scheme is data: `Scheme.parse` reads it once, `Scheme.keys` makes its secrets ready, and `verify` turns a `Delivery`
into a `Verified` or raises `SignatureError`. `sign` plays the supplier.
"""

from webhookctl.core.secret import Secret
from webhookctl.core.signatures.keys import Key, PrivateKey, SecretEncoding
from webhookctl.core.signatures.params import params_needed, with_params
from webhookctl.core.signatures.scheme import Scheme
from webhookctl.core.signatures.signing import Signed, sign
from webhookctl.core.signatures.timestamps import TimestampFormat
from webhookctl.core.signatures.values import Algorithm, Encoding, Kind
from webhookctl.core.signatures.verification import sent_at, verify

__all__ = [
    "Algorithm",
    "Encoding",
    "Key",
    "Kind",
    "PrivateKey",
    "Scheme",
    "Secret",
    "SecretEncoding",
    "Signed",
    "TimestampFormat",
    "params_needed",
    "sent_at",
    "sign",
    "verify",
    "with_params",
]
