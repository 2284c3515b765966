"""A command of the shop, as real processes."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from webhookctl.adapters.action_command import CommandAction
from webhookctl.core.documents import document
from webhookctl.core.events import Item
from webhookctl.core.orders import Action, ActionKind, ActionState, Order, OrderStatus
from webhookctl.core.ports.handler import Failed, GivenUp, Repeat, Result, Succeeded, Task, Unknown
from webhookctl.core.redaction import Code
from webhookctl.core.retries import RetryPolicy

PLENTY_S = 30.0
SHORT_S = 1.0
CODE, PIN = "WXYZ-2345-6789-ABCD", "4711"
ACTION = Action(
    id="0199aa00-0000-7000-8000-000000000001",
    supplier="acme",
    subject="SHOP-1",
    kind=ActionKind.DELIVER,
    cause="fulfilled",
    generation=1,
    state=ActionState.RUNNING,
    detail="",
    created_at=1,
    attempts=3,
    next_at=None,
    started_at=None,
    error=None,
)
ORDER = Order("acme", "SHOP-1", OrderStatus.FULFILLED, 1, 2, items=(Item("GC", Code(CODE), Code(PIN)),))
ONCE, OFTEN = Repeat.AT_MOST_ONCE, Repeat.AT_LEAST_ONCE

Script = Callable[[str], list[str]]


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhookctl.adapters.action_command._TERM_S", 0.3)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a Python script and return the command that runs it."""

    def write(text: str) -> list[str]:
        path = tmp_path / "command.py"
        path.write_text(f"import json, os, signal, subprocess, sys, time\n{text}\n")
        return [sys.executable, "-S", "-E", str(path)]

    return write


