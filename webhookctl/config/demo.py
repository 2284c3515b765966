"""Settings for whoever has none yet: one supplier, this machine only."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from webhookctl.config.reading import build
from webhookctl.config.settings import Settings
from webhookctl.core.errors import SettingsError
from webhookctl.settings_file import DEMO_MARK

_KEY_FILE: Final = "webhookctl.key"


def demo_settings(
    folder: Path, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """Return the demo's settings, whether its files are there or not; environment and flags win here too."""
    table: dict[str, Any] = {
        "store": {"url": "sqlite:webhookctl.db", "keys": [f"file:{_KEY_FILE}"]},
        "serve": {"listen": "127.0.0.1:8700"},
        "suppliers": {"demo": {"preset": "generic", "secrets": [f"file:{DEMO_MARK}"]}},
    }
    return build(table, environ or {}, flags or {}, folder.absolute(), demo=True)


def make_demo(
    folder: Path, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """Return the demo's settings and make its key and secret where they are missing."""
    settings = demo_settings(folder, environ, flags)
    refuse_public(settings)
    for name, text in ((_KEY_FILE, new_key()), (DEMO_MARK, secrets.token_urlsafe(32))):
        with suppress(FileExistsError):
            write_new(folder / name, text)
    return settings


def refuse_public(settings: Settings) -> None:
    """Raise `SettingsError` where the demo would be open to others."""
    if settings.demo and not settings.serve.listen.is_loopback:
        raise SettingsError(
            f"Without a settings file webhookctl runs as a demo, on this machine only, and {settings.serve.listen} is "
            "open to others: run `webhookctl init` and set serve.listen in the file that it writes."
        )


def new_key() -> str:
    """Return a new key of 32 random bytes for the store, as hex."""
    return secrets.token_hex(32)


def write_new(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Write a new file, durably: what is encrypted with a key outlives a power cut only if the key does.

    A text gets its newline. Raises `FileExistsError`, and never changes a file that is there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        os.fchmod(descriptor, mode)
        file.write(content if isinstance(content, bytes) else f"{content}\n".encode())
        file.flush()
        os.fsync(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
