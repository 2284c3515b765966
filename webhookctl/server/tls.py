"""What HTTPS needs: a certificate and its key."""

import hashlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from webhookctl.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, ready to be shown."""

    context: ssl.SSLContext = field(compare=False, repr=False)
    digest: bytes
    """Of both files: whether others were loaded since."""

    @classmethod
    def load(cls, certificate: Path, key: Path) -> "Tls":
        """Raise `SettingsError` where they can't be used."""
        context = tls_context(certificate, key)
        return cls(context, hashlib.sha256(certificate.read_bytes() + key.read_bytes()).digest())

    def show_instead(self, renewed: "Tls") -> None:
        """Have whoever connects to a listener of ours from now on be shown what is renewed."""

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _ours: ssl.SSLContext) -> None:
            connection.context = renewed.context

        # Loading it into the context of before would leave a certificate of another kind, RSA or ECDSA, beside it.
        self.context.sni_callback = choose


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Load what HTTPS needs; raises `SettingsError` where it can't be used."""
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"[serve] {name}: {path} can't be read: {error.strerror}.") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # or OpenSSL would ask for it on the terminal
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"[serve] tls_key: {key} is not the key of the certificate {certificate}.") from None
        raise SettingsError(
            f"[serve] tls_cert {certificate} and tls_key {key} can't be used: both must be PEM files, the certificate "
            "first in its own, and the key without a passphrase."
        ) from None
    return context
