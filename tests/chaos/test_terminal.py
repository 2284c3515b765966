"""What a supplier writes, on a real terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.chaos.scene import scene

EVIL = "[bold]R[/x][link=http://127.0.0.1]\\u001b]0;owned\\u0007"
SHOWN = "[bold]R[/x][link=http://127.0.0.1]\\x1b]0;owned\\x07"


def test_markup_and_escapes_are_shown_as_they_are(tmp_path: Path) -> None:
    """Neither our own tables' markup nor the terminal's escapes can be written by a supplier."""
    body = f'{{"event": "order.created", "data": {{"reference": "{EVIL}"}}}}'.encode()
    with scene(tmp_path) as stage:
        with stage.program().serve():
            status = stage.supplier.post(body)
        stage.drain()
        shown = on_a_terminal(stage.folder, stage.environ, "orders", "list")

    assert status == 200
    assert SHOWN in shown
    assert "owned\x07" not in shown
    assert "Traceback" not in shown


def on_a_terminal(folder: Path, environ: dict[str, str], *arguments: str) -> str:
    """Return what the command writes to a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "webhookctl", *arguments],
        cwd=folder,
        env=os.environ | environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = bytearray()
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # the terminal is closed on their side
        pass
    finally:
        os.close(ours)
        process.wait()
    return seen.decode()
