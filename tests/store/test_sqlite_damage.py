"""Damaged stores: refused by those who write, read as far as they can be by those who look, and never changed."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import NOW, verified
from tests.store.damaging import DAMAGES, PAGE, fill, garble, put_orders
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store, open_to_look
from webhookctl.adapters.store_sqlite.connection import connect
from webhookctl.adapters.store_sqlite.journal import what_is_lost
from webhookctl.core.errors import StoreError, WebhookctlError
from webhookctl.core.ports.checks import Depth, Scope
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that is whole; tests copy it."""
    return fill(tmp_path_factory.mktemp("sound") / "shop.db", AesGcmCipher([bytes(range(32))]))


@pytest.fixture
def copied(sound: Path, path: Path) -> Path:
    for file in sound.parent.iterdir():
        shutil.copy(file, path.parent)
    return path


def _faults(path: Path, cipher: Cipher, depth: Depth = Depth.USUAL) -> set[str]:
    with closing(open_to_look(path, cipher, whatever=True)) as store:
        checked = store.checks.check(Scope(depth, NOW, clear_is_wanted=False))
        return {fault.name for one in checked for fault in one.faults}


@pytest.mark.parametrize("damage", DAMAGES)
def test_who_receives_or_works_refuses_a_damaged_store(copied: Path, cipher: Cipher, damage: str) -> None:
    """In words that say what to do; the file stays as it is, and no other takes its place."""
    DAMAGES[damage](copied, cipher)
    before = copied.read_bytes()

    for _ in range(2):
        with pytest.raises(StoreError, match="store restore FILE"):
            open_store(copied, cipher, create=True)

    assert copied.read_bytes() == before


@pytest.mark.parametrize("damage", ["interior page", "leaf of events", "leaf of an index", "cut short"])
def test_a_check_names_the_damage(copied: Path, cipher: Cipher, damage: str) -> None:
    """Whichever page it is, at any depth, without changing anything."""
    DAMAGES[damage](copied, cipher)
    before = copied.read_bytes()

    for depth in Depth:
        assert "structure" in _faults(copied, cipher, depth)
    assert copied.read_bytes() == before


def test_what_is_whole_has_no_fault(copied: Path, cipher: Cipher) -> None:
    """At any depth: a check that cries wolf is of no use."""
    for depth in Depth:
        assert _faults(copied, cipher, depth) == set()


def test_a_text_that_is_none_any_more_is_damage(copied: Path, cipher: Cipher) -> None:
    """A flipped byte may leave all of SQLite's structure whole; what stands there is not shown."""
    with closing(open_store(copied, cipher, create=False)) as store, closing(connect(copied, "mode=rw")) as raw:
        raw.execute("UPDATE events SET type = CAST(x'1b5d6fff' AS TEXT)")
        with pytest.raises(StoreError, match="store restore FILE") as told:
            store.events.walk(EventQuery())

    assert "\x1b" not in str(told.value)


def test_an_index_that_is_damaged_hides_nothing(copied: Path, cipher: Cipher) -> None:
    """Rows are read from their table then; that something is damaged is said all the same."""
    DAMAGES["leaf of an index"](copied, cipher)

    with closing(open_to_look(copied, cipher)) as store:
        found = store.events.find(EventQuery(limit=100))
        left_out = store.left_out

    assert [event.id for event in found] == list(range(60, 0, -1))
    assert left_out == ("events",)


def test_what_can_be_read_is_read(copied: Path, cipher: Cipher) -> None:
    """A damaged leaf of the events takes its own events out of the list, and leaves the orders as they are."""
    DAMAGES["leaf of events"](copied, cipher)

    with closing(open_to_look(copied, cipher)) as store:
        events = store.events.find(EventQuery(limit=100))
        orders = store.orders.find(OrderQuery(limit=100))
        left_out = store.left_out

    assert 0 < len(events) < 60
    assert events[0].id == 60
    assert len(orders) == 60
    assert left_out == ("events",)


def test_a_store_cut_short_is_read_as_far_as_it_goes(copied: Path, cipher: Cipher) -> None:
    """SQLite refuses all of it; who looks gets what is there."""
    DAMAGES["cut short"](copied, cipher)

    with closing(open_to_look(copied, cipher)) as store:
        store.reports.summary(now=NOW)
        store.events.find(EventQuery(limit=100))
        store.orders.story("acme", "ORD-1")

        assert store.left_out


def test_nobody_who_looks_leaves_a_trace(copied: Path, cipher: Cipher) -> None:
    """Neither in a sound store nor in a damaged one."""
    before = copied.read_bytes()
    with closing(open_to_look(copied, cipher)) as store:
        store.reports.summary(now=NOW)
        with pytest.raises(StoreError):
            store.intake.accept([verified()])

    assert copied.read_bytes() == before


def _look_at_everything(path: Path, cipher: Cipher) -> None:
    with closing(open_to_look(path, cipher, whatever=True)) as store:
        list(store.checks.check(Scope(Depth.QUICK, NOW, clear_is_wanted=False)))
    with closing(open_to_look(path, cipher)) as store:
        store.reports.summary(now=NOW)
        with suppress(ValueError, KeyError, TypeError):  # a word that nobody wrote: the cli says so
            store.events.find(EventQuery(limit=100))


