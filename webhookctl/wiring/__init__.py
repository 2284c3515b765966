"""Where settings, flows and adapters are joined: the only place that names a back-end."""

import getpass
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webhookctl import settings_file
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher, parse_key
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core import spelling
from webhookctl.core.errors import NotFoundError, SettingsError, UsageError
from webhookctl.core.orders import ActionKind
from webhookctl.core.redaction import printable
from webhookctl.secrets import SecretRef
from webhookctl.settings_file import DEMO_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from webhookctl.config import Settings, SupplierSettings
    from webhookctl.core.events import StoredEvent
    from webhookctl.core.mapping import Mapping as Places
    from webhookctl.core.orders import Policy
    from webhookctl.core.ports.cipher import Cipher
    from webhookctl.core.quarantine import Rejected
    from webhookctl.flows.order_files import Reading
    from webhookctl.flows.report import Proof
    from webhookctl.wiring.glance import Door

# Linux: the one that goes on while the machine sleeps.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_FILE: Final = re.compile(r"sqlite:(?!//|:memory:)[^\0]+")
_AROUND_NUMBERS: Final = " \t#.,:;"
_DELIVERY_ID: Final = 36
_TELLING: Final = 17
"""Of a delivery id so much tells the millisecond, and more: another that begins so is a slip of the pen away."""
_OF_KEEPING: Final = frozenset({"backup_every", "backup_to", "keep", "retention"})
"""What [store] says beside where it lies and what opens it."""


def now_ms() -> int:
    """Return our clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def steady_clock() -> "Callable[[], int]":
    """Return a clock that begins at our own and goes on evenly, in milliseconds since 1970, whatever ours is set to.

    For leases and retries: a clock that jumps must neither end all claims nor put retries off for a day.
    """
    behind = now_ms() - _since_boot_ms()
    return lambda: behind + _since_boot_ms()


def _since_boot_ms() -> int:
    return time.clock_gettime_ns(_STEADY) // 1_000_000


def settings(named: Path | None) -> "Settings":
    """Find and read the settings; in a folder where the demo has run, those of the demo."""
    from webhookctl import config  # noqa: PLC0415 - what checks them all takes longer than `place` and all it is for

    found = settings_file.find(named, os.environ, Path.cwd())
    if found is not None:
        return config.load(found, os.environ)
    if (Path.cwd() / settings_file.DEMO_MARK).exists():
        return config.demo_settings(Path.cwd(), os.environ)
    raise SettingsError(
        f"There are no settings here: no {settings_file.FILE_NAME} in {Path.cwd()}, and none that --config or "
        "WEBHOOKCTL_CONFIG names. `webhookctl init` writes one; `webhookctl serve` shows a demo."
    )


def has_settings() -> bool:
    """Return whether there are settings here, right or wrong, or those of a demo that has run."""
    return settings_file.find(None, os.environ, Path.cwd()) is not None or (Path.cwd() / DEMO_MARK).exists()


def serving_settings(named: Path | None, listen: str | None) -> "Settings":
    """Find and read the settings; where there are none, make those of the demo."""
    from webhookctl import config  # noqa: PLC0415 - as above

    flags = {"serve.listen": listen} if listen else {}
    found = settings_file.find(named, os.environ, Path.cwd())
    if found is not None:
        return config.load(found, os.environ, flags)
    return config.make_demo(Path.cwd(), os.environ, flags)


@dataclass(frozen=True, slots=True)
class File:
    """A store that lies in a file, and what opens it."""

    path: Path
    keys: tuple[SecretRef, ...]
    unencrypted: bool = False


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where the store lies: as much of the settings as a list needs, by the same names; see `glance` for a page."""

    store: File
    folder: Path
    suppliers: tuple[str, ...]
    """Their names, as they are written."""
    source: Path
    """The file that was read."""
    table: "Mapping[str, Any]" = field(repr=False)
    """What is written there, of which nothing else was checked."""


