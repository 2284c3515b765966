"""What settings come to that can be exchanged while we serve."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from webhookctl import config, suppliers
from webhookctl.adapters import telemetry
from webhookctl.adapters.action_command import CommandAction
from webhookctl.adapters.action_log import LogAction
from webhookctl.adapters.action_notify import Channel, NotifyAction
from webhookctl.config import HandlerSettings, Settings
from webhookctl.config.door_settings import OnGet, path_secret
from webhookctl.core.challenges import Challenge
from webhookctl.core.errors import SettingsError, told
from webhookctl.core.notices import Wording
from webhookctl.core.orders import Action, ActionKind
from webhookctl.core.outcomes import Announced, SettingsKept, SettingsRead
from webhookctl.core.ports.handler import Handler
from webhookctl.core.signatures import Scheme
from webhookctl.fanout import wait_any
from webhookctl.flows.apply import Supplier
from webhookctl.server import answers
from webhookctl.server.receiver import SupplierDoor
from webhookctl.server.tls import Tls
from webhookctl.wiring import now_ms

if TYPE_CHECKING:
    from webhookctl.adapters.outbound import Outbound

_SHOPS_SCHEME: Final = "standard-webhooks"


@dataclass(frozen=True, slots=True)
class InForce:
    """Settings, with the secrets that are needed of those that they name read and made ready."""

    settings: Settings
    doors: Mapping[str, SupplierDoor]
    """Empty where nothing is received: the secrets of suppliers may not be there then."""
    handlers: Mapping[ActionKind, Handler]
    """Empty where no work is done."""
    tls: Tls | None = None
    """None where nothing is received, or a proxy has the certificate."""

    @property
    def suppliers(self) -> dict[str, Supplier]:
        return {name: Supplier(one.mapping, one.policy) for name, one in self.settings.suppliers.items()}

    @classmethod
    def of(cls, settings: Settings, outbound: "Outbound | None", *, receives: bool) -> "InForce":
        """Read the secrets, those of handlers where there is a way `outbound`; raises `SettingsError`."""
        doors = {name: door(settings, name) for name in settings.suppliers} if receives else {}
        handlers = _handlers(settings, outbound) if outbound else {}
        tls = Tls.load(*settings.serve.tls) if receives and settings.serve.tls else None
        return cls(settings, doors, handlers, tls)


class Handlers(Mapping[ActionKind, Handler]):
    """The handlers that there are now; whoever has begun with one that is gone finds it still."""

    def __init__(self, handlers: Mapping[ActionKind, Handler]) -> None:
        self._now = handlers
        self._ever = dict(handlers)

    def exchange(self, handlers: Mapping[ActionKind, Handler]) -> None:
        # Other threads read these: each is exchanged as a whole, and never without what the other may ask of it.
        self._ever = self._ever | dict(handlers)
        self._now = handlers

    def __getitem__(self, kind: ActionKind) -> Handler:
        return self._ever[kind]

    def __iter__(self) -> Iterator[ActionKind]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)


@dataclass(slots=True)
class Rereading:
    """Reads the settings when asked to; wrong ones change nothing."""

    held: InForce
    again: Callable[[], Settings]
    outbound: "Outbound | None"
    put_in_force: Callable[[InForce], None]
    """Called in the loop; must exchange everything at once."""
    record: Callable[[SettingsRead | SettingsKept], None]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    started_with: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.started_with = self.held.settings

    async def run(self, until: asyncio.Event) -> None:
        """Read the settings each time `asked` is set, until told to stop."""
        while not until.is_set():
            await wait_any(until, self.asked)
            if self.asked.is_set():
                self.asked.clear()
                await self._read()

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(self._found)
        except Exception as error:  # noqa: BLE001 - whatever it is, those of before are right and go on
            self.record(SettingsKept(told(error)))
            return
        before, self.held = self.held, found
        self.put_in_force(found)
        self.record(
            SettingsRead(tuple(_changes(before, found)), tuple(_for_the_next_start(self.started_with, found.settings)))
        )

    def _found(self) -> InForce:
        settings = self.again()
        check(settings)
        if settings.source != self.started_with.source:
            raise SettingsError(f"The settings are {settings.source} now, another file than before: restart for that.")
        return InForce.of(settings, self.outbound, receives=bool(self.held.doors))


def check(settings: Settings) -> None:
    """Raise `SettingsError` where nobody could post, or anybody could to the demo."""
    config.refuse_public(settings)
    if not settings.suppliers:
        raise SettingsError(f"{settings.source} names no supplier: nobody could post. Add a table [suppliers.NAME].")


def _changes(before: InForce, now: InForce) -> Iterator[str]:
    """Name what differs and holds at once; of a secret only that it is another one."""
    both = before.settings, now.settings
    for name in sorted({*both[0].suppliers, *both[1].suppliers}):
        yield from _change(f"suppliers.{name}", both[0].suppliers.get(name), both[1].suppliers.get(name))
        if name in before.doors and name in now.doors:
            was, is_now = before.doors[name], now.doors[name]
            if was.keys != is_now.keys or was.path_secrets != is_now.path_secrets:
                yield f"suppliers.{name}.secrets"
    if renewed_tls(before, now):
        yield "serve.tls_cert (renewed)"
    yield from _change("quarantine", both[0].quarantine, both[1].quarantine)
    yield from _change("alarms", both[0].alarms, both[1].alarms)
    for kind in ActionKind:
        here = both[0].actions.by_kind().get(kind), both[1].actions.by_kind().get(kind)
        yield from _change(f"actions.{kind}", *here)
        if here[0] == here[1] and before.handlers.get(kind) != now.handlers.get(kind):
            yield f"actions.{kind}.secret"


def renewed_tls(before: InForce, now: InForce) -> Tls | None:
    """Return the certificate that lies where another lay before; one that lies elsewhere is for the next start."""
    is_other = before.settings.serve.tls == now.settings.serve.tls and before.tls != now.tls
    return now.tls if is_other else None


def _change(name: str, before: object, now: object) -> Iterator[str]:
    if before is None and now is not None:
        yield f"{name} (new)"
    elif before is not None and now is None:
        yield f"{name} (gone)"
    elif before != now:
        yield name


def _for_the_next_start(started_with: Settings, now: Settings) -> Iterator[str]:
    for table in ("store", "serve"):
        here, there = getattr(started_with, table), getattr(now, table)
        for key in type(here).model_fields:
            if getattr(here, key) != getattr(there, key):
                yield f"{table}.{key}"


def door(settings: Settings, name: str) -> SupplierDoor:
    """Make ready how a supplier comes in; raises `SettingsError` where one of its secrets can't be used."""
    supplier = settings.suppliers[name]
    secrets = settings.read(supplier.secrets, os.environ)
    in_path = settings.read(supplier.path_secret, os.environ)
    try:
        keys = supplier.scheme.keys(secrets, allow_short=supplier.allow_short) if secrets else ()
        path_secrets = tuple(path_secret(secret, allow_short=supplier.allow_short) for secret in in_path)
    except SettingsError as error:
        raise SettingsError(f"suppliers.{name}: {error}") from None
    return SupplierDoor(
        name,
        supplier.scheme,
        keys,
        url=supplier.url,
        head_ok=supplier.answers_head,
        allowed=supplier.allow_ips,
        path_secrets=path_secrets,
        stored=answers.acknowledging(supplier.ack_status, supplier.ack_body, supplier.ack_type),
        on_get=answers.repeating(supplier.challenge.text) if isinstance(supplier.challenge, OnGet) else None,
        challenge=supplier.challenge if isinstance(supplier.challenge, Challenge) else None,
    )


