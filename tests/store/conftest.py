"""The implementations that the contract suites run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.building import Store
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
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
