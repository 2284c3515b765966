"""The SQLite store's file: who may read it, and which files are refused."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.building import NOW, application, arrive, claim_events, verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.adapters.store_sqlite.connection import Journal, journal_for
from webhookctl.adapters.store_sqlite.place import shared_file_system, who_else_writes
from webhookctl.core.errors import SealedError, StoreError, StoreVersionError
from webhookctl.core.ports.events import Applied


@pytest.fixture
def made(path: Path, cipher: AesGcmCipher) -> Path:
    """Return the path of a store that holds one event and is closed."""
    with closing(open_store(path, cipher, create=True)) as store:
        store.intake.accept([verified()])
    return path


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("kind", "shared"),
    [("nfs4", "nfs4"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs"), ("fuseblk", "fuseblk"), ("ext4", None)],
)
def test_what_more_than_this_machine_stands_behind(path: Path, kind: str, shared: str | None) -> None:
    """The kernel's list says of what kind the file system is that the store's folder lies on."""
    device = path.parent.stat().st_dev
    mounts = path.with_name("mountinfo")
    mounts.write_text(
        "22 1 0:999 / /proc rw - nfs4 server:/ rw\n"
        f"43 27 {os.major(device)}:{os.minor(device)} / /srv rw,nosuid shared:7 - {kind} server:/shop rw,vers=4\n"
    )

    assert shared_file_system(path, mounts) == shared
    assert shared_file_system(path, path.with_name("missing")) is None


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_can_read_it(path: Path, cipher: AesGcmCipher) -> None:
    """The file, its -wal, its -shm and its lock are 0600, whatever the umask."""
    with closing(open_store(path, cipher, create=True)) as store:
        store.intake.accept([verified()])
        modes = {each.name: _mode(each) for each in path.parent.iterdir()}

    assert modes == {"shop.db": 0o600, "shop.db-wal": 0o600, "shop.db-shm": 0o600, "shop.db-lock": 0o600}


def test_a_file_that_others_can_read_is_closed_to_them(made: Path, cipher: AesGcmCipher) -> None:
    """A copy made without care gets its mode back, and the operator is told."""
    made.chmod(0o644)

    with closing(open_store(made, cipher, create=False)) as store:
        notices = store.notices
    with closing(open_store(made, cipher, create=False)) as store:
        later = store.notices

    assert _mode(made) == 0o600
    assert (len(notices), later) == (1, ())
    assert str(made) in notices[0]


def test_what_was_stored_is_there_after_reopening(made: Path, cipher: AesGcmCipher) -> None:
    """Events and the keys of duplicates outlive the process."""
    for expected in (Applied.DONE, Applied.DUPLICATE):
        with closing(open_store(made, cipher, create=False)) as store:
            store.intake.accept([verified(2)])
            first, *others = claim_events(store)
            assert store.events.apply([application(first, key=b"evt_1")], now=NOW) == [expected]
            store.events.apply([application(one) for one in others], now=NOW)


def test_opening_writes_nothing(made: Path, cipher: AesGcmCipher) -> None:
    """A command that only looks never waits for the lock of those who write."""
    content = made.read_bytes()

    with closing(open_store(made, cipher, create=False)) as writer, writer.connection.writing():
        open_store(made, cipher, create=False, busy_ms=1).close()

    assert made.read_bytes() == content


def test_a_missing_store_is_not_made_by_those_who_only_look(path: Path, cipher: AesGcmCipher) -> None:
    """The sentence names the path and what makes a store; no file appears."""
    with pytest.raises(StoreError, match=r"no store at .*shop\.db.*`webhookctl serve`, which makes") as caught:
        open_store(path, cipher, create=False)

    assert "serve" in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path, cipher: AesGcmCipher) -> None:
    """It is for the operator to make, with the mode that he wants."""
    with pytest.raises(StoreError, match=r"folder .*nowhere can't be used: No such file"):
        open_store(tmp_path / "nowhere" / "shop.db", cipher, create=True)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_everybody_writes_to_is_refused(path: Path, cipher: AesGcmCipher, mode: int) -> None:
    """Sticky or not: somebody could lay a journal beside the store that SQLite would believe."""
    path.parent.chmod(mode)

    with pytest.raises(StoreError, match=r"can be written to by everybody.*chmod go-w"):
        open_store(path, cipher, create=True)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "expected"),
    [
        (0o755, os.geteuid(), 0, None),
        (0o775, 0, 0, None),  # root's own group has nobody else
        (0o775, os.geteuid(), 54_321, "its group"),
        (0o755, 54_321, 0, "its owner, another user"),
        (0o757, os.geteuid(), 0, "everybody"),
    ],
)
def test_who_else_writes_to_a_folder(mode: int, uid: int, gid: int, expected: str | None) -> None:
    """A group counts unless it is its owner's private one."""
    found = os.stat_result((stat.S_IFDIR | mode, 1, 1, 2, uid, gid, 0, 0, 0, 0))

    assert who_else_writes(found) == expected


