"""Settings written into a file, and what is read of them or said."""

from pathlib import Path

import pytest

from webhookctl.config import Settings, load
from webhookctl.core.errors import SettingsError

CANARY = "canary-3f9c1e7a5b2d"
STORE = '[store]\nurl = "sqlite:webhookctl.db"\nkeys = ["file:webhookctl.key"]\n'
ACME = STORE + '[suppliers.acme]\npreset = "generic"\nsecrets = ["env:ACME"]\n'
SHOP = STORE + '[actions.deliver]\nhttp = "http://127.0.0.1:8000/x"\nsecret = "env:SHOP"\n'


def loaded(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text)
    return load(file, environ)


def refusal(file: Path, text: str | bytes, **environ: str) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(file, environ)
    return str(caught.value)
