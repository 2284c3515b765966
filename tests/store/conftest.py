"""The implementations that the contract suites run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.building import Store
from tests.store.shop import Shop
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import open_store


@pytest.fixture
def cipher() -> AesGcmCipher:
    return AesGcmCipher([bytes(range(32))])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def store(path: Path, cipher: AesGcmCipher) -> Iterator[Store]:
    opened = open_store(path, cipher, create=True)
    yield opened
    opened.close()


@pytest.fixture
def shop(path: Path) -> Iterator[Shop]:
    """In clear, so that what is in the file can be looked for."""
    store = open_store(path, ClearCipher(), create=True)
    yield Shop(store)
    store.close()