def run(argv: list[str], repeat: Repeat = ONCE, timeout_s: float = PLENTY_S, action: Action = ACTION) -> Result:
    handler = CommandAction(argv, repeat, RetryPolicy(), timeout_s)
    return uvloop.run(handler.handle(Task(action, document(action, ORDER), ORDER)))


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_gets_document_and_ids(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document stands on standard input, the ids in the environment, and nothing of our secrets beside them."""
    monkeypatch.setenv("SHOP_SECRET", "hidden")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")
    got = tmp_path / "got.json"
    argv = script(f"json.dump([json.load(sys.stdin), dict(os.environ), os.getsid(0)], open({str(got)!r}, 'w'))")

    result = run(argv)

    said, environ, session = json.loads(got.read_text())
    assert isinstance(result, Succeeded)
    assert said == json.loads(document(ACTION, ORDER))
    assert {name: value for name, value in environ.items() if name.startswith("WEBHOOK")} == {
        "WEBHOOK_ID": ACTION.id,
        "WEBHOOKCTL_KIND": "deliver",
        "WEBHOOKCTL_SUPPLIER": "acme",
        "WEBHOOKCTL_REFERENCE": "SHOP-1",
        "WEBHOOKCTL_ATTEMPT": "3",
    }
    assert environ["LC_TIME"] == "de_DE.UTF-8"
    assert "SHOP_SECRET" not in environ
    assert session != os.getsid(0)


@pytest.mark.parametrize(
    ("code", "repeat", "result"),
    [
        (0, ONCE, Succeeded),
        (75, ONCE, Failed),
        (75, OFTEN, Failed),
        (1, ONCE, GivenUp),
        (1, OFTEN, GivenUp),
        (127, OFTEN, GivenUp),
    ],
)
def test_exit_code_is_the_verdict(script: Script, code: int, repeat: Repeat, result: type[Result]) -> None:
    """0 is done, 75 (EX_TEMPFAIL) asks to be tried again, everything else gives up."""
    ended = run(script(f"sys.exit({code})"), repeat)

    assert type(ended) is result
    assert code == 0 or f"exit code {code}" in ended.detail


@pytest.mark.parametrize(("repeat", "result"), [(ONCE, Unknown), (OFTEN, Failed)])
def test_killed_by_a_signal(script: Script, repeat: Repeat, result: type[Result]) -> None:
    """What was killed on the way may have taken effect."""
    ended = run(script("os.kill(os.getpid(), signal.SIGKILL)"), repeat)

    assert type(ended) is result
    assert "ended by signal 9" in ended.detail


@pytest.mark.parametrize(("repeat", "result"), [(ONCE, Unknown), (OFTEN, Failed)])
def test_timeout_ends_the_whole_group(script: Script, tmp_path: Path, repeat: Repeat, result: type[Result]) -> None:
    """A timeout ends the command and all that it started, and may have come after the effect."""
    pids = tmp_path / "pids"
    argv = script(
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(60)"
    )

    ended = run(argv, repeat, SHORT_S)

    assert type(ended) is result
    assert "did not end within 1 s" in ended.detail
    assert [alive(int(pid)) for pid in pids.read_text().split()] == [False, False]


def test_timeout_kills_what_will_not_hear(script: Script, tmp_path: Path) -> None:
    """Who ignores SIGTERM is killed."""
    ready = tmp_path / "pid"
    argv = script(
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({str(ready)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )

    ended = run(argv, timeout_s=SHORT_S)

    assert isinstance(ended, Unknown)
    assert not alive(int(ready.read_text()))


def test_cancelling_ends_the_group(script: Script, tmp_path: Path) -> None:
    """When the worker cuts the attempt off, nothing of it runs on."""
    ready = tmp_path / "pid"
    argv = script(f"open({str(ready)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")

    async def scenario() -> None:
        handler = CommandAction(argv, ONCE, RetryPolicy(), PLENTY_S)
        running = asyncio.create_task(handler.handle(Task(ACTION, document(ACTION, ORDER), ORDER)))
        while not (ready.exists() and ready.read_text()):  # noqa: ASYNC110 - the process sets no event
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    uvloop.run(scenario())

    assert not alive(int(ready.read_text()))


def test_codes_are_not_kept(script: Script) -> None:
    """A command that prints its input leaves no code in the record, whichever pipe it takes."""
    ended = run(script("text = sys.stdin.read()\nprint(text)\nprint(text, file=sys.stderr)\nsys.exit(3)"))

    assert '"code":"•••••"' in ended.detail
    assert CODE not in ended.detail
    assert PIN not in ended.detail


def test_chatter_is_bounded(script: Script) -> None:
    """Megabytes of output neither block the command nor fill the record."""
    ended = run(script("for _ in range(200): print('x' * 50_000)"))

    assert isinstance(ended, Succeeded)
    assert 500 < len(ended.detail) < 1200


def test_a_grandchild_on_the_pipe_does_not_block_us(script: Script, tmp_path: Path) -> None:
    """What a command leaves running in the background may keep the pipe open: the command's end is what counts."""
    pid = tmp_path / "pid"
    argv = script(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\nprint('started')"
    )
    before = time.monotonic()

    ended = run(argv)
    os.kill(int(pid.read_text()), 9)

    assert ended == Succeeded(f"{sys.executable} ended well: started")
    assert time.monotonic() - before < PLENTY_S


def test_input_need_not_be_read(script: Script) -> None:
    """A command that closes its standard input, or never reads a large document, is no trouble."""
    large = replace(ACTION, detail="x" * 3_000_000)

    assert isinstance(run(script("os.close(0)"), action=large), Succeeded)
    assert isinstance(run(script("pass"), action=large), Succeeded)


def test_reference_cannot_break_the_environment(script: Script) -> None:
    """A reference with a NUL, which no environment can hold, is shown escaped there."""
    ended = run(script("print(os.environ['WEBHOOKCTL_REFERENCE'])"), action=replace(ACTION, subject="a\x00b\nc"))

    assert ended.detail.endswith(": a\\x00b\\nc")


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("way", ["missing", "not executable", "bad argument"])
def test_what_cannot_be_started(tmp_path: Path, way: str, repeat: Repeat) -> None:
    """A command that can't be started certainly had no effect: it is tried again, and a person is told."""
    path = tmp_path / "command"
    if way != "missing":
        path.write_bytes(b"\x7fnot a program")
        path.chmod(0o600)

    ended = run([str(path), "\0"] if way == "bad argument" else [str(path)], repeat)

    assert isinstance(ended, Failed)
    assert ended.alert
    assert "can't be started (" in ended.detail
