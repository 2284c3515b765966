"""Asking suppliers: settings, store and HTTP joined for one run."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Final, assert_never

import uuid_utils

from webhookctl.adapters.outbound import Outbound
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.adapters.supplier_http import Authorisation, Caller, Client, Fixed, HttpSupplier, OAuth2
from webhookctl.config import SecretRef, Settings
from webhookctl.config.api_settings import ApiSettings, AuthKind, AuthSettings
from webhookctl.core.errors import SettingsError, UsageError
from webhookctl.core.orders import ActionKind, Order
from webhookctl.core.outcomes import Asked, Found, NotAnswered, PersonTold, StillOpen, SupplierNotAsked
from webhookctl.fanout import Job, fan_out
from webhookctl.flows.apply import Apply
from webhookctl.flows.poll import Asking, Poll, left_alone, look_at_missed
from webhookctl.flows.reconcile import Deviation, Reconcile
from webhookctl.server import run as loops
from webhookctl.wiring import asked_suppliers, now_ms, store, supplier_named
from webhookctl.wiring.in_force import InForce

_BATCHES: Final = 2
"""At once: while one is being stored, the next is being asked about."""
_LAST_ANSWERS_S: Final = 2.0
"""How long questions on their way may still be answered after a signal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for."""

    supplier: str | None = None
    reference: str | None = None
    after_ms: int | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """An order of which asking told us something."""

    supplier: str
    reference: str
    before: str
    said: str
    now: str
    held: str | None
    """Why a person must look, if that is new."""


@dataclass(slots=True)
class Result:
    """What a run came to."""

    asked: int = 0
    moved: list[Moved] = field(default_factory=list)
    persons: list[PersonTold] = field(default_factory=list)
    noted: list[StillOpen] = field(default_factory=list)
    """Orders that stay as they are for another reason than the last time."""
    unanswered: list[NotAnswered] = field(default_factory=list)
    not_asked: list[SupplierNotAsked] = field(default_factory=list)
    others: list[Asked] = field(default_factory=list)
    interrupted: bool = False


@dataclass(slots=True)
class Askers:
    """The suppliers that can be asked, with the tokens that outlast a run."""

    outbound: Outbound
    _known: dict[str, OAuth2] = field(default_factory=dict, init=False)

    def of(self, settings: Settings, wanted: Wanted = Wanted()) -> list[Asking]:
        """Return those that the settings let us ask; raises `SettingsError` where a secret can't be read."""
        _check_supplier(settings, wanted.supplier)
        names = asked_suppliers(settings) if wanted.supplier is None else [wanted.supplier]
        return [self._asking(settings, name, wanted) for name in names]

    def caller(self, settings: Settings, name: str) -> Caller:
        """Return who puts questions to this supplier; raises `SettingsError` where a secret can't be read."""
        one = settings.suppliers[name]
        if one.api is None or one.asked is None:
            raise SettingsError(f"suppliers.{name}.api is missing.")
        return Caller(one.asked, self._authorisation(settings, name, one.api), self.outbound, now_ms)

    def _asking(self, settings: Settings, name: str, wanted: Wanted) -> Asking:
        one, caller = settings.suppliers[name], self.caller(settings, name)
        if one.api is None:
            raise SettingsError(f"suppliers.{name}.api is missing.")
        policy = one.api.policy
        if wanted.after_ms is not None:
            policy = type(policy)(wanted.after_ms, policy.give_up, policy.patience)
        return Asking(name, HttpSupplier(name, caller), policy, one.policy.codes, one.api.missed_alert)

    def _authorisation(self, settings: Settings, name: str, api: ApiSettings) -> Authorisation:
        try:
            found = authorisation(api.auth, _reader(settings), self.outbound)
        except SettingsError as error:
            raise SettingsError(f"suppliers.{name}.api.auth: {error}") from None
        if not isinstance(found, OAuth2):
            return found
        known = self._known.get(name)
        if known is None or known.client != found.client:  # its secret may be another one since
            self._known[name] = known = found
        return known


def _reader(settings: Settings) -> Callable[[SecretRef | None], str]:
    def read(reference: SecretRef | None) -> str:
        if reference is None:
            raise SettingsError("a reference is missing")
        (secret,) = settings.read([reference], os.environ)
        value = secret.value.decode("utf-8", "replace")
        if not value.isascii() or not value.isprintable():
            raise SettingsError(f"{reference} holds what can't be sent: only plain ASCII can.")
        return value

    return read