def _handlers(settings: Settings, outbound: "Outbound") -> dict[ActionKind, Handler]:
    return {kind: handler_of(settings, kind, one, outbound) for kind, one in settings.actions.by_kind().items()}


def handler_of(settings: Settings, kind: ActionKind, one: HandlerSettings, outbound: "Outbound") -> Handler:
    """Make ready what is done for one kind of action; raises `SettingsError` where its secret can't be used."""
    timeout_s = one.timeout / 1000
    if one.http is not None and one.secret is not None:
        from webhookctl.adapters.action_http import HttpAction  # noqa: PLC0415 - a dozen megabytes, for who works only

        scheme = Scheme.parse(suppliers.scheme_of(_SHOPS_SCHEME))
        try:
            (key,) = scheme.keys(settings.read([one.secret], os.environ))
        except SettingsError as error:
            raise SettingsError(f"actions.{kind}: {error}") from None
        return HttpAction(one.http, scheme, key, one.repeat, one.retries, outbound, now_ms, timeout_s)
    if one.notify is not None:
        return _notify(settings, kind, one)
    if one.command is not None:
        return CommandAction(one.command, one.repeat, one.retries, timeout_s)
    return LogAction(_announce)


def _notify(settings: Settings, kind: ActionKind, one: HandlerSettings) -> NotifyAction:
    try:
        secrets = settings.read(one.notify or (), os.environ)
        channels = [Channel(secret.reference, secret.value.decode(errors="replace")) for secret in secrets]
        for channel in channels:
            channel.service()
    except SettingsError as error:
        raise SettingsError(f"actions.{kind}: {error}") from None
    wording = Wording(one.title, one.line)
    return NotifyAction(channels, wording, one.every / 1000, one.retries, one.timeout / 1000)


def _announce(action: Action) -> None:
    telemetry.record(Announced(action))
