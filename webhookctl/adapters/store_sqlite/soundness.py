"""Is the file what SQLite wrote? Asked in a few seconds by those who are about to write to it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webhookctl.adapters.store_sqlite.connection import Connection, is_interrupted
from webhookctl.adapters.store_sqlite.journal import what_is_lost
from webhookctl.adapters.store_sqlite.locking import was_made
from webhookctl.core.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

_LOOK_FOR_S: Final = 3.0
"""A big store must not keep suppliers waiting for a new start; `store check` takes all the time that it needs."""
_STEPS: Final = 10_000
"""Of SQLite's own machine, between two looks at the clock: about a millisecond."""


def refuse_lost(path: Path) -> None:
    """Raise `StoreError` where what was acknowledged is gone already, before SQLite can take that for how it is."""
    if lost := what_is_lost(path):
        raise StoreError(lost_in_words(path, lost))
    refuse_emptied(path)


def refuse_emptied(path: Path) -> None:
    """Raise `StoreError` where nothing is left of a store that was there."""
    if not path.stat().st_size and (was_made(path) or _size(path.with_name(f"{path.name}-wal"))):
        raise StoreError(
            f"The store {path} is empty, and was not: something has cut it to nothing. Nothing was changed. "
            "Bring back a backup with `webhookctl store restore FILE`; to begin anew, remove the file."
        )


def lost_in_words(path: Path, lost: str) -> str:
    """Say what a damaged journal means, or one that is gone, and what can be done."""
    return (
        f"The journal {path}-wal of the store {lost}: what was acknowledged last can't be read. Nothing was changed. "
        "Put it back if somebody moved it. Or else keep it for a closer look, and bring back a backup with `webhookctl "
        f"store restore FILE`; or, to go on without what it held, move what there is of {path.name}-wal and "
        f"{path.name}-shm elsewhere: suppliers' repeats and `webhookctl poll` fill the gap."
    )


def refuse_damage(connection: Connection) -> None:
    """Raise `StoreBrokenError` where a short look finds damage."""
    end = time.monotonic() + _LOOK_FOR_S
    found = "ok"
    with connection.reading() as raw:
        raw.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            found = raw.execute("PRAGMA quick_check(1)").fetchone()[0]
        except raw.OperationalError as error:
            if not is_interrupted(error):
                raise
        finally:
            raw.set_progress_handler(None, 0)
    if found != "ok":
        connection.give_up(short(found))


def hear_interrupts(raw: "sqlite3.Connection") -> None:
    """Let Ctrl-C end a statement that takes long: Python hears signals only between two of its own steps."""
    raw.set_progress_handler(lambda: 0, _STEPS)


def short(found: str) -> str:
    """Return what an integrity check says of the first fault, without its heading."""
    return found.splitlines()[-1]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