def authorisation(auth: AuthSettings, read: Callable[[SecretRef | None], str], outbound: Outbound) -> Authorisation:
    """Return what proves who asks, its secrets read."""
    match auth.kind:
        case AuthKind.NONE:
            return Fixed()
        case AuthKind.BEARER:
            return Fixed.bearer(read(auth.token))
        case AuthKind.HEADER:
            return Fixed({(auth.header or "").lower(): read(auth.token)})
        case AuthKind.QUERY:
            return Fixed.parameter(auth.parameter or "", read(auth.token))
        case AuthKind.BASIC:
            return Fixed.basic(read(auth.username), read(auth.password))
        case AuthKind.OAUTH2:
            ids = read(auth.client_id), read(auth.client_secret)
            client = Client(auth.token_url or "", *ids, auth.scope, auth.audience, auth.json_body)
            return OAuth2(client, outbound)
        case _:
            assert_never(auth.kind)


@contextmanager
def _store(settings: Settings, wanted: Wanted) -> Iterator[SqliteStore]:
    """Open the store, once it is clear that there is somebody to ask."""
    _check_supplier(settings, wanted.supplier)
    with store(settings) as opened:
        yield opened


def _check_supplier(settings: Settings, name: str | None) -> None:
    if name is not None and supplier_named(settings, name).asked is None:
        raise SettingsError(f"suppliers.{name}.api is missing: say there how this supplier is asked about orders.")


def poll_of(asking: Asking, opened: SqliteStore, *, deadline: float = float("inf")) -> Poll:
    """Return a run of asking one supplier."""
    return Poll(
        asking,
        opened.leases,
        opened.intake,
        now_ms,
        random.SystemRandom().random,
        lambda: uuid_utils.uuid7().bytes,
        deadline,
    )