def test_bytes_flipped_at_random_end_in_a_sentence(copied: Path, cipher: Cipher) -> None:
    """Whatever is flipped, looking and opening end in our own errors or succeed, and change nothing."""
    chance = random.Random(8)  # noqa: S311 - the same in every run
    whole = copied.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        start = chance.randrange(len(content) // PAGE) * PAGE
        for _ in range(chance.choice([1, 3, 30])):
            content[start + chance.randrange(chance.choice([16, 200, PAGE]))] ^= 1 << chance.randrange(8)
        copied.write_bytes(bytes(content))

        with suppress(WebhookctlError):
            _look_at_everything(copied, cipher)
        assert copied.read_bytes() == bytes(content)
        with suppress(WebhookctlError):
            open_store(copied, cipher, create=True).close()


_KILLED: Final = """
import os, sys
from tests.store.building import verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
store = open_store(sys.argv[1], AesGcmCipher([bytes(range(32))]), create=True)
for number in range(1000, 1040):
    store.intake.accept([verified(number, body=bytes(3000))])
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(copied: Path) -> Path:
    """Return a store whose process was killed after forty commits that are in the journal alone."""
    done = subprocess.run([sys.executable, "-c", _KILLED, str(copied)], check=False)  # noqa: S603 - our own words
    assert done.returncode == -signal.SIGKILL
    return copied


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _shorter(wal: Path) -> None:
    os.truncate(wal, wal.stat().st_size - 3 * PAGE)


def _garbled_midst(wal: Path) -> None:
    garble(wal, wal.stat().st_size // 2, b"\xa5\xa5")


def _garbled_end(wal: Path) -> None:
    garble(wal, wal.stat().st_size - 9, b"\xa5\xa5")


def _garbled_head(wal: Path) -> None:
    garble(wal, 3, b"\xa5\xa5")


def _emptied_journal(wal: Path) -> None:
    os.truncate(wal, 0)


def _gone(wal: Path) -> None:
    wal.unlink()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("damage", [_shorter, _garbled_midst, _garbled_end, _garbled_head, _emptied_journal, _gone])
def test_a_journal_that_lost_commits_is_refused(killed: Path, cipher: Cipher, damage: Callable[[Path], None]) -> None:
    """SQLite would go on without a word, and what was acknowledged would be gone; also after somebody has looked."""
    damage(_journal(killed))
    before = killed.read_bytes(), _content(_journal(killed))

    with closing(open_to_look(killed, cipher)) as store:
        found, left_out = store.events.find(EventQuery(limit=200)), store.left_out
    for create in (True, False):
        with pytest.raises(StoreError, match=r"journal .*-wal of the store .*can't be read\. Nothing was changed"):
            open_store(killed, cipher, create=create)

    assert len(found) == 60
    assert left_out == ("what the journal held",)
    assert "journal" in _faults(killed, cipher)
    assert (killed.read_bytes(), _content(_journal(killed))) == before


@pytest.mark.parametrize("damage", [_garbled_midst, _garbled_head])
def test_a_journal_alone_shows_what_it_lost(killed: Path, cipher: Cipher, damage: Callable[[Path], None]) -> None:
    """Where SQLite's index of it is gone, sound commits behind the fault tell."""
    killed.with_name(f"{killed.name}-shm").unlink()
    damage(_journal(killed))

    with pytest.raises(StoreError, match="journal"):
        open_store(killed, cipher, create=True)


def test_a_killed_process_leaves_a_sound_journal(killed: Path, cipher: Cipher) -> None:
    """Nothing of it is missed, with SQLite's index of it and without; nor is a commit that was torn by a power cut."""
    assert what_is_lost(killed) is None
    killed.with_name(f"{killed.name}-shm").unlink()
    assert what_is_lost(killed) is None
    _garbled_end(_journal(killed))
    assert what_is_lost(killed) is None

    with closing(open_store(killed, cipher, create=True)) as store:
        assert store.reports.summary(now=NOW).events["queued"] == 39


def test_a_journal_that_was_not_needed_any_more_is_not_missed(killed: Path, cipher: Cipher) -> None:
    """SQLite's index of it says that all was brought into the file; nor is one missed of which there is no index."""
    with closing(connect(killed, "mode=rw")) as raw:
        assert raw.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0
        whole = killed.read_bytes()
        index = killed.with_name(f"{killed.name}-shm").read_bytes()
    killed.write_bytes(whole)
    killed.with_name(f"{killed.name}-shm").write_bytes(index)

    assert not _journal(killed).exists()
    assert what_is_lost(killed) is None
    with closing(open_store(killed, cipher, create=True)) as store:
        assert store.reports.summary(now=NOW).events["queued"] == 40


def test_an_emptied_store_with_a_journal_is_refused(killed: Path, cipher: Cipher) -> None:
    """SQLite would take the journal away, and all that it holds."""
    journal = _journal(killed).read_bytes()
    killed.write_bytes(b"")

    with pytest.raises(StoreError, match="is empty, and was not"):
        open_store(killed, cipher, create=True)

    assert _journal(killed).read_bytes() == journal


def test_a_store_that_was_taken_away_may_be_made_anew(copied: Path, cipher: Cipher) -> None:
    """Who removes the file means it."""
    copied.unlink()

    with closing(open_store(copied, cipher, create=True)) as store:
        put_orders(store, 1)

    assert _faults(copied, cipher) == set()


def test_a_symbolic_link_to_nothing_is_no_store(path: Path, cipher: Cipher) -> None:
    """Nothing is made where it points to."""
    path.symlink_to(path.with_name("elsewhere.db"))

    for create in (True, False):
        with pytest.raises(StoreError):
            open_store(path, cipher, create=create)
    assert not path.with_name("elsewhere.db").exists()
