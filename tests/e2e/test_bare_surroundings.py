"""Every command where little is there: nothing to read from, nobody who reads, no home, a terminal that can do nothing.

Commands are found in the program itself, as in the test of secrecy.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.program import PATIENCE_S
from tests.e2e.test_secrecy import ALL, APART, BODY, ENVIRON, SETTINGS, Shop, calls
from webhookctl import wiring

_BARE: Final = {
    "PATH": os.environ["PATH"],
    "LANG": "C",
    "LC_ALL": "C",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "COLUMNS": "40",
}
_GOES_ON: Final = {("demo",), ("demo", "supplier")}
"""Commands that end when they are stopped, or after half a minute."""
_ENDS: Final = {0, 1, 2, 3, 4, 5, 6}
"""The exit codes that an operator can do something about."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A folder with settings and an empty store."""
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "payload.json").write_text(str(BODY))
    words = {"listen": "127.0.0.1:1", "shop": "http://127.0.0.1:1", "python": sys.executable, "folder": tmp_path}
    (tmp_path / "webhookctl.toml").write_text(SETTINGS.format(**words))
    with wiring.store(wiring.settings(None), create=True):
        return Shop(tmp_path)


def _ended(folder: Path, arguments: list[str]) -> tuple[int, str]:
    """Run a command with stdin and stdout closed; return what became of it."""
    done = subprocess.run(  # noqa: S603 - our own program
        ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-m", "webhookctl", *arguments],
        cwd=folder,
        env=_BARE | ENVIRON,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def test_no_command_has_a_fault(shop: Shop) -> None:
    """Each ends as it would elsewhere: with an exit code of ours, and never with a traceback."""
    tried = [next(calls(path, ALL[path], shop)) for path in sorted(set(ALL) - APART - _GOES_ON)]
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda arguments: _ended(shop.folder, arguments), tried))

    assert [(one, end) for one, end in zip(tried, ends, strict=True) if end[0] not in _ENDS or "Trace" in end[1]] == []


def test_who_reads_no_further_is_no_answer(shop: Shop) -> None:
    """`webhookctl status | head -0` ends as SIGPIPE would end it: 1 would say that a check had failed."""
    command = f"{sys.executable} -m webhookctl config show"
    done = subprocess.run(  # noqa: S603 - our own program
        ["/bin/sh", "-c", f"({command}; echo $? >code) | exec true"],
        cwd=shop.folder,
        env=_BARE | ENVIRON,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert (done.stderr, (shop.folder / "code").read_text()) == (b"", "141\n")
