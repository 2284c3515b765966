"""The pretend supplier of the settings, and half a minute of a whole shop whose webhooks get lost."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhookctl import config
from webhookctl.adapters.outbound import Outbound
from webhookctl.config import Settings
from webhookctl.config.api_settings import AuthKind
from webhookctl.core.errors import SettingsError, UpstreamError, UsageError
from webhookctl.core.ports.leases import Endings
from webhookctl.core.signatures import sign
from webhookctl.server import run as loops
from webhookctl.server.pretend import PretendOrder, PretendShop, PretendSupplier
from webhookctl.wiring import now_ms, store
from webhookctl.wiring.polling import Wanted, reconcile

_TIMEOUT_S: Final = 5.0
_LAST_S: Final = 20.0
"""How long what was placed last may take to arrive."""
_SHARE_OF_PLACING: Final = 0.6
_DAY_MS: Final = 86_400_000
_LINES: Final = """\
[suppliers.{name}.api]
base_url = "http://127.0.0.1:8790"
auth = {{ token = "file:demo.token" }}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the pretend supplier behaves."""

    loss: float = 0.2
    life_s: float = 3.0
    every_s: float | None = None
    """How often it places an order of its own; None: it waits for orders."""


def supplier(settings: Settings, name: str | None, plan: Plan, started: Callable[[str, str], None]) -> dict[str, int]:
    """Play a supplier of the settings until a signal comes: listens at its `api.base_url`, posts to our listener."""
    return loops.run(_supplier(settings, _chosen(settings, name), plan, started))


def _chosen(settings: Settings, name: str | None) -> str:
    played = [one for one, known in settings.suppliers.items() if known.api is not None]
    if name is None and len(played) == 1:
        return played[0]
    if name is not None and name in played:
        return name
    if name is None and len(played) > 1:
        raise UsageError(f"--supplier: say which of {', '.join(played)} to play.")
    lines = _LINES.format(name=name or next(iter(settings.suppliers), "acme"))
    raise SettingsError(f"There is no API to play in the settings. Add, for a trial only:\n{lines}")


async def _supplier(settings: Settings, name: str, plan: Plan, started: Callable[[str, str], None]) -> dict[str, int]:
    until = asyncio.Event()
    url = _receiver(settings, name)
    async with _played(settings, name, plan, until, lambda where: started(where, url)) as played:
        with loops.stopped_by_signals(until):
            while not until.is_set():
                if plan.every_s is not None:
                    played.place(f"ORD-{len(played.orders) + 1}-{os.getpid()}")
                await wait_for(until, plan.every_s)
    return {"orders": len(played.orders), **played.counts}


async def wait_for(until: asyncio.Event, seconds: float | None) -> None:
    """Wait for `until`, at most so long."""
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return


def _receiver(settings: Settings, name: str) -> str:
    return f"{'https' if settings.serve.tls else 'http'}://{settings.serve.listen}/webhooks/{name}"


@asynccontextmanager
async def _played(
    settings: Settings, name: str, plan: Plan, until: asyncio.Event, started: Callable[[str], None]
) -> AsyncIterator[PretendSupplier]:
    """Have the supplier answer at its `api.base_url`, and post its webhooks, until the block ends."""
    one = settings.suppliers[name]
    if one.api is None or one.api.auth.kind is not AuthKind.BEARER or one.api.auth.token is None:
        raise SettingsError(f"suppliers.{name}.api.auth must be a bearer token for the pretend supplier to play it.")
    (token,) = settings.read([one.api.auth.token], os.environ)
    host, port = _place(one.api.base_url)
    async with aclosing(Outbound()) as outbound:
        post = _poster(settings, name, outbound)
        async with aclosing(PretendSupplier(token.value.decode(), time.time, post, plan.loss, plan.life_s)) as played:
            sock = loops.listen_on(host, port)
            serving = asyncio.create_task(loops.serve(played, sock=sock, until=until, started=started, grace_s=1))
            try:
                yield played
            finally:
                until.set()
                await serving


def _place(base_url: str) -> tuple[str, int]:
    host, _, port = base_url.removeprefix("http://").partition(":")
    if not base_url.startswith("http://") or not port.isdigit():
        raise SettingsError(
            f"The pretend supplier listens at api.base_url, and {base_url} is no place on this machine with a port."
        )
    return host, int(port)


def _poster(settings: Settings, name: str, outbound: Outbound) -> Callable[[bytes], Awaitable[int]]:
    one, url = settings.suppliers[name], _receiver(settings, name)
    key = one.scheme.keys(settings.read(one.secrets[:1], os.environ), allow_short=one.allow_short)[0]

    async def post(body: bytes) -> int:
        now = now_ms()
        signed = sign(one.scheme, key, body=body, now=now, message_id=f"msg_{now}", url=url)
        headers = {"content-type": "application/json", **signed.headers}
        try:
            return (await outbound.post(url, body=signed.body, headers=headers, timeout_s=_TIMEOUT_S)).status
        except UpstreamError as error:
            raise OSError(str(error)) from None

    return post


@dataclass(frozen=True, slots=True)
class Report:
    """What half a minute came to."""

    orders: int
    sent: int
    lost: int
    asked: int
    delivered_once: int
    delivered_again: int
    wrong_codes: int
    never_heard_of: int
    """Orders that only the supplier's list told us of."""
    endings: Endings | None

    @property
    def is_good(self) -> bool:
        return self.delivered_once == self.orders and not self.delivered_again and not self.wrong_codes


