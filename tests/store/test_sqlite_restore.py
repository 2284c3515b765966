"""Bringing a backup back, and an older store up to date."""

import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import NOW, order, verified
from tests.store.damaging import DAMAGES, fill, first_leaf, garble_page, put_orders, root_page
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import exchanging, open_store, open_to_look
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.locking import take_alone
from webhookctl.adapters.store_sqlite.migrating import bring_up_to_date
from webhookctl.adapters.store_sqlite.restoring import restorable
from webhookctl.adapters.store_sqlite.schema import as_made
from webhookctl.core.errors import SealedError, StoreBusyError, StoreError, StoreVersionError, UsageError
from webhookctl.core.ports.checks import Depth, Scope
from webhookctl.core.ports.cipher import Cipher

SCOPE: Final = Scope(Depth.USUAL, NOW, clear_is_wanted=False)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("filled") / "shop.db", AesGcmCipher([bytes(range(32))]), orders=8)


@pytest.fixture
def backup(filled: Path, tmp_path: Path) -> Path:
    """Return a copy of a store with eight events."""
    return Path(shutil.copy(filled, tmp_path / "backup.db"))


@pytest.fixture
def present(path: Path, cipher: Cipher) -> Path:
    """Return a store with three events."""
    with closing(open_store(path, cipher, create=True)) as store:
        put_orders(store, 3)
    return path


def _restore(path: Path, file: Path, cipher: Cipher) -> Path | None:
    with restorable(path, file, cipher, SCOPE, lambda _: None) as found:
        return found.exchange()


def _events(path: Path, cipher: Cipher) -> int:
    with closing(open_store(path, cipher, create=False)) as store:
        return sum(store.reports.summary(now=NOW).events.values())


def _names(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


def test_a_backup_takes_the_stores_place(present: Path, backup: Path, cipher: Cipher) -> None:
    """The former store is kept whole beside it; nobody else can read either; nothing else is left."""
    told = list[int]()
    with restorable(present, backup, cipher, SCOPE, told.append) as found:
        held = found.backup, found.present
        kept = found.exchange()

    assert kept is not None
    assert [one.events for one in held if one] == [8, 3]
    assert sum(told) == backup.stat().st_size
    assert (_events(present, cipher), _events(kept, cipher)) == (8, 3)
    assert stat.S_IMODE(present.stat().st_mode) == 0o600
    assert not any("restoring" in name or name.endswith(("-wal", "-shm")) for name in _names(present))


def test_what_only_looks_at_a_backup_changes_nothing(present: Path, backup: Path, cipher: Cipher) -> None:
    """Until it is exchanged everything is as it was, and afterwards too if it never is."""
    before = present.read_bytes(), backup.read_bytes()
    with restorable(present, backup, cipher, SCOPE, lambda _: None):
        pass

    assert (present.read_bytes(), backup.read_bytes()) == before
    assert _events(present, cipher) == 3


def test_a_missing_store_is_made_of_the_backup(path: Path, backup: Path, cipher: Cipher) -> None:
    """Also beside a journal of the store that is gone: it is not taken for that of the backup."""
    path.with_name(f"{path.name}-wal").write_bytes(bytes(5000))

    assert _restore(path, backup, cipher) is None
    assert _events(path, cipher) == 8


def test_a_copy_with_its_journal_is_restored_with_it(path: Path, tmp_path: Path, cipher: Cipher) -> None:
    """What was copied from under a store is in both files."""
    live = tmp_path / "live.db"
    with closing(open_store(live, cipher, create=True)) as store:
        put_orders(store, 4)
        for suffix in ("", "-wal"):
            shutil.copy(f"{live}{suffix}", tmp_path / f"copy.db{suffix}")

    _restore(path, tmp_path / "copy.db", cipher)

    assert _events(path, cipher) == 4


def test_a_store_in_use_is_left_alone(present: Path, backup: Path, cipher: Cipher) -> None:
    """By any process that has it open; and while one is restored nobody opens it."""
    with (
        closing(open_store(present, cipher, create=False)),
        pytest.raises(StoreBusyError, match="is in use: stop every"),
    ):
        _restore(present, backup, cipher)
    with closing(take_alone(present)), pytest.raises(StoreBusyError, match="is being restored"):
        open_store(present, cipher, create=True, busy_ms=50)

    assert _events(present, cipher) == 3


def test_another_program_that_has_it_open_is_noticed(present: Path, backup: Path, cipher: Cipher) -> None:
    """A sqlite3 shell knows nothing of our lock; SQLite's own tells."""
    reading = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM events').fetchall()"
    )
    keep = f"{reading}; print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", keep, str(present)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        with pytest.raises(StoreBusyError):
            _restore(present, backup, cipher)
        shell.communicate()

    assert _events(present, cipher) == 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused(present: Path, backup: Path, cipher: Cipher, damage: str) -> None:
    """By its own name, before anything is changed."""
    DAMAGES[damage](backup, cipher)

    with pytest.raises(StoreError, match=r"backup\.db"):
        _restore(present, backup, cipher)

    assert _events(present, cipher) == 3
    assert not any("restoring" in name for name in _names(present))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_gives_way(present: Path, backup: Path, cipher: Cipher, damage: str) -> None:
    """It is kept as it is, for whoever wants to look at it."""
    if "leaf" in damage:
        fill(present, cipher)
    DAMAGES[damage](present, cipher)
    before = present.read_bytes()

    kept = _restore(present, backup, cipher)

    assert kept is not None
    assert kept.read_bytes() == before
    assert _events(present, cipher) == 8


