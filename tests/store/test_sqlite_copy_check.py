"""The check of a copy: by tables, two at once, and yet as strict as one of all tables together."""

import os
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import copy_check, open_store, page_owners
from webhookctl.adapters.store_sqlite.connection import connect
from webhookctl.adapters.store_sqlite.pace import Pace
from webhookctl.core.errors import StoreError

CIPHER: Final = AesGcmCipher([bytes(range(32))])
PAGE: Final = 4096


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy in which trees have inner pages, and some pages are free."""
    tmp_path.chmod(0o700)
    path = tmp_path / "copy.db"
    with closing(open_store(path, CIPHER, create=True)) as store:
        store.intake.accept([verified(number, body=bytes(2_000)) for number in range(400)])
        with store.connection.writing() as raw:
            raw.execute("DELETE FROM events WHERE id % 3 = 0")
    return path


def check(path: Path) -> None:
    with path.open("rb+") as file:
        copy_check.check(path, file.fileno(), CIPHER, Pace(path), lambda _: None)


def exchange(path: Path, page: int, content: bytes, at: int = 0) -> None:
    with path.open("rb+") as file:
        os.pwrite(file.fileno(), content, (page - 1) * PAGE + at)


def root(path: Path, table: str) -> int:
    with closing(connect(path, "mode=ro&immutable=1")) as raw:
        (found,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(found)


def test_a_sound_copy(copy: Path) -> None:
    """Nothing is said of it."""
    check(copy)

    assert page_owners.first_wrong(copy) == "ok"


def test_a_table_in_the_place_of_another(copy: Path) -> None:
    """A table whose first page is that of an empty one is sound by itself; its pages belong to nobody any more."""
    empty = copy.read_bytes()[(root(copy, "orders") - 1) * PAGE :][:PAGE]
    exchange(copy, root(copy, "events"), empty)

    with pytest.raises(StoreError, match="does not own the pages that the map says"):
        check(copy)


@pytest.mark.parametrize("content", [bytes(PAGE), b"\xff" * PAGE])
def test_a_page_that_was_not_copied(copy: Path, content: bytes) -> None:
    """Each page that holds anything is looked at: lost as a whole, it is missed."""
    whole, kept = copy.read_bytes(), list[int]()
    with closing(connect(copy, "mode=ro&immutable=1")) as raw:
        (free,) = raw.execute("PRAGMA freelist_count").fetchone()
    for page in range(1, len(whole) // PAGE + 1):
        exchange(copy, page, content)
        try:
            check(copy)
        except StoreError:
            pass
        else:
            kept.append(page)
        exchange(copy, page, whole[(page - 1) * PAGE : page * PAGE])

    assert len(kept) <= free


def test_a_store_without_the_map(tmp_path: Path) -> None:
    """It is asked of as a whole."""
    with closing(connect(tmp_path / "other.db", "mode=rwc")) as raw:
        raw.execute("CREATE TABLE a (b)")
        questions = copy_check._questions(raw)  # noqa: SLF001 - no store of ours is like that

    assert questions == ["PRAGMA quick_check(1)"]
