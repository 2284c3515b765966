"""Backups: one state of the store, whoever writes meanwhile, checked and put in place whole or not at all."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.chaos import backup_race
from tests.store.building import NOW, arrive, verified
from webhookctl.adapters import backup_place
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store, pace
from webhookctl.adapters.store_sqlite.connection import connect
from webhookctl.core.errors import SealedError, StoreError, StoreFullError, UsageError
from webhookctl.core.ports.events import EventQuery
from webhookctl.wiring.backing_up import BackedUp, back_up, size_of

CIPHER: Final = AesGcmCipher([bytes(range(32))])


def none(_step: int) -> None:
    """Say nothing of how far it has come."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    opened = open_store(folder / "shop.db", CIPHER, create=True)
    arrive(opened, *range(1, 101))
    yield opened
    opened.close()


def make(
    store: SqliteStore,
    named: Path | str,
    *,
    keep: int | None = None,
    force: bool = False,
    advance: Callable[[int], None] = none,
) -> BackedUp:
    return back_up(store, str(named), keep=keep, force=force, advance=advance)


def events_in(path: Path) -> int:
    with closing(open_store(path, CIPHER, create=False)) as copy:
        return len(copy.events.find(EventQuery(limit=10_000)))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("shop.db"))


def test_a_backup_opens_like_the_store(store: SqliteStore, folder: Path) -> None:
    """Private, alone in its folder, with all that was there, and open to nobody without the key."""
    done = make(store, folder / "copy.db")

    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert names_in(folder) == ["copy.db"]
    assert done.bytes == done.path.stat().st_size
    assert events_in(done.path) == 100
    with pytest.raises(SealedError, match="needs the key"):
        open_store(done.path, AesGcmCipher([bytes(32)]), create=False)


