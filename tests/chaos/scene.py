"""A folder with settings, store, supplier and shop, and what must hold in it when all is over."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.shop import Shop, shop_open
from tests.chaos.supplier import SECRET, Ledger, Supplier
from tests.e2e.program import Program, free_port, until
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.ports.events import EventQuery

SHOP_SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
_KEY = "0f" * 32
_A_LEASE_MS = 61_000
_MANY = 1_000_000
_SETTINGS = """
[store]
url = {store}
keys = ["file:shop.key"]
[serve]
listen = "127.0.0.1:{port}"
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
[actions.deliver]
http = "{shop}"
secret = "env:SHOP_SECRET"
retry = {{ first = "50ms" }}
"""
_MOVED_CLOCK = """
import runpy, sys, time
from pathlib import Path
told, true_time = Path(sys.argv.pop(1)), time.time_ns
time.time_ns = lambda: true_time() + int(told.read_text()) * 1_000_000
sys.argv[0] = "webhookctl"
runpy.run_module("webhookctl", run_name="__main__", alter_sys=True)
"""


@dataclass
class Prefixed(Program):
    """The program under another one: `strace`, `prlimit`."""

    prefix: tuple[str, ...] = ()
    clock: Path | None = None
    """A file that says by how many milliseconds the program's clock is ahead, read at each look at the clock."""

    def _command(self, *arguments: str) -> list[str]:
        if self.clock is None:
            return [*self.prefix, *super()._command(*arguments)]
        return [*self.prefix, sys.executable, "-c", _MOVED_CLOCK, str(self.clock), *arguments]


@dataclass(frozen=True)
class Scene:
    """The program in `folder`, between a supplier and a shop."""

    folder: Path
    store: Path
    port: int
    supplier: Supplier
    shop: Shop
    environ: dict[str, str] = field(repr=False)

    def program(self, *prefix: str, clock: Path | None = None) -> Prefixed:
        return Prefixed(self.folder, self.environ, prefix, clock)

    @contextmanager
    def opened(self) -> Iterator[SqliteStore]:
        with closing(open_store(self.store, AesGcmCipher([bytes.fromhex(_KEY)]), create=False)) as store:
            yield store

    def drain(self) -> None:
        """Serve until all that waits is acknowledged and all that was asked for is done, then end it by SIGTERM.

        The program's clock is a minute ahead: what was claimed by one that is gone need not be waited for.
        """
        clock = self.folder / "later"
        clock.write_text(str(_A_LEASE_MS))
        with self.program(clock=clock).serve() as serving:
            self.supplier.post_until(lambda: serving.process.poll() is not None)
            until(self.is_at_rest, "everything stored is applied, and everything asked for is done", 90)
            serving.stop(signal.SIGTERM)

    def is_at_rest(self) -> bool:
        status = self.program().json("status")
        deliver = status["actions"].get("deliver", {})
        return "queued" not in status["events"] and not deliver.keys() - {"done"}

    def faults(self, orders: int) -> list[str]:
        """Say what of the promises does not hold at the end, `orders` having been told of by two events each."""
        with self.opened() as store:
            stored = bodies(store)
            deliveries = store.reports.summary(now=0).actions
            with store.connection.reading() as raw:
                unsound = [line for (line,) in raw.execute("PRAGMA quick_check") if line != "ok"]
                rungs = dict(raw.execute("SELECT status, count(*) FROM orders GROUP BY status"))
        expected = {f"R{number}" for number in range(orders)}
        acknowledged = set(self.supplier.ledger.read())
        repeated = [reference for reference, ids in self.shop.effects.items() if len(ids) != 1]
        return [
            *(f"the store is damaged: {line}" for line in unsound),
            *(f"acknowledged and lost: {body.decode()}" for body in sorted(acknowledged - stored)),
            *(f"delivered under several ids: {reference}" for reference in repeated),
            *(f"never delivered: {reference}" for reference in sorted(expected - self.shop.effects.keys())),
            *([] if rungs == {"fulfilled": orders} else [f"orders did not reach their end: {rungs}"]),
            *([] if deliveries.get(("deliver", "done")) == orders else [f"actions are not done: {deliveries}"]),
        ]


def bodies(store: SqliteStore) -> set[bytes]:
    """Return what was stored, as it came."""
    found = (store.events.get(str(event.id)) for event in store.events.find(EventQuery(limit=_MANY)))
    return {event.body for event in found if event is not None}


@contextmanager
def scene(folder: Path, *, store: Path | None = None, ports: int = 1, seed: int = 0) -> Iterator[Scene]:
    """Lay out a scene; its store lies in `folder` too, unless told otherwise."""
    place = store or folder / "shop.db"
    chosen = tuple(free_port() for _ in range(ports))
    (folder / "shop.key").write_text(_KEY)
    (folder / "shop.key").chmod(0o600)
    with shop_open(seed) as shop, Ledger(folder / "acknowledged") as ledger:
        settings = _SETTINGS.format(store=json.dumps(f"sqlite:{place}"), port=chosen[0], shop=shop.url)
        (folder / "webhookctl.toml").write_text(settings)
        environ = {"ACME_SECRET": SECRET, "SHOP_SECRET": SHOP_SECRET}
        yield Scene(folder, place, chosen[0], Supplier(ledger, chosen), shop, environ)


def tool(*words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a program of the system."""
    return subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - ours


def works(*commands: Sequence[str]) -> bool:
    """Say whether each of these commands succeeds, trying no further than the first that does not."""
    return all(tool(*command).returncode == 0 for command in commands)
