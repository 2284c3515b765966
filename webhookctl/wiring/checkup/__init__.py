"""A check-up of settings, machine, store and network, as far as there is something to look at."""

import os
import platform
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from webhookctl import __version__, config, wiring
from webhookctl.adapters import checkup_posix as posix
from webhookctl.adapters.store_sqlite import checkup as store_checkup
from webhookctl.config import Settings
from webhookctl.core.checkup import Area, FileFact, Finding, Person, Role, StoreFact, Verdict, must_fix, ok, warning
from webhookctl.core.errors import SettingsError, WebhookctlError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.signatures import Secret
from webhookctl.flows import doctor
from webhookctl.flows.doctor import exposure, files, secrets, work
from webhookctl.flows.doctor import store as store_rules
from webhookctl.secrets import SecretRef, SecretSource, on_behalf_of
from webhookctl.wiring import inspection
from webhookctl.wiring.checkup import network

_ROOT: Final = Path("/")
_MEND_SETTINGS: Final = "Mend it; `webhookctl config check` says whether it is right."


def examine(named: Path | None, *, offline: bool) -> list[Finding]:
    """Look at everything that there is; whatever can't be looked at is a finding itself."""
    found = [_of_versions()]
    try:
        settings = wiring.settings(named)
    except SettingsError as error:
        found += _without_settings(named, error)
    except OSError as error:
        do = "Run it as the user that the settings belong to, or in another folder."
        said = f"The settings can't be looked for: {(error.strerror or 'refused').lower()}: {error.filename}."
        found.append(must_fix(Area.SETTINGS, "settings", said, do))
    else:
        service = posix.keeper(settings.store.path)
        with on_behalf_of(service.uid if posix.us().uid == 0 else 0):
            found += _with_settings(settings, service, offline=offline)
    return doctor.sorted_by_weight(found)


def _of_versions() -> Finding:
    python = platform.python_version()
    return ok(Area.VERSIONS, "webhookctl", f"webhookctl {__version__} on Python {python}, {sys.platform}.")


def _without_settings(named: Path | None, error: SettingsError) -> Iterator[Finding]:
    """Go on with what is there: the store, if the broken file still says where it is."""
    try:
        path = config.find(named, os.environ, Path.cwd())
    except SettingsError:
        path = None
        yield must_fix(Area.SETTINGS, "settings", str(error), "Name the right file with --config.")
    else:
        if path is None:
            do = "`webhookctl init` writes settings; `webhookctl serve` without any is a demo."
            yield warning(Area.SETTINGS, "settings", f"There are no settings here ({Path.cwd()}).", do)
        else:
            yield must_fix(Area.SETTINGS, "settings", str(error), _MEND_SETTINGS)
    store = path and _store_named_in(path)
    yield from _of_store(store_checkup.look(store, None), store) if store else ()


def _store_named_in(path: Path) -> Path | None:
    """Find the store in settings that are wrong elsewhere."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
        url = table["store"]["url"]
        return path.absolute().parent / url.removeprefix("sqlite:") if url.startswith("sqlite:") else None
    return None


def _with_settings(settings: Settings, service: Person, *, offline: bool) -> Iterator[Finding]:
    inspected = list(_tried(Area.SETTINGS, lambda: _inspected(settings)))
    faulty = {one.name for one in inspected if one.verdict is Verdict.MUST_FIX}
    store = store_checkup.look(settings.store.path, _cipher(settings))
    yield from inspected
    yield from _tried(Area.FILES, lambda: _of_files(settings, service, faulty))
    yield from _tried(Area.SECRETS, lambda: _of_secrets(settings, faulty))
    yield from _tried(Area.STORE, lambda: _of_store(store, settings.store.path))
    yield from store_rules.of_rotation(store, wiring.secret_references(settings, None))
    yield from _tried(Area.LISTENERS, lambda: exposure.findings(_listener(settings), wiring.now_ms()))
    yield from _tried(Area.WORK, lambda: _of_work(settings, store))
    if not offline:
        yield from _tried(Area.NETWORK, lambda: network.findings(settings))


def _tried(area: Area, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Look; what is in the way there must not hide what can be seen elsewhere."""
    try:
        yield from look()
    except (WebhookctlError, OSError) as error:
        said = str(error) if isinstance(error, WebhookctlError) else f"The system refused: {error.strerror}."
        yield must_fix(area, area.value, said, "Mend that, and look again: more of it may be wrong.")


def _of_files(settings: Settings, service: Person, faulty: Collection[str]) -> Iterator[Finding]:
    found = [fact for fact in _files(settings, service) if fact.name not in faulty]
    yield from files.findings(found, posix.us(), service)


