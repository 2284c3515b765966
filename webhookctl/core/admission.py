"""May this delivery come in: from there, by that path, with this signature?"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from webhookctl.core.addresses import Network, is_among, parsed
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import Reason, SignatureError
from webhookctl.core.redaction import printable
from webhookctl.core.signatures import Key, Scheme, Secret, verify


class Door(Protocol):
    """What a supplier's deliveries must show."""

    @property
    def scheme(self) -> Scheme:
        """How they are signed."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Any of them may match."""

    @property
    def allowed(self) -> tuple[Network, ...]:
        """Where they may come from; empty: from anywhere."""

    @property
    def path_secrets(self) -> tuple[Secret, ...]:
        """One of these must stand in the path; empty: nothing does."""


def admit(delivery: Delivery, door: Door, *, sender: str, presented: bytes | None, now: int) -> Verified:
    """Return `delivery` as proven; raises `SignatureError`, and whatever came nothing else.

    `sender` is the address that it came from, `presented` what stood in its path where the secret belongs. Where
    nothing is signed, the secret in the path is the one that matched.
    """
    in_path = check_way(door.allowed, door.path_secrets, sender=sender, presented=presented)
    verified = verify(delivery, door.scheme, door.keys, now=now)
    return verified if in_path is None or door.keys else verified._replace(matched=in_path.reference)


def check_way(
    allowed: Sequence[Network], path_secrets: Sequence[Secret], *, sender: str, presented: bytes | None
) -> Secret | None:
    """Return the secret that stood in the path, if one must; raises `SignatureError` for a wrong one or address."""
    if allowed and not is_among(parsed(sender), allowed):
        raise SignatureError(
            Reason.NOT_ALLOWED_IP,
            f"It came from {printable(sender) or 'an unknown address'}, which is not in allow_ips: add it if the "
            "supplier sends from there, or see to it that trusted_proxies names your proxies.",
        )
    return _in_path(path_secrets, presented or b"") if path_secrets else None


def _in_path(secrets: Sequence[Secret], presented: bytes) -> Secret:
    """Return the secret that was presented; hashes of all are compared, so that time tells nothing of any."""
    matching, seen = None, sha256(presented).digest()
    for secret in secrets:
        if hmac.compare_digest(sha256(secret.value).digest(), seen) and matching is None:
            matching = secret
    if matching is None:
        tried = ", ".join(secret.reference for secret in secrets)
        what = "another secret than ours" if presented else "no secret"
        raise SignatureError(
            Reason.MISMATCH, f"Its path holds {what} ({tried}): the supplier must post to /webhooks/NAME/SECRET."
        )
    return matching
