"""What HTTPS needs: a certificate and its key."""

import ssl
from pathlib import Path

from webhookctl.core.errors import SettingsError


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