def place(named: Path | None) -> "Settings | StorePlace":
    """Find the store by the settings' [store] alone, where that is a file with keys and no variable says otherwise.

    So lists are quick, and can be had though a supplier's table has a fault. Else all the settings are read and
    checked; raises what `settings` raises.
    """
    found = settings_file.find(named, os.environ, Path.cwd())
    if found is not None and not is_set_elsewhere("store"):
        table = settings_file.parsed(found)
        match (table.get("store"), table.get("suppliers", {})):
            case ({"url": str(url), "keys": [*keys], **others}, {**suppliers}) if (
                _FILE.fullmatch(url) and keys and others.keys() <= _OF_KEEPING
            ):
                folder = found.absolute().parent
                with suppress(SettingsError):  # said below, with where it stands
                    file = File(folder / url.removeprefix("sqlite:"), tuple(map(SecretRef.parse, keys)))
                    return StorePlace(file, folder, tuple(map(str, suppliers)), found, table)
    return settings(named)


def is_set_elsewhere(table: str) -> bool:
    """Return whether a variable sets something in this table of the settings, or may well do so."""
    return any(name.upper().startswith(settings_file.PREFIX + table.upper()) for name in os.environ)


def store_path(settings: "Settings | StorePlace") -> Path:
    """Return where the store lies."""
    return settings.store.path


def cipher(settings: "Settings | StorePlace") -> "Cipher":
    """Return what encrypts the store: nothing where the settings have no key, and say that this is wanted."""
    secrets = [reference.read(os.environ, settings.folder) for reference in settings.store.keys]
    keys = [parse_key(secret.value, secret.reference) for secret in secrets]
    return AesGcmCipher(keys, reads_clear=settings.store.unencrypted) if keys else ClearCipher()


@contextmanager
def store(settings: "Settings | StorePlace", *, create: bool = False) -> "Iterator[SqliteStore]":
    """Open the store, and close it at the end."""
    opened = open_store(settings.store.path, cipher(settings), create=create)
    try:
        yield opened
    finally:
        opened.close()


def stored_event(store: SqliteStore, event_id: str) -> "StoredEvent":
    """Return the event of this number or delivery id; raises `NotFoundError`."""
    found = store.events.get(event_id)
    if found is None:
        raise NotFoundError(f"There is no event {event_id!r}; {_what_it_may_be(store, event_id)}")
    return found


def _what_it_may_be(store: SqliteStore, name: str) -> str:
    """Say where else something of this name is found, or which events there are."""
    with suppress(UsageError):  # no text that a store could hold
        if store.orders.suppliers_of({name}):
            return f"there is such an order: did you mean `webhookctl orders show {printable(name)}`?"
        if store.outbox.get(name):
            return f"there is such an action: did you mean `webhookctl actions show {printable(name)}`?"
        if near := _nearest_event(store, name):
            return f"did you mean {near}?"
    return f"the newest is {store.feed.newest()}, and `webhookctl events list` shows those there are."


def _nearest_event(store: SqliteStore, name: str) -> str | None:
    """Name the event of this number, written otherwise, or the one whose delivery id begins as this one does.

    None where there is none; raises `UsageError` where several begin so.
    """
    number = name.strip(_AROUND_NUMBERS).lstrip("0")
    if number != name and number.isdecimal() and store.events.get(number):
        return number
    for length in range(min(len(name), _DELIVERY_ID) - 1, _TELLING, -1):
        if found := store.events.get(name[:length]):
            return f"{found.delivery_id}, event {found.id}"
    return None


def kept_rejection(store: SqliteStore, number: int) -> "Rejected":
    """Return what was rejected under this number; raises `NotFoundError`."""
    found = store.quarantine.get(number)
    if found is None:
        raise NotFoundError(f"The quarantine has no {number}; `webhookctl rejected list` shows what there is.")
    return found


def supplier_named(settings: "Settings", name: str) -> "SupplierSettings":
    """Return a supplier of the settings; raises `UsageError` where there is none of this name."""
    if name not in settings.suppliers:
        raise no_supplier(settings, name)
    return settings.suppliers[name]


