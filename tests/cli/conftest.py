"""Folders with a shop in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.event_files import Place
from tests.cli.least import SETTINGS
from tests.test_quarantine import Shop, said
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    opened = list[SqliteStore]()

    def made(name: str = "one") -> Place:
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        (folder / "webhookctl.toml").write_text(SETTINGS)
        opened.append(open_store(folder / "shop.db", AesGcmCipher([bytes(32)]), create=True))
        return Place(folder, opened[-1], Shop(opened[-1]))

    yield made
    for store in opened:
        store.close()


@pytest.fixture
def place(make: Any) -> Place:  # noqa: ANN401 - makes a place
    found: Place = make()
    found.shop.receive(*(said("created", number) for number in range(3)), *(said("fulfilled", n) for n in range(2)))
    found.shop.apply()
    return found