def test_the_journal_of_a_damaged_store_is_kept_with_it(
    path: Path, backup: Path, tmp_path: Path, cipher: Cipher
) -> None:
    """Left where it is, SQLite would take it for that of the backup, and write its pages over it."""
    (live := tmp_path / "live").mkdir(mode=0o700)
    leaf = first_leaf(fill(live / "shop.db", cipher), root_page(live / "shop.db", cipher, "events"))
    with closing(open_store(live / "shop.db", cipher, create=True)) as store:
        put_orders(store, 4, first=100)
        for file in live.iterdir():
            shutil.copy(file, path.parent)
    garble_page(path, leaf)
    journal = path.with_name(f"{path.name}-wal").read_bytes()

    kept = _restore(path, backup, cipher)

    assert kept is not None
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == journal
    assert _events(path, cipher) == 8


def test_a_backup_under_another_key_is_refused(present: Path, backup: Path, cipher: Cipher) -> None:
    """Before it takes the place of a store that can be read."""
    with pytest.raises(SealedError, match="needs the key 630dcd29"):
        _restore(present, backup, AesGcmCipher([bytes(32)]))

    assert _events(present, cipher) == 3


def test_a_backup_whose_rows_need_another_key_is_refused(present: Path, backup: Path, cipher: Cipher) -> None:
    """Its own key may be at hand, and that of its oldest rows not."""
    other = AesGcmCipher([bytes(32), bytes(range(32))])
    with closing(open_store(backup, other, create=False)) as store:
        store.intake.accept([verified(99)])

    with pytest.raises(StoreError, match=r"backup\.db won't do: 1 values of events can't be opened"):
        _restore(present, backup, cipher)


@pytest.mark.parametrize("damage", [*DAMAGES, "another program's"])
def test_who_named_a_wrong_file_is_told_to_name_another(
    present: Path, backup: Path, cipher: Cipher, damage: str
) -> None:
    """The settings are right, and so is the store: nothing is said of either."""
    if damage in DAMAGES:
        DAMAGES[damage](backup, cipher)
    else:
        backup.unlink()
        with closing(sqlite3.connect(backup)) as raw:
            raw.execute("CREATE TABLE theirs (it)")

    with pytest.raises(StoreError) as refused:
        _restore(present, backup, cipher)

    assert str(refused.value).startswith(f"The backup {backup} ")
    assert "name another that `webhookctl store backup` has written" in str(refused.value)
    assert "[store] url" not in str(refused.value)
    assert str(present) not in str(refused.value)


def test_a_newer_backup_is_refused(present: Path, backup: Path, cipher: Cipher) -> None:
    """Nobody here could read it."""
    with closing(open_store(backup, cipher, create=False)) as store, store.connection.writing() as raw:
        raw.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('webhookctl', 'm999_later')")

    with pytest.raises(StoreVersionError, match=r"The backup .*backup\.db was written by a newer"):
        _restore(present, backup, cipher)


def test_what_is_no_backup_is_a_wrong_argument(present: Path, cipher: Cipher) -> None:
    """No file, or the store itself."""
    for file in (present.with_name("nowhere.db"), present.parent, present):
        with pytest.raises(UsageError):
            _restore(present, file, cipher)


def test_without_an_exchange_of_names_it_works_all_the_same(
    present: Path, backup: Path, cipher: Cipher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every system or file system has it."""
    monkeypatch.setattr(exchanging, "_exchange", lambda *_: False)

    kept = _restore(present, backup, cipher)

    assert kept is not None
    assert (_events(present, cipher), _events(kept, cipher)) == (8, 3)


_RESTORE: Final = """
import os, sys
from pathlib import Path
from tests.store.test_sqlite_restore import SCOPE
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite.restoring import restorable
left, folder = int(sys.argv[3]), os.path.dirname(sys.argv[1])
def hook(event, args):
    global left
    if event in {"open", "os.rename", "os.remove", "os.link", "ctypes.dlsym", "sqlite3.connect"}:
        if folder in str(args) or "renameat2" in str(args):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), 9)