async def run_polls(polls: Sequence[Poll], record: Callable[[Asked], None]) -> None:
    """Run all, side by side, each to its end; raises the first error that one of them could not go on with."""
    ends = await asyncio.gather(*(_run_poll(poll, record) for poll in polls), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end


async def _run_poll(poll: Poll, record: Callable[[Asked], None]) -> None:
    name = poll.asking.name
    before = await asyncio.to_thread(poll.leases.standing, name)
    if (alone := left_alone(before, now_ms())) is not None and poll.only is None:
        record(alone)
        return
    try:
        await fan_out(Job(poll.take, poll.call, poll.failed, poll.settle, record), concurrency=_BATCHES)
    finally:
        for outcome in await asyncio.to_thread(poll.finish, before):
            record(outcome)


def poll(settings: Settings, wanted: Wanted, progress: Callable[[int], None]) -> Result:
    """Ask about stale orders, or about one; apply what is learned; return what came of it."""
    with _store(settings, wanted) as opened:
        return loops.run(_poll(settings, wanted, opened, progress))


async def _poll(settings: Settings, wanted: Wanted, opened: SqliteStore, progress: Callable[[int], None]) -> Result:
    loop, until = asyncio.get_running_loop(), asyncio.Event()
    deadline = float("inf") if wanted.deadline_s is None else loop.time() + wanted.deadline_s
    result, found = Result(), dict[tuple[str, str], Found]()

    def record(outcome: Asked) -> None:
        _sort(outcome, result, found)
        progress(1 if isinstance(outcome, Found | StillOpen | NotAnswered) else 0)

    async with aclosing(Outbound()) as outbound:
        askings = Askers(outbound).of(settings, _at_its_supplier(wanted, opened))
        polls = [poll_of(one, opened, deadline=deadline) for one in askings]
        for one in polls:
            one.only = None if wanted.reference is None else (wanted.reference,)
        with loops.stopped_by_signals(until):
            result.interrupted = await run_until(polls, record, until)
    result.asked = sum(one.asked for one in polls)
    for outcome in look_at_missed(opened.leases, askings, now=now_ms()):
        record(outcome)
    began = now_ms()
    result.moved = _applied(settings, opened, found)
    result.persons += _alerts(opened, found, began)
    return result


async def run_until(polls: Sequence[Poll], record: Callable[[Asked], None], until: asyncio.Event) -> bool:
    """Run `polls`; a signal lets what is on its way come to its end, or gives it back. True: there was one."""
    running = asyncio.create_task(run_polls(polls, record))
    stopped = asyncio.create_task(until.wait())
    await asyncio.wait([running, stopped], return_when=asyncio.FIRST_COMPLETED)
    if until.is_set():
        for one in polls:
            one.stop()
        await asyncio.wait([running], timeout=_LAST_ANSWERS_S)
        running.cancel()
        await asyncio.wait([running])
    stopped.cancel()
    if not running.cancelled():
        await running
    return until.is_set()


def _at_its_supplier(wanted: Wanted, opened: SqliteStore) -> Wanted:
    """Find the supplier of the one order that is asked about."""
    if wanted.reference is None or wanted.supplier is not None:
        return wanted
    known = opened.orders.suppliers_of({wanted.reference}).get(wanted.reference, ())
    if len(known) != 1:
        choice = f"say --supplier {' or '.join(known)}" if known else "`webhookctl orders list` shows those there are"
        raise UsageError(f"--order: there is not just one order {wanted.reference!r}: {choice}.")
    return Wanted(known[0], wanted.reference, wanted.after_ms, wanted.deadline_s)


def _sort(outcome: Asked, result: Result, found: dict[tuple[str, str], Found]) -> None:
    match outcome:
        case Found():
            found[outcome.supplier, outcome.reference] = outcome
        case PersonTold():
            result.persons.append(outcome)
        case StillOpen(fresh=True, note=str()):
            result.noted.append(outcome)
        case NotAnswered():
            result.unanswered.append(outcome)
        case SupplierNotAsked():
            result.not_asked.append(outcome)
        case _:
            result.others.append(outcome)


def _applied(settings: Settings, opened: SqliteStore, found: Mapping[tuple[str, str], Found]) -> list[Moved]:
    """Apply what was stored, if nobody else has; say where the orders are now."""
    before = opened.orders.get(found)
    apply_all(settings, opened)
    orders = opened.orders.get(found)
    moved = [_moved(one, before.get(key), orders[key]) for key, one in found.items() if key in orders]
    return [one for one in moved if one.held or not one.before == one.said == one.now]


def _alerts(opened: SqliteStore, found: Mapping[tuple[str, str], Found], began: int) -> list[PersonTold]:
    """Return what a person was told of orders that had reached before what the supplier says: of other codes."""
    settled = [key for key, one in found.items() if one.before == one.said]
    stories = [story for key in settled if (story := opened.orders.story(*key)) is not None]
    return [
        PersonTold(action.supplier, action.subject, action.detail)
        for story in stories
        for action in story.actions
        if action.kind is ActionKind.ALERT and action.created_at >= began
    ]


def _moved(found: Found, before: Order | None, order: Order) -> Moved:
    held = order.held if before is None or before.held != order.held else None
    return Moved(found.supplier, found.reference, found.before, found.said, order.status.value, held)


def apply_all(settings: Settings, opened: SqliteStore) -> None:
    """Apply all stored events."""
    apply = Apply(opened.events, opened.orders, InForce(settings, {}, {}).suppliers)
    while apply.run(now=now_ms()):
        pass


def stale(settings: Settings, wanted: Wanted, limit: int) -> tuple[list[Order], int]:
    """Return the orders that a run would ask about, up to `limit`, and how many there are."""
    with _store(settings, wanted) as opened:
        askings = Askers(Outbound()).of(settings, _at_its_supplier(wanted, opened))
        if wanted.reference is not None:
            found = list(opened.orders.get([(one.name, wanted.reference) for one in askings]).values())
            return found, len(found)
        orders, count, now = list[Order](), 0, now_ms()
        for one in askings:
            older_than = now - one.policy.after
            count += opened.leases.count_stale_orders(one.name, older_than=older_than, now=now)
            orders += opened.leases.stale_orders(one.name, older_than=older_than, now=now, limit=limit - len(orders))
        return orders, count


def reconcile(settings: Settings, wanted: Wanted, *, since: int, apply: bool) -> tuple[list[Deviation], int]:
    """Compare the suppliers' lists with ours; return the deviations, and how many were stored."""
    with _store(settings, wanted) as opened:
        return asyncio.run(_reconcile(settings, wanted, opened, since=since, apply=apply))


async def _reconcile(
    settings: Settings, wanted: Wanted, opened: SqliteStore, *, since: int, apply: bool
) -> tuple[list[Deviation], int]:
    deadline = asyncio.get_running_loop().time() + (wanted.deadline_s or float("inf"))
    deviations, stored = list[Deviation](), 0
    async with aclosing(Outbound()) as outbound:
        askings = [one for one in Askers(outbound).of(settings, wanted) if _has_list(settings, one.name, wanted)]
        if not askings:
            raise SettingsError("No supplier of the settings has a list of recent orders: set suppliers.NAME.api.list.")
        for one in askings:
            flow = Reconcile(
                one.name, opened.orders, opened.intake, one.codes, now_ms, lambda: uuid_utils.uuid7().bytes
            )
            listed = one.supplier.recent(since=since, until=now_ms(), deadline=deadline)
            found = await flow.compare(listed, since=since)
            deviations += found
            stored += flow.apply(found) if apply else 0
    if apply:
        apply_all(settings, opened)
    return deviations, stored


def _has_list(settings: Settings, name: str, wanted: Wanted) -> bool:
    api = settings.suppliers[name].asked
    return wanted.supplier is not None or (api is not None and api.list is not None and api.list.path is not None)
