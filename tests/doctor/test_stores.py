"""`doctor` looks at stores that are damaged, old, not ours or not there."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from tests.doctor.scene import KEY, Place, lying_there
from tests.store.damaging import leave_as_killed
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.errors import StoreError


def flip(path: Path, every: int = 97) -> None:
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), every):
        data[at] ^= 0xFF
    path.write_bytes(data)


def flip_many(path: Path) -> None:
    flip(path, 13)


def flip_few(path: Path) -> None:
    flip(path, 1009)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9_000])


def replace(path: Path) -> None:
    path.write_bytes(b"this is a text, and no database at all" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_names(path: Path) -> None:
    """SQLite sees nothing wrong in a text that is none."""
    path.write_bytes(path.read_bytes().replace(b"m001_first", b"m001\xff\xfe\xff\xfe\xff\xfe"))


@pytest.mark.parametrize("harm", [spoil_names, flip, flip_many, flip_few, truncate, replace, empty])
def test_a_damaged_store(place: Place, harm: object) -> None:
    """Must be fixed, and stays as it is: no traceback, no repair, no new file."""
    place.write()
    place.fill(1, 2)
    assert callable(harm)
    harm(place.folder / "shop.db")
    before = lying_there(place.folder)

    found = place.doctor("--offline")

    assert (found.code, found.about("store", "store")["verdict"]) == (1, "must fix")
    assert lying_there(place.folder) == before


@pytest.mark.parametrize("used", [True, False])
def test_a_journal_that_was_cut(place: Place, *, used: bool) -> None:
    """Must be fixed, and stays as it is: were it taken for whole, the next start would not miss what it held."""
    place.write()
    place.fill(1, 2)
    cipher = AesGcmCipher([bytes.fromhex(KEY)])
    journal = leave_as_killed(place.folder / "shop.db", cipher)
    os.truncate(journal, journal.stat().st_size // 2)
    if not used:  # copied from elsewhere
        (place.folder / "shop.db-lock").unlink()
    before = lying_there(place.folder)

    found = place.doctor("--offline")

    assert (found.code, found.about("store", "store")["verdict"]) == (1, "must fix")
    assert "what was acknowledged last can't be read" in found.about("store", "store")["says"]
    assert lying_there(place.folder) == before
    with pytest.raises(StoreError, match="journal"):
        open_store(place.folder / "shop.db", cipher, create=True)


def test_a_page_that_nobody_reads_is_damaged(place: Place) -> None:
    """All can be read that is asked for, and still it is told: SQLite looks at every page."""
    place.write()
    place.fill(1)
    path = place.folder / "shop.db"
    with (
        closing(open_store(path, AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as opened,
        opened.connection.reading() as raw,
    ):
        statement = "SELECT rootpage FROM sqlite_master WHERE name = 'interventions_of_order'"
        (page,) = raw.execute(statement).fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size] = 0xEE
    path.write_bytes(data)

    found = place.doctor("--offline")

    assert (found.code, found.about("store", "store")["verdict"]) == (1, "must fix")
    assert "pages that contradict each other" in found.about("store", "store")["says"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("INSERT INTO _sqlite_migrations VALUES (99, 'webhookctl', 'm999_later', '2030')", "newer webhookctl"),
        ("DELETE FROM _sqlite_migrations", "belongs to another program"),
    ],
)
def test_somebody_elses_store(place: Place, statement: str, words: str) -> None:
    """One of a newer version, and a file of another program, are named and left alone."""
    place.write()
    place.fill(1)
    cipher = AesGcmCipher([bytes.fromhex(KEY)])
    with (
        closing(open_store(place.folder / "shop.db", cipher, create=False)) as store,
        store.connection.writing() as raw,
    ):
        raw.execute(statement)

    found = place.doctor("--offline")

    assert (found.code, words in found.about("store", "store")["says"]) == (1, True)


def test_an_older_store(place: Place) -> None:
    """Is read as far as it goes, and not brought to the present: that is for the next start."""
    place.write()
    place.fill(1)
    with (
        closing(open_store(place.folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store,
        store.connection.writing() as raw,
    ):
        raw.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007_event_reveals'")

    found = place.doctor("--offline")

    assert (found.code, found.about("schema")["verdict"]) == (0, "warning")
    assert "makes 1 change to" in found.about("schema")["says"]


def test_no_store_yet(place: Place) -> None:
    """A warning, as the first start makes it; looking makes none."""
    place.write()

    found = place.doctor("--offline")

    assert (found.code, found.about("store", "store")["verdict"]) == (0, "warning")
    assert [path.name for path in place.folder.iterdir()] == ["webhookctl.toml"]