def _inspected(settings: Settings) -> Iterator[Finding]:
    """Take over what `config check` finds, in the words of a check-up."""
    source = settings.source or settings.folder
    if settings.demo:
        do = "`webhookctl init` writes settings for more than a trial."
        yield warning(Area.SETTINGS, "settings", f"There is no settings file in {source}: these are the demo's.", do)
    for one in inspection.inspect(settings, os.environ):
        if one.fault:
            yield must_fix(Area.SETTINGS, one.name, one.fault, "`webhookctl config check` says whether it is right.")
        elif one.note:
            yield warning(Area.SETTINGS, one.name, f"{one.what}: {one.note}", "")
        else:
            yield ok(Area.SETTINGS, one.name, f"{one.what}.")


def _files(settings: Settings, service: Person) -> Iterator[FileFact]:
    for role, name, path in _paths(settings):
        if (fact := posix.look_at(role, name, path, service)) is not None:
            yield fact


def _paths(settings: Settings) -> Iterator[tuple[Role, str, Path]]:
    if settings.source is not None:
        yield Role.SETTINGS, "settings", settings.source
    for name, reference in references(settings).items():
        if reference.source is SecretSource.FILE:
            yield Role.SECRET, name, settings.folder / reference.name
        elif reference.source is SecretSource.CREDENTIAL and not os.environ.get("CREDENTIALS_DIRECTORY"):
            yield Role.CREDENTIAL, name, settings.folder / reference.name
    if settings.serve.tls is not None:
        yield Role.SECRET, "serve.tls_key", settings.serve.tls[1]
    store = settings.store.path
    yield Role.FOLDER, "store's folder", store.parent
    for suffix in ("", "-wal", "-shm", "-journal"):
        yield Role.STORE, f"store{suffix}", store.with_name(f"{store.name}{suffix}")
    for kind, handler in settings.actions.by_kind().items():
        path = handler.command and inspection.found_program(handler.command[0], os.environ.get("PATH", os.defpath))
        if path:
            yield Role.PROGRAM, f"actions.{kind}.command", path


def references(settings: Settings) -> dict[str, SecretRef]:
    """Return every secret that the settings name, by its place there."""
    found = {f"store.keys[{number}]": key for number, key in enumerate(settings.store.keys)}
    if settings.serve.admin_token is not None:
        found["serve.admin_token"] = settings.serve.admin_token
    for name, supplier in settings.suppliers.items():
        place = f"suppliers.{name}"
        found |= {f"{place}.secrets[{number}]": one for number, one in enumerate(supplier.secrets)}
        found |= {f"{place}.path_secret[{number}]": one for number, one in enumerate(supplier.path_secret)}
        found |= {f"{place}.api.auth.{key}": one for key, one in inspection.api_secrets(supplier.api).items()}
    for kind, handler in settings.actions.by_kind().items():
        if handler.secret is not None:
            found[f"actions.{kind}.secret"] = handler.secret
    return found


def _of_secrets(settings: Settings, faulty: Collection[str]) -> Iterator[Finding]:
    """Judge what `config check` could read; the store's keys have a form of their own, which it has checked."""
    read = dict[str, Secret]()
    for name, reference in references(settings).items():
        if name not in faulty:
            with suppress(SettingsError):
                (read[name],) = settings.read([reference], os.environ)
    yield from secrets.of_doubles(read)
    for name, secret in read.items():
        if ".api." not in name and not name.startswith("store."):
            supplier = settings.suppliers.get(name.split(".")[1]) if ".secrets[" in name else None
            yield secrets.of_shape(name, secret, supplier.scheme if supplier else None)


def _cipher(settings: Settings) -> Cipher | None:
    with suppress(SettingsError):
        return wiring.cipher(settings)
    return None


def _of_store(fact: StoreFact, path: Path) -> Iterator[Finding]:
    yield from store_rules.findings(fact)
    yield from store_rules.of_disk(posix.disk(path))


def _listener(settings: Settings) -> exposure.Listener:
    serve = settings.serve
    by_address = tuple(name for name, one in settings.suppliers.items() if one.allow_ips)
    ends = network.own_certificate_end(serve.tls[0]) if serve.tls else None
    return exposure.Listener(
        str(serve.listen), serve.listen.is_loopback, serve.tls is not None, serve.trusted_proxies, by_address, ends
    )


def _of_work(settings: Settings, store: StoreFact) -> Iterator[Finding]:
    listen = settings.serve.listen
    listens = posix.is_listening(listen.host, listen.port)
    yield work.of_running(work.Running(str(listen), listens, store.last_beat, wiring.now_ms()))
    starting = posix.starting(_ROOT, Path.home())
    yield from work.of_starting(starting, settings.serve.poll_every, wiring.asked_suppliers(settings))
    yield from work.of_kinds(wiring.handled_kinds(settings), store.waiting)
