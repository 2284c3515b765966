"""Will these settings work on this machine?"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from webhookctl.adapters.action_notify import Channel
from webhookctl.adapters.cipher_aesgcm import parse_key, shown_id
from webhookctl.config import HandlerSettings, SecretRef, Settings, StoreSettings, admin_token
from webhookctl.config.api_settings import ApiSettings
from webhookctl.config.door_settings import path_secret
from webhookctl.core.errors import SettingsError
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.server.tls import tls_context
from webhookctl.suppliers import preset

_OTHERS_WRITE: Final = 0o002
_LONGEST_LINE: Final = 256
_OF_AUTH: Final = ("token", "username", "password", "client_id", "client_secret")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    what: str
    fault: str | None = None
    """What must be mended, as a sentence; None: nothing."""
    note: str | None = None
    """What works and should be known all the same."""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.fault is None, "what": self.what, "fault": self.fault, "note": self.note}


def inspect(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Look at all that the settings name: secrets, keys, programs, certificates."""
    look = _Look(settings, environ)
    return [*look.at_file(), *look.at_store(), *look.at_serve(), *look.at_suppliers(), *look.at_actions()]


@dataclass(frozen=True, slots=True)
class _Look:
    settings: Settings
    environ: Mapping[str, str]

    def at_file(self) -> Iterator[Finding]:
        source = self.settings.source
        if source is not None:
            fault = f"{source} can be changed by everybody, and it names programs to run: chmod o-w {source}"
            yield Finding("settings", str(source), fault if source.stat().st_mode & _OTHERS_WRITE else None)

    def at_store(self) -> Iterator[Finding]:
        for number, reference in enumerate(self.settings.store.keys):
            yield self._key(f"store.keys[{number}]", reference)
        if self.settings.store.unencrypted:
            yield Finding("store.unencrypted", "codes lie in clear", note=_in_clear(self.settings.store))

    def at_serve(self) -> Iterator[Finding]:
        yield Finding("serve.listen", str(self.settings.serve.listen))
        if self.settings.serve.admin is not None:
            without = "only health and metrics: set admin_token to have orders registered there."
            note = None if self.settings.serve.admin_token else without
            yield Finding("serve.admin", str(self.settings.serve.admin), note=note)
        if self.settings.serve.admin_token is not None:
            yield self._secret("serve.admin_token", self.settings.serve.admin_token, admin_token)
        if self.settings.serve.tls is not None:
            certificate, key = self.settings.serve.tls
            yield Finding("serve.tls_cert", f"{certificate} with {key}", _tls_fault(certificate, key))

    def at_suppliers(self) -> Iterator[Finding]:
        if not self.settings.suppliers:
            yield Finding("suppliers", "none", note="no webhook will be taken: name a supplier in [suppliers.NAME].")
        for name, supplier in self.settings.suppliers.items():
            decode = _decoder(supplier.scheme, allow_short=supplier.allow_short)
            for number, reference in enumerate(supplier.secrets):
                yield self._secret(f"suppliers.{name}.secrets[{number}]", reference, decode)
            in_path = partial(path_secret, allow_short=supplier.allow_short)
            for number, reference in enumerate(supplier.path_secret):
                yield self._secret(f"suppliers.{name}.path_secret[{number}]", reference, in_path)
            for place, reference in api_secrets(supplier.api).items():
                yield self._secret(f"suppliers.{name}.api.auth.{place}", reference, _sendable)

    def at_actions(self) -> Iterator[Finding]:
        for kind, handler in self.settings.actions.by_kind().items():
            yield from self._handler(f"actions.{kind}", handler)

    def _handler(self, name: str, handler: HandlerSettings) -> Iterator[Finding]:
        if handler.command is not None:
            program = handler.command[0]
            yield Finding(f"{name}.command", program, _program_fault(program, self.environ.get("PATH", os.defpath)))
        elif handler.http is not None and handler.secret is not None:
            in_clear = "what it says, codes too, goes to another machine unencrypted: use https, or a private network."
            yield Finding(f"{name}.http", handler.shown_url, note=in_clear if handler.travels_in_clear else None)
            yield self._secret(f"{name}.secret", handler.secret, _decoder(_standard_webhooks()))
        elif handler.notify is not None:
            for number, reference in enumerate(handler.notify):
                yield self._secret(f"{name}.notify[{number}]", reference, _address)
        else:
            yield Finding(f"{name}.log", "a line in the log")

    def _key(self, name: str, reference: SecretRef) -> Finding:
        """Say which key it is, by the id that messages name keys by."""
        found = self._secret(name, reference, lambda key: parse_key(key.value, key.reference))
        if found.fault is not None:
            return found
        key = parse_key(reference.read(self.environ, self.settings.folder).value, str(reference))
        return replace(found, what=f"{reference}, key {shown_id(key)}")

    def _secret(self, name: str, reference: SecretRef, decode: Callable[[Secret], object]) -> Finding:
        try:
            decode(reference.read(self.environ, self.settings.folder))
        except SettingsError as error:
            return Finding(name, str(reference), str(error))
        return Finding(name, str(reference))


