"""Backups of a store that others change as fast as they can: `python -m tests.chaos.backup_race [--backups 200]`.

Two processes commit, checkpoint at every turn, and let the file grow and shrink; a third forces the WAL to be begun
anew. Each transaction moves an amount from one row to another, and adds a link to a chain. Every backup must be whole,
hold the same amount in all, an unbroken chain, and what was committed before it began.
"""

import argparse
import hashlib
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.adapters.store_sqlite.connection import SqliteError, connect
from webhookctl.wiring.backing_up import back_up

if TYPE_CHECKING:
    import sqlite3

_CIPHER: Final = AesGcmCipher([bytes(range(32))])
_ACCOUNTS: Final = 1_000
_AMOUNT: Final = 1_000
_LINKS_KEPT: Final = 100
_TABLES: Final = (
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL, padding BLOB NOT NULL)",
    "CREATE TABLE chain (id INTEGER PRIMARY KEY, link BLOB NOT NULL, padding BLOB NOT NULL)",
)
_PATIENCE_MS: Final = 60_000
_LARGEST_WAL: Final = 16 << 20


@contextmanager
def writing(raw: "sqlite3.Connection") -> Iterator[None]:
    """Write in one transaction."""
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        raw.execute("ROLLBACK")
        raise
    raw.execute("COMMIT")


def link(number: int, before: bytes) -> bytes:
    """Make what the chain has at `number` of what it had before."""
    return hashlib.sha256(before + number.to_bytes(8, "big")).digest()


def prepare(path: Path) -> None:
    """Make a store, and what is changed in it, some megabytes of it."""
    open_store(path, _CIPHER, create=True).close()
    with closing(connect(path, "mode=rw")) as raw, writing(raw):
        for statement in _TABLES:
            raw.execute(statement)
        rows = ((number, _AMOUNT, bytes(1_500)) for number in range(_ACCOUNTS))
        raw.executemany("INSERT INTO accounts VALUES (?, ?, ?)", rows)
        raw.execute("INSERT INTO chain VALUES (1, ?, x'')", (link(1, b""),))


def change(path: Path, seed: int, until: Event) -> None:
    """Commit until told to stop."""
    chance = random.Random(seed)  # noqa: S311 - to be had again
    wal = path.with_name(f"{path.name}-wal")
    with closing(connect(path, "mode=rw", _PATIENCE_MS)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("PRAGMA wal_autocheckpoint = 20")
        raw.execute("PRAGMA cache_size = 20")  # what is not committed yet is written all the same
        while not until.is_set():
            if not wal.exists() or wal.stat().st_size < _LARGEST_WAL:  # it can't be emptied during a backup
                with suppress(SqliteError), writing(raw):  # without a WAL it may wait in vain
                    _change_once(raw, chance)
            time.sleep(chance.random() / 500)


def _change_once(raw: "sqlite3.Connection", chance: random.Random) -> None:
    moved = chance.randrange(_AMOUNT)
    for number, amount in ((chance.randrange(_ACCOUNTS), moved), (chance.randrange(_ACCOUNTS), -moved)):
        padding = chance.randbytes(chance.randrange(3_000))
        raw.execute("UPDATE accounts SET amount = amount + ?, padding = ? WHERE id = ?", (amount, padding, number))
    last, before = raw.execute("SELECT id, link FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    raw.execute(
        "INSERT INTO chain VALUES (?, ?, ?)", (last + 1, link(last + 1, before), bytes(chance.randrange(8_000)))
    )
    raw.execute("DELETE FROM chain WHERE id < ?", (last - chance.randrange(_LINKS_KEPT),))
    if not chance.randrange(10):
        raw.execute("PRAGMA incremental_vacuum(50)").fetchall()


def checkpoint(path: Path, seed: int, until: Event) -> None:
    """Bring the WAL into the file, and have it begun anew, as often as it can be until told to stop."""
    chance = random.Random(seed)  # noqa: S311 - to be had again
    with closing(connect(path, "mode=rw", 1)) as raw:
        while not until.is_set():
            how = chance.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
            with suppress(SqliteError):
                raw.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
            time.sleep(chance.random() / 500)


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """Have others change the store until the block ends."""
    context = multiprocessing.get_context("spawn")
    until = context.Event()
    others = [
        context.Process(target=task, args=(path, seed, until), daemon=True)
        for seed, task in enumerate((change, change, checkpoint))
    ]
    for other in others:
        other.start()
    try:
        yield
    finally:
        until.set()
        for other in others:
            other.join()


def last_link(path: Path) -> int:
    """Return how far the chain has come."""
    with closing(connect(path, "mode=rw", _PATIENCE_MS)) as raw:
        (last,) = raw.execute("SELECT max(id) FROM chain").fetchone()
    return int(last)


def faults(copy: Path, at_least: int) -> Iterator[str]:
    """Say what is wrong with a backup."""
    with closing(connect(copy, "mode=ro&immutable=1")) as raw:
        found = [text for (text,) in raw.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            yield f"SQLite finds {found[0]}"
        (amount,) = raw.execute("SELECT sum(amount) FROM accounts").fetchone()
        if amount != _ACCOUNTS * _AMOUNT:
            yield f"the accounts hold {amount}"
        chain = raw.execute("SELECT id, link FROM chain ORDER BY id").fetchall()
    for (number, before), (following, made) in pairwise(chain):
        if following != number + 1 or made != link(following, before):
            yield f"the chain is broken after {number}"
    if chain[-1][0] < at_least:
        yield f"the chain ends at {chain[-1][0]}, and had come to {at_least}"


def race(folder: Path, backups: int) -> dict[str, Any]:
    """Make backups while others change the store; returns what was wrong, and how far the chain came meanwhile."""
    path, copy = folder / "shop.db", folder / "copy.db"
    prepare(path)
    wrong, grew = list[str](), 0
    with changed(path), closing(open_store(path, _CIPHER, create=False)) as store:
        first = before = last_link(path)
        while last_link(path) == first:  # the others have begun
            time.sleep(0.01)
        for _ in range(backups):
            before = last_link(path)
            back_up(store, str(copy), keep=None, force=True, advance=lambda _: None)
            grew += last_link(path) > before
            wrong += faults(copy, before)
    return {"wrong": wrong, "links": last_link(path) - first, "changed_meanwhile": grew}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        found = race(Path(made), chosen.backups)
    sys.stdout.write(
        f"{chosen.backups} backups, {found['changed_meanwhile']} of them of a store that changed meanwhile, "
        f"{found['links']:,} transactions.\n"
    )
    if found["wrong"]:
        sys.exit("; ".join(found["wrong"][:5]))
    sys.stdout.write("Every one was whole.\n")


if __name__ == "__main__":
    main()
