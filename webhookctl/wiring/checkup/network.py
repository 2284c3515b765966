"""Asking every supplier's API and the shop, all at once."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Final

import uuid_utils
from cryptography import x509

from webhookctl.adapters import checkup_http
from webhookctl.adapters.action_http import HttpAction
from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.supplier_http.paths import of_order
from webhookctl.config import HandlerSettings, Settings
from webhookctl.core.checkup import Asked, Finding
from webhookctl.core.documents import ping
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ActionKind, Order, OrderStatus
from webhookctl.flows.doctor import clock
from webhookctl.flows.doctor import network as rules
from webhookctl.wiring import asked_suppliers, now_ms
from webhookctl.wiring.in_force import handler_of
from webhookctl.wiring.polling import Askers

_TIMEOUT_S: Final = 5.0
_NOBODYS: Final = "webhookctl-doctor"
"""An order that nobody has: asking for it changes nothing, and shows whether we are known."""


def findings(settings: Settings) -> Iterator[Finding]:
    """Ask, and judge the answers, the clocks in them too."""
    # A name server that does not answer would hold us for half a minute: the C library asks it in a thread.
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")
    suppliers, shops = asyncio.run(_ask_all(settings))
    now = now_ms()
    for name, asked in suppliers.items():
        yield from rules.of_supplier(name, asked, now)
    for name, asked in shops.items():
        yield from rules.of_shop(name, asked, now)
    yield from clock.findings(suppliers, _tolerances(settings))


def _tolerances(settings: Settings) -> dict[str, int]:
    """Return how far off a signed time may be, for suppliers that sign one."""
    schemes = {name: one.scheme for name, one in settings.suppliers.items()}
    return {name: one.tolerance for name, one in schemes.items() if one.timestamp_sources and one.tolerance}


async def _ask_all(settings: Settings) -> tuple[Mapping[str, Asked], Mapping[str, Asked]]:
    async with aclosing(Outbound()) as outbound:
        suppliers = {name: _supplier(settings, name, outbound) for name in asked_suppliers(settings)}
        shops = {
            f"actions.{' and '.join(kinds)}": _shop(settings, kinds[0], handler, outbound)
            for kinds, handler in _endpoints(settings)
        }
        answers = await asyncio.gather(*suppliers.values(), *shops.values())
    of_suppliers, of_shops = answers[: len(suppliers)], answers[len(suppliers) :]
    return _known(suppliers, of_suppliers), _known(shops, of_shops)


def _known(names: Mapping[str, object], answers: list[Asked | None]) -> dict[str, Asked]:
    return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}


def _endpoints(settings: Settings) -> list[tuple[list[ActionKind], HandlerSettings]]:
    """Return each address of the shop once, with the kinds of action that go there."""
    found = dict[tuple[object, object], tuple[list[ActionKind], HandlerSettings]]()
    for kind, handler in settings.actions.by_kind().items():
        if handler.http is not None:
            found.setdefault((handler.http, handler.secret), ([], handler))[0].append(kind)
    return list(found.values())


async def _supplier(settings: Settings, name: str, outbound: Outbound) -> Asked | None:
    """Ask for an order that nobody has; None where a secret can't be read, which is told elsewhere."""
    try:
        caller = Askers(outbound).caller(settings, name)
    except SettingsError:
        return None
    nobodys = Order(name, _NOBODYS, OrderStatus.PENDING, 0, 0, order_id=_NOBODYS)
    filled = of_order(caller.api.order, nobodys)
    question = partial(caller.greet, filled[0] if filled else "/", _TIMEOUT_S)
    return await checkup_http.ask(caller.api.base_url, question, outbound, now_ms, _TIMEOUT_S)


async def _shop(settings: Settings, kind: ActionKind, handler: HandlerSettings, outbound: Outbound) -> Asked | None:
    """Send a ping; None where its secret can't be read, which is told elsewhere."""
    try:
        action = handler_of(settings, kind, handler, outbound)
    except SettingsError:
        return None
    if not isinstance(action, HttpAction):
        return None
    message_id = f"ping_{uuid_utils.uuid7()}"  # no action's id begins so
    document = ping(message_id, now_ms())
    question = partial(action.ping, message_id, document, timeout_s=_TIMEOUT_S)
    return await checkup_http.ask(action.url, question, outbound, now_ms, _TIMEOUT_S)


def own_certificate_end(path: Path) -> int | None:
    """Return when our own certificate ends, in milliseconds since 1970; None where it can't be read."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    return round(found.not_valid_after_utc.timestamp() * 1000)