def no_supplier(settings: "Settings | StorePlace", name: str, where: str = "in the settings") -> UsageError:
    """Return the error to raise where there is no supplier of this name: it says which there are."""
    known = ", ".join(settings.suppliers) or "none, add [suppliers.NAME]"
    near = spelling.nearest(name, settings.suppliers)
    return UsageError(f"There is no supplier {name!r} {where}; {f'{near} There' if near else 'there'} are: {known}.")


def mapping(settings: "Settings | StorePlace", supplier: str) -> "Places | None":
    """Return where this supplier's JSON has what; None for one that is not in the settings any more."""
    known = _door(settings, supplier)
    return known.mapping if known else None


def proof(settings: "Settings | StorePlace", supplier: str) -> "Proof":
    """Return where this supplier sends its signature or token; nowhere for one that is not in the settings any more."""
    from webhookctl.flows.report import Proof  # noqa: PLC0415 - for whoever shows what was sent

    known = _door(settings, supplier)
    if known is None:
        return Proof()
    return Proof(frozenset(name.key for name in known.scheme.signature_header), known.scheme.signature_pointer)


def _door(settings: "Settings | StorePlace", supplier: str) -> "Door | SupplierSettings | None":
    if isinstance(settings, StorePlace):
        from webhookctl.wiring import glance  # noqa: PLC0415 - only whoever has read nothing more needs it

        return glance.door(settings, supplier)
    return settings.suppliers.get(supplier)


def secret_references(settings: "Settings", supplier: str | None) -> dict[str, list[str]]:
    """Return what proves each supplier's deliveries: its secrets, or those in its path where it signs nothing."""
    chosen = {supplier: supplier_named(settings, supplier)} if supplier is not None else settings.suppliers
    return {name: [str(one) for one in known.secrets or known.path_secret] for name, known in chosen.items()}


def asked_suppliers(settings: "Settings | StorePlace") -> list[str]:
    """Return the suppliers that can be asked about their orders."""
    if isinstance(settings, StorePlace):
        from webhookctl.wiring import glance  # noqa: PLC0415 - as above

        return glance.asked_suppliers(settings)
    return [name for name, one in settings.suppliers.items() if one.asked is not None]


def handled_kinds(settings: "Settings | StorePlace") -> frozenset[ActionKind]:
    """Return the kinds of action that somebody carries out."""
    if isinstance(settings, StorePlace):
        from webhookctl.wiring import glance  # noqa: PLC0415 - as above

        return glance.handled_kinds(settings)
    return frozenset(settings.actions.by_kind())


def policies(settings: "Settings") -> "dict[str, Policy]":
    """Return what holds for each supplier's orders."""
    return {name: supplier.policy for name, supplier in settings.suppliers.items()}


def return_window(settings: "Settings | StorePlace", supplier: str) -> int | None:
    """Return how long this supplier takes an order back, in milliseconds; None where it is not known."""
    if isinstance(settings, StorePlace):
        from webhookctl.wiring import glance  # noqa: PLC0415 - as above

        return glance.return_window(settings, supplier)
    known = settings.suppliers.get(supplier)
    return known.policy.return_window_ms if known else None


def order_reading(settings: "Settings", supplier: str | None = None) -> "Reading":
    """Return how orders are read that the shop makes known; `supplier` is for those that name none.

    Raises `UsageError` where it is not in the settings.
    """
    from webhookctl.config import units  # noqa: PLC0415 - only whoever registers orders needs these
    from webhookctl.flows.order_files import Reading  # noqa: PLC0415 - as above

    if supplier is not None:
        supplier_named(settings, supplier)
    names = list(settings.suppliers)
    only = names[0] if len(names) == 1 else None
    return Reading(names, units.positive_duration, supplier or only)


def who() -> str:
    """Say who is at the keyboard, as far as this machine knows: the operator's own word."""
    terminal = "no terminal"
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            terminal = os.ttyname(descriptor)
            break
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user id {os.getuid()}"
    by = os.environ.get("SUDO_USER")
    return f"{user}{f' (sudo by {by})' if by else ''} at {terminal}"