def test_a_second_name_is_refused(made: Path, cipher: AesGcmCipher) -> None:
    """A hard link has a journal of its own: two names, two journals, one damaged file."""
    os.link(made, made.with_name("other.db"))

    with pytest.raises(StoreError, match="hard link"):
        open_store(made, cipher, create=False)


def test_a_folder_is_no_store(tmp_path: Path, cipher: AesGcmCipher) -> None:
    """Nor is anything else that is no file."""
    with pytest.raises(StoreError, match="is not a file"):
        open_store(tmp_path, cipher, create=True)


def test_a_path_may_hold_any_character(tmp_path: Path, cipher: AesGcmCipher) -> None:
    """Also those that mean something in the URI that SQLite is given."""
    path = tmp_path / "a?mode=ro&b%20#ü.db"

    open_store(path, cipher, create=True).close()

    assert {each.name for each in tmp_path.iterdir()} == {path.name, f"{path.name}-lock"}


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "content",
    [b"hello, this is a text\n" * 500, b"\x00" * 8192, b"SQLite format 3\x00" + b"\xff" * 8000],
    ids=["text", "zeros", "header"],
)
def test_a_file_that_is_no_store_is_refused_and_left_as_it_was(
    path: Path, cipher: AesGcmCipher, content: bytes, *, create: bool
) -> None:
    """Never overwritten, never made anew."""
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StoreError, match=r"shop\.db is no SQLite file, or is damaged; nothing was changed"):
        open_store(path, cipher, create=create)

    assert path.read_bytes() == content


def test_a_store_cut_short_is_refused_and_left_as_it_was(made: Path, cipher: AesGcmCipher) -> None:
    """A copy that was broken off, say."""
    content = made.read_bytes()[: 3 * 4096 + 100]
    made.write_bytes(content)

    with pytest.raises(StoreError, match="damaged"):
        open_store(made, cipher, create=True)

    assert made.read_bytes() == content


def test_another_programs_file_is_refused(path: Path, cipher: AesGcmCipher, made: Path) -> None:
    """A SQLite file without our migrations is somebody else's."""
    other = path.with_name("other.db")
    shutil.copy(made, other)
    with closing(open_store(other, cipher, create=False)) as store, store.connection.writing() as raw:
        raw.execute("DELETE FROM _sqlite_migrations")

    with pytest.raises(StoreError, match=r"other\.db belongs to another program"):
        open_store(other, cipher, create=True)


def test_an_empty_file_becomes_a_store_only_where_one_is_to_be_made(path: Path, cipher: AesGcmCipher) -> None:
    """It is what a first start leaves that was cut off; the next one mends it."""
    path.touch(0o600)

    with pytest.raises(StoreError, match="holds no store yet"):
        open_store(path, cipher, create=False)
    with closing(open_store(path, cipher, create=True)) as store:
        assert len(arrive(store)) == 1