cipher = AesGcmCipher([bytes(range(32))])
sys.addaudithook(hook)
with restorable(Path(sys.argv[1]), Path(sys.argv[2]), cipher, SCOPE, lambda _: None) as found:
    found.exchange()
print(int(sys.argv[3]) - left)
"""


def _restore_killed(path: Path, backup: Path, moment: int) -> "subprocess.CompletedProcess[str]":
    """Restore in a process that is killed when it opens, renames or takes away its so many-th file."""
    command = [sys.executable, "-c", _RESTORE, str(path), str(backup), str(moment)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def test_killed_at_any_moment_it_leaves_the_old_or_the_new(present: Path, backup: Path, cipher: Cipher) -> None:
    """Cut off at each file that it opens, renames or takes away; and the next run ends what one began."""
    whole = {suffix: Path(f"{present}{suffix}").read_bytes() for suffix in ("", "-lock")}
    moments = int(_restore_killed(present, backup, 10_000).stdout)
    events = list[int]()
    for moment in [*range(0, moments - 8, 4), *range(moments - 8, moments)]:
        for each in present.parent.glob("shop.db*"):
            each.unlink()
        for suffix, content in whole.items():
            Path(f"{present}{suffix}").write_bytes(content)
        assert _restore_killed(present, backup, moment).returncode == -signal.SIGKILL
        events.append(_events(present, cipher))
        _restore(present, backup, cipher)
        assert _events(present, cipher) == 8

    assert set(events) == {3, 8}
    assert events == sorted(events)


def _first_schema(path: Path, cipher: Cipher) -> None:
    """Make a store as the first version made it, with an event and an order in it."""
    with closing(open_store(path, cipher, create=True)) as store:
        put_orders(store, 1)
    with closing(open_store(path, cipher, create=False)) as now, now.connection.reading() as raw:
        event = raw.execute("SELECT id, supplier, received_at, via, delivery_id, matched, state, sealed FROM events")
        rows = [event.fetchall(), raw.execute("SELECT reference, supplier, position, code FROM items").fetchall()]
        (sealed,) = raw.execute("SELECT sealed FROM keys").fetchone()
    path.unlink()
    path.touch(0o600)
    with closing(Connection(path, busy_ms=1000)) as connection, connection.writing() as raw:
        as_made(raw, upto="m001_first")
        raw.execute("INSERT INTO keys VALUES ('dedup', ?)", (sealed,))
        raw.executemany(
            "INSERT INTO events (id, supplier, received_at, via, delivery_id, matched, state, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows[0],
        )
        of = order("ORD-1")
        raw.execute(
            "INSERT INTO orders (supplier, reference, status, created_at, updated_at, version, learned_by) "
            "VALUES (?, ?, 'fulfilled', ?, ?, 1, 'webhook')",
            (*of.key, NOW, NOW),
        )
        raw.executemany("INSERT INTO items (reference, supplier, position, code) VALUES (?, ?, ?, ?)", rows[1])


def test_a_store_of_the_first_version_comes_up_to_date(path: Path, cipher: Cipher) -> None:
    """With all that it held; a dry run only says what would be done, and a second run has nothing to do."""
    _first_schema(path, cipher)

    planned = bring_up_to_date(path, cipher, dry_run=True)
    with closing(open_to_look(path, cipher, whatever=True)) as store:
        notes = [note for one in store.checks.check(SCOPE) for note in one.notes]
    done = bring_up_to_date(path, cipher, dry_run=False)
    again = bring_up_to_date(path, cipher, dry_run=False)

    assert planned == done
    assert (done.version, done.pending[0]) == ("m001_first", "m002_event_orders")
    assert (again.version, again.pending) == (done.pending[-1], ())
    assert "lacks m002_event_orders" in notes[0]
    with closing(open_store(path, cipher, create=False)) as store:
        event = store.events.get("1")
        (item,) = store.orders.get([("acme", "ORD-1")])["acme", "ORD-1"].items
        assert event is not None
        assert event.body == bytes(500)
        assert item.code is not None
        assert item.code.reveal() == "CODE-1"
        assert [fault for one in store.checks.check(SCOPE) for fault in one.faults] == []


def test_an_older_backup_is_restored_and_brought_up_to_date(path: Path, tmp_path: Path, cipher: Cipher) -> None:
    """By the next start."""
    _first_schema(tmp_path / "old.db", cipher)

    with restorable(path, tmp_path / "old.db", cipher, SCOPE, lambda _: None) as found:
        found.exchange()

    assert found.lacking[0] == "m002_event_orders"
    assert _events(path, cipher) == 1
