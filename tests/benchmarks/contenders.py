"""The servers that `tests.benchmarks.ingest` compares, each started as a process of its own."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.benchmarks.served import KEY, SECRET
from tests.e2e.program import free_port
from webhookctl.config.place_settings import IN_CLEAR

STORE: Final = "store.db"
FASTIFY: Final = Path(__file__).with_name("fastify.mjs")
_PATIENCE_S: Final = 60
_MODULES: Final = ("fastify", "better-sqlite3")
_SETTINGS: Final = """
[store]
url = "sqlite:{store}"
{keys}
[serve]
listen = "127.0.0.1:{port}"
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
{more}
"""
_DELIVER: Final = """
[actions.deliver]
http = "http://127.0.0.1:{shop}/deliveries"
secret = "env:SHOP_SECRET"
"""


@dataclass(frozen=True)
class Contender:
    """A server; `begin` returns the command that serves on a port and stores in a folder."""

    letter: str
    words: str
    begin: Callable[[ExitStack, Path, int], list[str]]
    stores: bool = True

    @property
    def name(self) -> str:
        return f"({self.letter}) {self.words}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[tuple[int, int]]:
        """Serve from `folder`; yields the process's id and its port."""
        port = free_port()
        with ExitStack() as beside:
            command = self.begin(beside, folder, port)
            yield beside.enter_context(_process(command, folder, port)), port

    def stored(self, folder: Path) -> int:
        """Count what is in the store."""
        if not self.stores:
            return 0
        with closing(sqlite3.connect(folder / STORE)) as raw:
            (rows,) = raw.execute("SELECT count(*) FROM events").fetchone()
        return int(rows)


@contextmanager
def _process(command: Sequence[str], folder: Path, port: int) -> Iterator[int]:
    root = str(Path(__file__).parents[2])
    environ = os.environ | {
        "PYTHONPATH": root,
        "ACME_SECRET": SECRET.decode(),
        "SHOP_SECRET": "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)  # noqa: S603 - the contenders'
    try:
        _wait_for(process, port, folder)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_S)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    process.kill()
    sys.exit(f"It does not listen: {(folder / 'log').read_text()}")


def _bare(_beside: ExitStack, _folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.served", "bare", "--port", str(port)]


def _commit_per_request(_beside: ExitStack, _folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.served", STORE, "--max-batch", "1", "--port", str(port)]


def _fastapi(_beside: ExitStack, _folder: Path, port: int) -> list[str]:
    app = "tests.benchmarks.fastapi_app:app"
    return [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "critical", "--no-access-log"]


def _fastify(modules: Path) -> Callable[[ExitStack, Path, int], list[str]]:
    # Node looks for modules beside the file that asks for them.
    script = shutil.copy2(FASTIFY, modules / FASTIFY.name)
    return lambda _beside, _folder, port: ["node", str(script), str(port)]


def _ours(_beside: ExitStack, folder: Path, port: int) -> list[str]:
    _settle_in(folder, port, "")
    return [sys.executable, "-m", "webhookctl", "serve", "--no-worker"]


def _ours_working(beside: ExitStack, folder: Path, port: int) -> list[str]:
    """Serve with the worker, and a shop that answers 200 at once."""
    shop = free_port()
    beside.enter_context(_process(_bare(beside, folder, shop), folder, shop))
    _settle_in(folder, port, _DELIVER.format(shop=shop))
    return [sys.executable, "-m", "webhookctl", "serve"]


def _with_worker(_beside: ExitStack, folder: Path, port: int) -> list[str]:
    _settle_in(folder, port, "")
    return [sys.executable, "-m", "webhookctl", "serve"]


def _ours_in_clear(_beside: ExitStack, folder: Path, port: int) -> list[str]:
    _settle_in(folder, port, "", keys=f'unencrypted = "{IN_CLEAR}"')
    return [sys.executable, "-m", "webhookctl", "serve", "--no-worker"]


def _settle_in(folder: Path, port: int, more: str, *, keys: str = 'keys = ["file:shop.key"]') -> None:
    (folder / "shop.key").write_text(KEY.hex())
    (folder / "shop.key").chmod(0o600)
    (folder / "webhookctl.toml").write_text(_SETTINGS.format(store=STORE, port=port, keys=keys, more=more))


BARE: Final = Contender("a", "uvicorn, doing nothing", _bare, stores=False)
OURS: Final = Contender("d", "ours, --no-worker", _ours)
WITH_WORKER: Final = Contender("w", "ours, with the worker and no shop", _with_worker)
OURS_IN_CLEAR: Final = Contender("d-", "ours, without encryption", _ours_in_clear)
"""Beside (d) in `tests.benchmarks.encryption`."""
_AS_WELL: Final = (
    Contender("b", "a commit per request", _commit_per_request),
    Contender("c", "FastAPI + SQLAlchemy", _fastapi),
    OURS,
    Contender("d+", "ours, with the worker", _ours_working),
)


def contenders(wanted: Collection[str], modules: Path) -> list[Contender]:
    """Return those of the `wanted` letters (none: all) that can run here; says which can't.

    What is needed of Node's modules is in `modules`, or installed there.
    """
    found = [one for one in (BARE, *_AS_WELL) if not wanted or one.letter in wanted]
    if any(find_spec(name) is None for name in ("fastapi", "sqlalchemy")):
        sys.stderr.write("(c) is left out: pip install -e '.[bench]' brings FastAPI and SQLAlchemy.\n")
        found = [one for one in found if one.letter != "c"]
    if wanted and "e" not in wanted:
        return found
    if not _install_modules(modules):
        sys.stderr.write("(e) is left out: there is no Node here, or its modules could not be installed.\n")
        return found
    return [*found, Contender("e", "Fastify + better-sqlite3", _fastify(modules))]


def _install_modules(folder: Path) -> bool:
    """Install what (e) needs in `folder`, unless it is there; False where that can't be done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    if not all((folder / "node_modules" / name).is_dir() for name in _MODULES):
        (folder / "package.json").write_text(json.dumps({"private": True}))
        command = ["npm", "install", "--no-audit", "--no-fund", *_MODULES]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:  # noqa: S603 - ours
            return False
    works = subprocess.run(
        ["node", "--eval", 'new (require("better-sqlite3"))(":memory:")'],  # noqa: S607 - whichever Node there is
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return works.returncode == 0
