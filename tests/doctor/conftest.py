"""A folder of one's own for each test."""

from pathlib import Path

import pytest

from tests.doctor.scene import SECRETS, Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    folder = tmp_path / "shop"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return Place(folder, monkeypatch, capsys)
