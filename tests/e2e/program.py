"""The program as a user runs it: processes, real sockets, a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until `holds()`; fail with `what` when it does not in time."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"not within {patience_s} s: {what}"
        time.sleep(0.05)


@dataclass
class Serving:
    """A running `serve` and what it has said so far."""

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def words(self) -> str:
        return "".join(self.said)

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@dataclass
class Program:
    """webhookctl in `folder`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(  # noqa: S603 - our own program
            self._command(*arguments),
            cwd=self.folder,
            env=self._environ(),
            input=stdin,
            capture_output=True,
            check=False,
        )

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command shows
        done = self.run(*arguments, "--json")
        assert done.returncode in {0, 6}, done.stderr.decode()  # 6: a person is needed, and all the same it is shown
        return json.loads(done.stdout)

    @contextmanager
    def start(self, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a command that goes on until the block ends."""
        process = subprocess.Popen(  # noqa: S603 - our own program
            self._command(*arguments),
            cwd=self.folder,
            env=self._environ(),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[Serving]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            self._command("serve", *arguments),
            cwd=self.folder,
            env=self._environ(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        serving = Serving(process)
        reader = threading.Thread(target=lambda: serving.said.extend(process.stderr or ()))
        reader.start()
        try:
            until(lambda: "Listening on" in serving.words or process.poll() is not None, "serve listens")
            found = re.search(r"^Listening on (\S+)", serving.words, re.MULTILINE)
            assert found, f"serve ended with {process.poll()}: {serving.words}"
            serving.url = found[1]
            yield serving
        finally:
            process.kill()
            process.wait()
            reader.join()
            if process.stderr:
                process.stderr.close()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "webhookctl", *arguments]

    def _environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEBHOOKCTL_")}
        return inherited | {"NO_COLOR": "1"} | self.environ