def test_a_newer_store_is_refused(made: Path, cipher: AesGcmCipher) -> None:
    """By the name of the migration that we don't know."""
    with closing(open_store(made, cipher, create=False)) as store, store.connection.writing() as raw:
        raw.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('webhookctl', 'm999_later')")

    with pytest.raises(StoreVersionError, match=r"newer webhookctl \(it knows m999_later\): upgrade"):
        open_store(made, cipher, create=True)


def test_a_store_under_another_key_is_refused(made: Path) -> None:
    """Before anything is written that the right key's owner could not read."""
    with pytest.raises(SealedError, match="needs the key 630dcd29"):
        open_store(made, AesGcmCipher([bytes(32)]), create=False)


def test_several_may_make_the_store_at_once(path: Path, cipher: AesGcmCipher) -> None:
    """All end up with the same one, under the same dedup key."""

    def first_start(_: int) -> bytes:
        with closing(open_store(path, cipher, create=True)) as store:
            return store.events.dedup_key

    with ThreadPoolExecutor(8) as starting:
        keys = set(starting.map(first_start, range(8)))

    assert len(keys) == 1


def test_the_promises_of_sqlite_are_switched_on(path: Path, cipher: AesGcmCipher) -> None:
    """Each PRAGMA on which durability and secrecy rest, and strict tables."""
    expected = {"synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "auto_vacuum": 2, "journal_mode": "wal"}
    with closing(open_store(path, cipher, create=True)) as store, store.connection.reading() as raw:
        found = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in expected}
        lax = {
            name
            for schema, name, kind, _, _, strict in raw.execute("PRAGMA table_list")
            if schema == "main" and kind == "table" and not strict and not name.startswith("sqlite_")
        }

    assert found == expected
    assert lax == {"_sqlite_migrations"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((3, 40, 1), Journal.DELETE),
        ((3, 44, 5), Journal.DELETE),
        ((3, 44, 6), Journal.WAL),
        ((3, 45, 0), Journal.DELETE),
        ((3, 50, 6), Journal.DELETE),
        ((3, 50, 7), Journal.WAL),
        ((3, 51, 0), Journal.DELETE),
        ((3, 51, 2), Journal.DELETE),
        ((3, 51, 3), Journal.WAL),
        ((3, 53, 4), Journal.WAL),
        ((4, 0, 0), Journal.WAL),
        ((3, 6, 23), Journal.DELETE),
    ],
)
def test_wal_is_used_only_where_it_loses_nothing(version: tuple[int, int, int], expected: Journal) -> None:
    """Releases with the WAL-reset bug do without; those to which the fix was carried back need not."""
    assert journal_for(version) is expected


_ON_STOCK_SQLITE = """
import sqlite3, sys
from contextlib import closing
sys.modules["pysqlite3"] = None
from tests.store.building import NOW, verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.adapters.store_sqlite.connection import journal_for
with closing(open_store(sys.argv[1], AesGcmCipher([bytes(range(32))]), create=True)) as store:
    store.intake.accept([verified()])
    claimed = store.events.claim(now=NOW, limit=9, lease_ms=9)
    with store.connection.reading() as raw:
        (synchronous,) = raw.execute("PRAGMA synchronous").fetchone()
    expected = journal_for(sqlite3.sqlite_version_info).value
    assert store.reports.summary(now=NOW).journal_mode == expected, expected
    assert synchronous == {"wal": 2, "delete": 3}[expected], synchronous
    print(len(claimed))
"""


def test_it_works_with_the_sqlite_of_the_system(path: Path, cipher: AesGcmCipher) -> None:
    """Where pysqlite3 is missing, with the journal that is safe there; and a good SQLite takes the file up again."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _ON_STOCK_SQLITE, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("1\n", "")
    with closing(open_store(path, cipher, create=False)) as store:
        assert isinstance(store, SqliteStore)
        assert store.reports.summary(now=NOW).events == {"queued": 1}
