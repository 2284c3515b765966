"""A store with open orders, and a supplier's API to ask."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(range(32))]), create=True)) as opened:
        yield opened
