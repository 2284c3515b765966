"""Is a copy of the store what SQLite wrote, and does its key open it? Asked while the disk still writes it."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite import page_owners
from webhookctl.adapters.store_sqlite.connection import Connection, SqliteError, connect, is_damage
from webhookctl.adapters.store_sqlite.pace import Pace
from webhookctl.adapters.store_sqlite.schema import migrate, refuse_wrong_key
from webhookctl.adapters.store_sqlite.soundness import short
from webhookctl.core.errors import StoreError
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

_AT_ONCE: Final = 3
"""Threads: one waits for the disk, two ask."""
_STEPS: Final = 2_000
"""Of SQLite's own machine, or pages, between two looks at the clock."""
_LOOK_EVERY_S: Final = 0.001
_TELL_EVERY_S: Final = 0.05
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rootpage"
"""The events, which take longest, are among the first that were made."""
_MAPPED: Final = 1 << 40
"""Bytes of a file that SQLite reads as memory: as much as it can."""


def check(target: Path, handle: int, cipher: Cipher, pace: Pace, advance: Callable[[int], None]) -> None:
    """Read the copy as whoever restores it would: its pages, its version and its keys; raises `StoreError`.

    Raises `OSError` where the disk can't write it, and what `advance` raises, which is told now and then that it lasts.
    """
    with closing(Connection(target, busy_ms=0, only_read=True)) as copied:
        refuse_wrong_key(copied, cipher)
        migrate(copied, create=False)
        with copied.reading() as raw:
            questions = _questions(raw)
    stop = threading.Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(os.fsync, handle), *(pool.submit(_ask, target, each, pace, stop) for each in questions)]
        asked += [pool.submit(_ask_owners, target)] if len(questions) > 1 else []
        try:
            advance(0)
            while wait(asked, _TELL_EVERY_S, FIRST_EXCEPTION).not_done:
                _raise_failed(asked)
                advance(0)
            _raise_failed(asked)
        finally:
            stop.set()


def _raise_failed(asked: "Sequence[Future[None]]") -> None:
    for one in asked:
        if one.done():
            one.result()


def _questions(raw: "sqlite3.Connection") -> list[str]:
    """Return what to ask: of each table, so that two can be asked at once."""
    if not raw.execute("PRAGMA auto_vacuum").fetchone()[0]:  # no page says whose it is: two tables might share one
        return ["PRAGMA quick_check(1)"]
    return [f"PRAGMA quick_check('{name}')" for name in ("sqlite_schema", *(name for (name,) in raw.execute(_TABLES)))]


def _ask(target: Path, question: str, pace: Pace, stop: threading.Event) -> None:
    """Raise `StoreError` where a question is answered by damage."""
    began = perf_counter()

    def look() -> bool:
        nonlocal began
        if perf_counter() - began >= _LOOK_EVERY_S:
            if pace.others_write():
                pace.stand_back(began)
            began = perf_counter()
        return stop.is_set()

    try:
        # Nobody else knows of the copy: it can't change while it is read.
        with closing(connect(target, "mode=ro&immutable=1")) as raw:
            raw.text_factory = partial(str, encoding="utf-8", errors="replace")  # damage may be quoted as it is
            raw.execute(f"PRAGMA mmap_size = {_MAPPED}")
            raw.set_progress_handler(look, _STEPS)
            (found,) = raw.execute(question).fetchone()
    except SqliteError as error:
        if not is_damage(error):
            raise
        found = str(error)
    _refuse(target, found)


def _ask_owners(target: Path) -> None:
    _refuse(target, page_owners.first_wrong(target))


def _refuse(target: Path, found: str) -> None:
    if found != "ok":
        raise StoreError(f"The copy {target} is damaged ({short(found)}): look at the store and at both disks.")