def run(folder: Path, plan: Plan, *, orders: int, seconds: float, say: Callable[[str], None]) -> Report:
    """Write settings into `folder`, and run supplier, shop, `serve` and polling there."""
    settings = _settings(folder)
    with (folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "webhookctl", "--config", str(folder / config.FILE_NAME), "serve"]
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own program
        try:
            return loops.run(_demo(settings, plan, orders=orders, seconds=seconds, say=say))
        finally:
            process.terminate()
            process.wait()


def _settings(folder: Path) -> Settings:
    ports = [_free_port() for _ in range(3)]
    for name in ("webhookctl.key", "acme.secret", "acme.token", "shop.secret"):
        config.write_new(folder / name, config.new_key())
    text = _FILE.format(serve=ports[0], supplier=ports[1], shop=ports[2])
    config.write_new(folder / config.FILE_NAME, text)
    return config.load(folder / config.FILE_NAME, {})


_FILE: Final = """\
[store]
url = "sqlite:webhookctl.db"
keys = ["file:webhookctl.key"]

[serve]
listen = "127.0.0.1:{serve}"
poll_every = "1s"

[suppliers.acme]
preset = "generic"
secrets = ["file:acme.secret"]

[suppliers.acme.api]
base_url = "http://127.0.0.1:{supplier}"
auth = {{ token = "file:acme.token" }}
after = "5s"

[actions.deliver]
http = "http://127.0.0.1:{shop}/deliveries"
secret = "file:shop.secret"
"""


def _free_port() -> int:
    with loops.listen_on("127.0.0.1", 0) as sock:
        return int(sock.getsockname()[1])


async def _demo(settings: Settings, plan: Plan, *, orders: int, seconds: float, say: Callable[[str], None]) -> Report:
    until, shop = asyncio.Event(), PretendShop()
    where = settings.actions.by_kind()
    host, port = _place(next(one.http for one in where.values() if one.http is not None).rpartition("/")[0])
    selling = asyncio.create_task(
        loops.serve(shop, sock=loops.listen_on(host, port), until=until, started=lambda _: None, grace_s=1)
    )
    async with _played(settings, "acme", plan, until, lambda _: None) as played:
        with loops.stopped_by_signals(until):
            await _receiving(settings, until)
            say(f"{orders} orders are placed; the supplier loses {plan.loss:.0%} of its webhooks.")
            await _place_orders(played, until, orders, seconds)
            found = await _until_delivered(settings, played, shop, until, _LAST_S)
    await selling
    return _report(settings, played, shop, found)


async def _receiving(settings: Settings, until: asyncio.Event) -> None:
    """Wait until `serve` takes connections."""
    end = time.monotonic() + _LAST_S
    while not until.is_set():
        try:
            _, writer = await asyncio.open_connection(*settings.serve.listen)
        except OSError:
            if time.monotonic() > end:
                raise UpstreamError("`serve` did not start in time; see serve.log in the demo's folder.") from None
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def _place_orders(played: PretendSupplier, until: asyncio.Event, orders: int, seconds: float) -> None:
    for number in range(1, orders + 1):
        if until.is_set():
            return
        played.place(f"ORD-{number}")
        await wait_for(until, seconds * _SHARE_OF_PLACING / orders)


async def _until_delivered(
    settings: Settings, played: PretendSupplier, shop: PretendShop, until: asyncio.Event, patience_s: float
) -> int:
    """Wait for all; what neither webhook nor question can know of is found in the supplier's list."""
    end, found = time.monotonic() + patience_s, 0
    while not until.is_set() and time.monotonic() < end:
        if len(shop.delivered) == len(played.orders) and all(_is_over(order) for order in played.orders.values()):
            break
        await wait_for(until, 2.0)
        found += await asyncio.to_thread(_take_over, settings)
    return found


def _take_over(settings: Settings) -> int:
    """Return how many orders we had never heard of; runs in a thread, with a loop of its own."""
    deviations, _ = reconcile(settings, Wanted(supplier="acme"), since=now_ms() - _DAY_MS, apply=True)
    return sum(one.ours is None and one.event is not None for one in deviations)


def _is_over(order: PretendOrder) -> bool:
    return order.status != "pending"


def _report(settings: Settings, played: PretendSupplier, shop: PretendShop, found: int) -> Report:
    with store(settings) as opened:
        endings = next(iter(opened.leases.endings(since=0)), None)
    theirs = {order.reference: [order.code] for order in played.orders.values()}
    return Report(
        orders=len(played.orders),
        sent=played.counts["sent"],
        lost=played.counts["lost"],
        asked=played.counts["asked"],
        delivered_once=sum(count == 1 for count in shop.delivered.values()),
        delivered_again=sum(count > 1 for count in shop.delivered.values()),
        wrong_codes=sum(codes != theirs.get(reference) for reference, codes in shop.codes.items()),
        never_heard_of=found,
        endings=endings,
    )