def api_secrets(api: ApiSettings | None) -> dict[str, SecretRef]:
    """Return what shows a supplier's API who asks, by its key in `auth`."""
    found = {place: getattr(api.auth, place) for place in _OF_AUTH} if api else {}
    return {place: reference for place, reference in found.items() if reference is not None}


def found_program(program: str, path: str) -> Path | None:
    """Return the file that a command's first word names, whether it can be run or not."""
    places = [Path(program)] if "/" in program else [Path(folder) / program for folder in path.split(os.pathsep)]
    runnable = shutil.which(program, path=path)
    return Path(runnable) if runnable else next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110 - `Path.exists` may raise


def _program_fault(program: str, path: str) -> str | None:
    """Say why a command can't be started: at the first order would be too late."""
    found = found_program(program, path)
    if found is None:
        return f"{program} is not there" + ("." if "/" in program else f": no folder of the PATH ({path}) has it.")
    if found.is_dir():
        return f"{found} is a folder: name the program in it."
    if not os.access(found, os.X_OK):
        return f"{found} is there, and may not be run: chmod +x {found}"
    return _interpreter_fault(found)


def _interpreter_fault(script: Path) -> str | None:
    """A script names in its first line who runs it; one of the line ends of Windows makes that another name."""
    try:
        with script.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError:
        return None  # it may be run all the same, by whoever may not read it
    if not line.startswith(b"#!"):
        return None
    if line.endswith(b"\r\n"):
        return f"{script} has the line ends of Windows, so that nothing can run it: dos2unix {script}"
    words = line[2:].decode("utf-8", "replace").split()
    if words and os.path.exists(words[0]):  # noqa: PTH110 - as above
        return None
    return f"{script} is to be run by {words[0] if words else 'nothing'}, which is not there: mend its first line."


def _sendable(secret: Secret) -> None:
    if not secret.value.isascii() or not secret.value.decode("ascii").isprintable():
        raise SettingsError(f"{secret.reference} holds what can't be sent: only plain ASCII can.")


def _decoder(scheme: Scheme, *, allow_short: bool = False) -> Callable[[Secret], object]:
    return lambda secret: scheme.keys([secret], allow_short=allow_short)


def _in_clear(store: StoreSettings) -> str:
    if store.keys:
        return "what was written without keys can be read: run `webhookctl store rekey`, then take this out."
    return "whoever gets the store's file, or a backup, has every code: `openssl rand -hex 32` makes a key for keys."


def _address(secret: Secret) -> object:
    return Channel(secret.reference, secret.value.decode(errors="replace")).service()


def _standard_webhooks() -> Scheme:
    table = preset("standard-webhooks")
    return Scheme.parse({key: value for key, value in table.items() if key in Scheme.KEYS})


def _tls_fault(certificate: Path, key: Path) -> str | None:
    try:
        tls_context(certificate, key)
    except SettingsError as error:
        return str(error)
    return None