def test_a_copy_never_begins_again(store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who commits and checkpoints between all steps neither makes it begin again nor gets into the copy."""
    for name in ("STEP_BYTES", "ALONE_BYTES"):
        monkeypatch.setattr(pace, name, 4096)
    sizes, blocked = list[int](), set[int]()
    size = size_of(store)
    with closing(connect(folder / "shop.db", "mode=rw")) as other:

        def write(step: int) -> None:
            if step:
                sizes.append(step)
                store.intake.accept([verified(200 + len(sizes), received_at=NOW)])
                blocked.add(other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])

        done = make(store, folder / "copy.db", advance=write)
    total = len(store.events.find(EventQuery(limit=10_000)))

    assert max(sizes) == 4096
    assert sum(sizes) == size
    assert total == 100 + len(sizes)
    assert blocked == {1}
    assert events_in(done.path) == 100


def test_a_wal_that_is_begun_anew(store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all of it was in the file already, it may be overwritten while it is copied: no old page comes back."""
    monkeypatch.setattr(pace, "ALONE_BYTES", 16_384)
    monkeypatch.setattr(pace, "STEP_BYTES", 16_384)
    with closing(connect(folder / "shop.db", "mode=rw")) as other:
        for number in range(50):
            other.execute("UPDATE events SET supplier = ?", (f"before-{number}",))
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        steps = iter([1])

        def write(step: int) -> None:
            if step and next(steps, None):
                for number in range(40):
                    other.execute("UPDATE events SET supplier = ?", (f"meanwhile-{number}",))

        done = make(store, folder / "copy.db", advance=write)

    with closing(connect(done.path, "mode=ro&immutable=1")) as raw:
        suppliers = raw.execute("SELECT DISTINCT supplier FROM events").fetchall()
    assert suppliers == [("meanwhile-39",)]


def test_under_writers_who_never_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup is whole, one state of the store, and holds what was committed before it began."""
    monkeypatch.setattr(pace, "_REST", 0.0)

    found = backup_race.race(folder, 6)

    assert found["wrong"] == []
    assert found["changed_meanwhile"]


def test_the_wal_is_behind_us_afterwards(store: SqliteStore, folder: Path) -> None:
    """What was committed meanwhile is in the store itself: the next delivery need not write it there."""

    def write(step: int) -> None:
        if step:
            store.intake.accept([verified(300, body=bytes(1 << 20))])

    make(store, folder / "copy.db", advance=write)

    with store.connection.reading() as raw:
        before = raw.execute("SELECT max(id) FROM events").fetchone()
    with closing(open_store(folder / "shop.db", CIPHER, create=False)) as other:
        _, logged, moved = other.connection._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # noqa: SLF001 - how much is left
    assert before > (100,)
    assert logged == moved


def test_what_is_not_sealed_in_the_store_is_not_in_the_copy(store: SqliteStore, folder: Path) -> None:
    """The copy has the very bytes of the store: nothing is opened for it."""
    store.intake.accept([verified(500, body=b"CANARY-CODE")])

    assert b"CANARY-CODE" not in make(store, folder / "copy.db").path.read_bytes()


@pytest.mark.parametrize("ending", ["", "-wal", "-reserve"])
def test_the_store_itself_is_no_target(store: SqliteStore, folder: Path, ending: str) -> None:
    """Nor what belongs to it, by whichever name, with --force or not."""
    (folder / "shop.db-reserve").touch()
    (folder / "link.db").symlink_to(folder / f"shop.db{ending}")

    for named in (folder / f"shop.db{ending}", folder / "link.db"):
        with pytest.raises(UsageError, match="belongs to the store itself"):
            make(store, named, force=True)


def test_a_file_that_is_there_is_kept(store: SqliteStore, folder: Path) -> None:
    """Unless --force says otherwise: then it is exchanged as a whole, and only once the new one is checked."""
    other = folder / "copy.db"
    other.write_bytes(b"a letter")

    with pytest.raises(UsageError, match="is there already: name another file or a folder, or say --force"):
        make(store, other)
    kept = other.read_bytes()
    make(store, other, force=True)

    assert kept == b"a letter"
    assert events_in(other) == 100


def test_where_a_backup_is_not_put(store: SqliteStore, folder: Path) -> None:
    """A folder that is not there, one that others may write to, a pipe: each is refused with what to do."""
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    os.mkfifo(folder / "pipe")

    with pytest.raises(StoreError, match="can't be used: No such file or directory"):
        make(store, folder / "none" / "copy.db")
    with pytest.raises(StoreError, match="can be written to by everybody, who could exchange the copy"):
        make(store, shared)
    with pytest.raises(UsageError, match="no file: name another"):
        make(store, folder / "pipe", force=True)
    with pytest.raises(UsageError, match="--keep is for a folder of backups"):
        make(store, folder / "copy.db", keep=7)


def test_too_little_room_is_seen_before(folder: Path) -> None:
    """Filling the disk would stop the store that lies on it: what can't fit is not begun."""
    target = backup_place.target(str(folder / "copy.db"), folder / "shop.db", now=NOW)

    with pytest.raises(StoreFullError, match=r"The backup needs about .* MiB, and .* MiB left"):
        backup_place.check(target, folder / "shop.db", force=False, size=1 << 60)
    assert names_in(folder) == []


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_broken_off_nothing_is_left(
    store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int
) -> None:
    """Ctrl-C, or a disk that fills up, at any moment of copying: the half file goes, what was there before stays."""
    monkeypatch.setattr(pace, "STEP_BYTES", 16_384)
    monkeypatch.setattr(pace, "ALONE_BYTES", 16_384)
    (folder / "copy.db").write_bytes(b"older")
    steps = iter(range(at, -1, -1))

    def stop(_step: int) -> None:
        if not next(steps, 1):
            raise error

    with pytest.raises((KeyboardInterrupt, StoreError)):
        make(store, folder / "copy.db", force=True, advance=stop)

    assert names_in(folder) == ["copy.db"]
    assert (folder / "copy.db").read_bytes() == b"older"
    assert make(store, folder / "copy.db", force=True).path.exists()


def test_broken_off_while_it_is_checked(store: SqliteStore, folder: Path) -> None:
    """The check of a large copy takes seconds: it ends at once, too."""

    def stop(step: int) -> None:
        if step == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(store, folder / "copy.db", advance=stop)

    assert names_in(folder) == []


def test_a_damaged_copy_is_not_put_in_place(store: SqliteStore, folder: Path) -> None:
    """A page that the disk has spoilt is found before the last good backup is given up for it."""
    spoilt = folder / ".copy.db.partial"
    with closing(connect(folder / "shop.db", "mode=rw")) as other:  # or else the copied WAL would mend it
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def spoil(step: int) -> None:
        if step:
            with spoilt.open("r+b") as file:
                file.seek(3 * 4096)
                file.write(b"\xff" * 4096)

    with pytest.raises(StoreError, match=r"damaged|malformed"):
        make(store, folder / "copy.db", advance=spoil)

    assert names_in(folder) == []


def test_what_a_killed_backup_left_is_removed(store: SqliteStore, folder: Path) -> None:
    """The next one clears up after it, and leaves alone what another is writing just now, and what is not ours."""
    backups = folder / "backups"
    backups.mkdir(0o700)
    name, other = ".shop-20260101T000000Z.db.partial", backups / ".notes.partial"
    left = [backups / name, backups / f"{name}-wal", backups / f"{name}-shm"]
    for path in (*left, other):
        path.touch()
    target = backup_place.target(f"{backups}/", folder / "shop.db", now=NOW)

    with backup_place.making(target) as busy:
        make(store, backups)
        with pytest.raises(StoreError, match="Another backup is being written"), backup_place.making(target):
            pass
        assert busy.exists()
        busy.write_bytes(b"")

    assert not any(path.exists() for path in left)
    assert other.exists()


def test_no_wal_of_another_gets_into_a_copy(store: SqliteStore, folder: Path) -> None:
    """What a killed backup of the same name left is not taken for what the store holds."""
    with closing(connect(folder / "shop.db", "mode=rw")) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        store.intake.accept([verified(300)])
        left = (folder / "shop.db-wal").read_bytes()
        other.execute("DELETE FROM events")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    (folder / ".copy.db.partial-wal").write_bytes(left)

    done = make(store, folder / "copy.db")

    assert names_in(folder) == ["copy.db"]
    assert events_in(done.path) == 0


def test_rotation(store: SqliteStore, folder: Path) -> None:
    """The newest stay; what another program or person put there stays too, and what is not whole counts for nothing."""
    backups = folder / "backups"
    backups.mkdir(0o700)
    whole = make(store, folder / "copy.db").path.read_bytes()
    ours = [f"shop-2025010{day}T000000Z.db" for day in range(1, 6)]
    foreign = ["shop-20250101T000000Z.db.bak", "shop-latest.db", "other-20250101T000000Z.db", "shop-20250101.db"]
    for name in (*ours, *foreign):
        (backups / name).write_bytes(whole)
    (backups / ours[4]).write_bytes(whole[:-1])
    (backups / "shop-20240101T000000Z.db").symlink_to(folder / "copy.db")

    done = make(store, backups, keep=3)

    assert [path.name for path in done.removed] == [ours[1], ours[0]]
    assert [path.name for path in done.broken] == [ours[4]]
    kept = {done.path.name, *ours[2:], *foreign, "shop-20240101T000000Z.db"}
    assert {path.name for path in backups.iterdir()} == kept


def test_a_folder_of_backups_is_made(store: SqliteStore, folder: Path) -> None:
    """A name that ends with a slash is a folder, for nobody else; the file's name tells the time."""
    done = make(store, f"{folder}/backups/")

    assert stat.S_IMODE((folder / "backups").stat().st_mode) == 0o700
    assert done.path.parent == folder / "backups"
    assert done.path.name.startswith("shop-20")


def test_two_backups_at_once(store: SqliteStore, folder: Path) -> None:
    """Each is whole, or says that another is being written."""
    failures = list[str]()

    def run() -> None:
        try:
            make(store, folder / "copy.db", force=True)
        except StoreError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert events_in(folder / "copy.db") == 100
    assert all("Another backup is being written" in one for one in failures)
    assert ".copy.db.partial" not in names_in(folder)
