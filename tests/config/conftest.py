"""The settings of a test, and a secret beside them."""

from pathlib import Path

import pytest

from tests.config.writing import CANARY


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "webhookctl.toml"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.secret"
    path.write_text(CANARY)
    path.chmod(0o600)
    return path
