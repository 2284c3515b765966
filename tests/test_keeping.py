"""The store looked after by itself: when it is due, by one process, told where it fails; and the reserve beside it."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import NOW, arrive
from webhookctl.adapters import reserve
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.reserve import Reserve
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.config import load
from webhookctl.config.place_settings import StoreSettings
from webhookctl.core.errors import SettingsError
from webhookctl.core.outcomes import Hindered, LookedAfter
from webhookctl.core.ports.chores import ChoreName
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.wiring import keeping
from webhookctl.wiring.keeping import Keeping

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    opened = open_store(folder / "shop.db", AesGcmCipher([bytes(32)]), create=True)
    arrive(opened, 1, 2)
    yield opened
    opened.close()


@dataclass
class Watched:
    """A `Keeping` whose clock a test turns, and what it has recorded."""

    keeping: Keeping
    patch: pytest.MonkeyPatch
    recorded: list[LookedAfter | Hindered] = field(default_factory=list)

    def at(self, now: int) -> None:
        self.patch.setattr(keeping, "now_ms", lambda: now)
        self.keeping.look()


@pytest.fixture
def watched(store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    written = {
        "url": "sqlite:shop.db",
        "unencrypted": "I accept that codes lie in clear",
        "backup_every": "1d",
        "backup_to": "backups",
        "keep": 2,
        "retention": "400d",
    }
    settings = StoreSettings.model_validate(written, context=folder)
    recorded = list[LookedAfter | Hindered]()
    return Watched(Keeping(settings, store, recorded.append), monkeypatch, recorded)


def test_what_is_due_is_done_and_written_down(watched: Watched, store: SqliteStore, folder: Path) -> None:
    """At the first start, and a day later again, not in between; `status` can tell when and where to."""
    for now in (NOW, NOW + 5_000, NOW + DAY - 1, NOW + DAY):
        watched.at(now)

    done = [one.chore for one in watched.recorded if isinstance(one, LookedAfter)]
    assert done == ["backup", "prune", "backup", "prune"]
    chores = store.chores.all()
    assert (chores[ChoreName.BACKUP].done_at, chores[ChoreName.BACKUP].failing_since) == (NOW + DAY, None)
    assert Path(chores[ChoreName.BACKUP].detail or "").parent == folder / "backups"
    assert (chores[ChoreName.PRUNE].detail or "").startswith("0 events")


def test_a_backup_that_fails_is_told_once(watched: Watched, store: SqliteStore, folder: Path) -> None:
    """It is tried again every hour; a person hears of the first, and of the next only after one that succeeded."""
    (folder / "backups").write_text("a file in the way")
    for now in (NOW, NOW + 1, NOW + HOUR, NOW + 2 * HOUR):
        watched.at(now)
    failing = store.chores.all()[ChoreName.BACKUP]
    (folder / "backups").unlink()
    watched.at(NOW + 3 * HOUR)
    mended = store.chores.all()[ChoreName.BACKUP]

    assert [one.where for one in watched.recorded if isinstance(one, Hindered)] == ["backup"] * 3
    (alert,) = store.outbox.find(ActionQuery())
    assert (alert.supplier, alert.subject, alert.state) == ("", "", "waiting")
    assert "The store's backup fails: The backup's folder" in alert.detail
    assert (failing.done_at, failing.failing_since) == (None, NOW)
    assert (mended.done_at, mended.failing_since) == (NOW + 3 * HOUR, None)


def test_one_of_several_processes_does_it(watched: Watched, store: SqliteStore) -> None:
    """While one is at it the others leave it alone; if it was killed, it is due again an hour later."""
    begun = {"every": DAY, "again_after": HOUR}

    assert store.chores.begin(ChoreName.BACKUP, **begun, now=NOW)
    assert not store.chores.begin(ChoreName.BACKUP, **begun, now=NOW + HOUR - 1)
    watched.at(NOW + 1)
    assert [one.chore for one in watched.recorded if isinstance(one, LookedAfter)] == ["prune"]
    assert store.chores.begin(ChoreName.BACKUP, **begun, now=NOW + HOUR)


def test_a_clock_set_back_puts_nothing_off(store: SqliteStore) -> None:
    """What was done in a future that is no more counts as not done."""
    store.chores.end(ChoreName.BACKUP, done=True, detail="", now=NOW + 300 * DAY)

    assert store.chores.begin(ChoreName.BACKUP, every=DAY, again_after=HOUR, now=NOW)


def test_a_stop_breaks_it_off(watched: Watched, folder: Path) -> None:
    """A process that is told to stop does not wait for the end of a backup, and leaves nothing half done."""

    async def stopped() -> None:
        until = asyncio.Event()
        until.set()
        await watched.keeping.run(until)
        await asyncio.to_thread(watched.at, NOW)

    asyncio.run(stopped())

    assert watched.recorded == []
    assert list((folder / "backups").iterdir()) == []


def test_without_settings_nothing_is_done(store: SqliteStore, folder: Path) -> None:
    """Only the reserve is there."""
    written = {"url": "sqlite:shop.db", "unencrypted": "I accept that codes lie in clear"}
    recorded = list[LookedAfter | Hindered]()

    Keeping(StoreSettings.model_validate(written, context=folder), store, recorded.append).look()

    assert recorded == []
    assert Reserve(folder / "shop.db").path.exists()
    assert store.chores.all() == {}


def test_the_reserve_holds_room(folder: Path) -> None:
    """Real blocks, private, made once; given back it is gone, and it is made again when asked for."""
    kept = Reserve(folder / "shop.db")

    assert (kept.keep(), kept.keep()) == (True, True)
    found = kept.path.stat()
    assert found.st_size <= reserve.SIZE
    assert found.st_blocks * 512 >= found.st_size
    assert found.st_mode & 0o777 == 0o600
    assert (kept.give_back(), kept.give_back()) == (True, False)
    assert kept.keep()


def test_the_reserve_never_fills_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room to spare, or the disk fills up under it, there is none, and nothing half of it."""
    kept = Reserve(folder / "shop.db")

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        assert not kept.keep()
    assert not kept.path.exists()
    monkeypatch.setattr(reserve, "is_low", lambda *_, **__: True)
    assert not kept.keep()
    assert not kept.path.exists()


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ('backup_every = "1d"', "store.backup_to is missing: backup_every is of no use without it"),
        ('backup_to = "backups"', "store.backup_every is missing: backup_to is of no use without it"),
        ('retention = "6d"', 'store.retention must be a week at least, such as "400d"'),
        ("keep = 0", "store.keep must be"),
        ("retention = 400", "store.retention must be a duration in quotes"),
    ],
)
def test_settings_that_make_no_sense(folder: Path, written: str, refused: str) -> None:
    """Refused with the key: half of a pair, a retention that disputes outlive, no backup to be kept."""
    path = folder / "webhookctl.toml"
    path.write_text(f'[store]\nurl = "sqlite:shop.db"\nkeys = ["env:KEY"]\n{written}\n')

    with pytest.raises(SettingsError, match=re.escape(refused)):
        load(path, {})


def test_settings_that_do(folder: Path) -> None:
    """The folder of backups lies beside the settings, wherever one starts from."""
    path = folder / "webhookctl.toml"
    keys = 'backup_every = "12h"\nbackup_to = "backups"\nretention = "400d"'
    path.write_text(f'[store]\nurl = "sqlite:shop.db"\nkeys = ["env:KEY"]\n{keys}\n')

    store = load(path, {}).store

    assert (store.backup_every, store.backup_to, store.keep, store.retention) == (
        12 * HOUR,
        folder / "backups",
        7,
        400 * DAY,
    )
