"""`replay --to` as an operator runs it: terminals, pipes, signals and deaths."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.e2e.program import Program, until
from tests.resending.scene import BROKEN, CODE, OK, Got, Shop, Target, listening, make_shop
from webhookctl import cli, wiring
from webhookctl.core.deliveries import Delivery
from webhookctl.core.ports.replays import ReplayState
from webhookctl.core.signatures import verify
from webhookctl.wiring import now_ms

SAMPLES = Path(__file__).parent.parent.parent / "sample_payloads"
WHY = ("--reason", "case 47")


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line here, in a folder of its own: a process for each takes a second."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["webhookctl", "replay", *arguments])
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_line_for_each_and_words_apart(tmp_path: Path, run: Run) -> None:
    """In a pipe stdout has a heading and a line for each event, and nothing else; exit code 4 where any failed."""
    make_shop(tmp_path, 3)
    with listening(lambda _, got: BROKEN if got.reference == "ORD-2" else OK) as target:
        done = run("all", "--to", target.url, "--concurrency", "1", *WHY)

    lines = [line.split("\t") for line in done.out.splitlines()]
    assert lines[0] == ["event", "verdict", "status", "ms", "detail"]
    assert [line[:3] for line in lines[1:]] == [["1", "taken", "200"], ["2", "refused", "500"], ["3", "taken", "200"]]
    words = done.err
    assert done.code == 4
    assert "This is replay 1." in words
    assert "2 taken, 1 refused; 1 left." in words
    assert "`webhookctl replay --resume 1` goes on." in words
    assert CODE not in words


def test_json_lines(tmp_path: Path, run: Run) -> None:
    """Each line is an object that names its replay, with status and time."""
    make_shop(tmp_path, 2)
    with listening() as target:
        done = run("2", "--to", target.url, "--json", *WHY)

    (line,) = map(json.loads, done.out.splitlines())
    assert (done.code, line["ms"] >= 0) == (0, True)
    assert line == {
        "replay": 1,
        "event": 2,
        "verdict": "taken",
        "status": 200,
        "ms": line["ms"],
        "tries": 1,
        "detail": "answered 200",
    }


def test_a_plan_and_nothing_more(tmp_path: Path, run: Run) -> None:
    """--dry-run says what would be sent, without a reason, and sends and records nothing."""
    shop = make_shop(tmp_path, 12)
    with listening() as target:
        plan = json.loads(run("all", "--to", target.url, "--sign", "fresh", "--dry-run", "--json").out)
        many = run("all", "--to", target.url, *WHY)
        without_reason = run("all", "--to", target.url, "--yes")

    assert (plan["events"], plan["suppliers"], plan["to"], plan["sign"]) == (12, {"demo": 12}, target.url, "fresh")
    assert (many.code, without_reason.code) == (2, 2)
    assert "add --yes if it is meant" in many.err
    assert "--reason is empty" in without_reason.err
    assert (target.got, shop.looks(1)) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("1", "--to", "http://[::ffff:169.254.169.254]/", "--allow-url", *WHY), "nothing is ever sent there"),
        (("1", "--to", "http://staging.shop.example/", "--allow-url", *WHY), "use https://"),
        (("1", "--to", "https://169.254.169.254/", "--allow-url", *WHY), "nothing is ever sent there"),
        (("1", "--to", "https://staging.shop.example/", *WHY), "is another machine"),
        (("1", "--to", "http://127.0.0.1:1/", "--sign", "dmeo", *WHY), "--sign 'dmeo' is neither"),
        (("1", "--to", "http://127.0.0.1:1/", "--rate", "20", *WHY), "--rate must be a rate"),
        (("1", "--to", "http://127.0.0.1:1/", "--timeout", "soon", *WHY), "--timeout must be a duration"),
        (("1", "--to", "http://127.0.0.1:1/", "-H", "Host: x", *WHY), "--header host is made anew"),
        (("1", "--to", "http://127.0.0.1:1/", "-H", "x: env:NOT_SET", *WHY), "env:NOT_SET is not set"),
        (("failed", "--to", "http://127.0.0.1:1/", *WHY), "`failed` means dead actions"),
        (("1", "--rate", "20/s"), "add --to URL"),
        (("77", "--to", "http://127.0.0.1:1/", *WHY), "There is no event '77'"),
        (("1", "--resume"), "leave out which"),
        (("--resume",), "no replay that is not at its end"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_told(tmp_path: Path, run: Run, arguments: tuple[str, ...], words: str) -> None:
    """Before anything is sent or recorded."""
    make_shop(tmp_path, 1)
    done = run(*arguments)

    assert (done.code in {1, 2, 3}, done.out) == (True, "")
    assert words in done.err


def test_files_go_without_settings_or_reason(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder without settings, store or demo: files are the operator's own; a preset has its secret by option."""
    monkeypatch.setenv("S", "whsec_" + "QUJD" * 11)
    files = sorted(map(str, SAMPLES.glob("*.json")))
    with listening() as target:
        plain = run(*files, "--to", target.url)
        signed = run(files[0], "--to", target.url, "--sign", "stripe", "--secret-env", "S", "--json")
        demo = run(files[0], "--to", target.url, "--sign", "demo")
        fresh = run(files[0], "--to", target.url, "--sign", "fresh")

    assert (plain.code, signed.code, demo.code, fresh.code) == (0, 0, 2, 2)
    assert sorted(one.body for one in target.got[: len(files)]) == sorted(Path(file).read_bytes() for file in files)
    assert target.got[-1].headers["stripe-signature"].startswith("t=")
    assert json.loads(signed.out)["file"] == files[0]
    assert list(tmp_path.iterdir()) == []


def test_of_files_too_a_plan_is_shown(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """--dry-run says how many go where, signed how, where results go; and nothing is sent."""
    monkeypatch.chdir(tmp_path)
    files = sorted(map(str, SAMPLES.glob("*.json")))
    with listening() as target:
        plan = json.loads(run(*files, "--to", target.url, "--dry-run", "--json").out)
        plain = run(*files, "--to", target.url, "--dry-run")

    assert plan == {"files": len(files), "to": target.url, "sign": "as-received"}
    assert target.url in plain.out
    assert (plain.err, target.got) == ("", [])


def test_files_signed_by_a_supplier_of_the_settings_verify(tmp_path: Path, run: Run) -> None:
    """The demo's own secret signs them as it would sign its own: a receiver with the same settings keeps them."""
    shop = make_shop(tmp_path, 0)
    supplier = shop.settings.suppliers["demo"]
    keys = supplier.scheme.keys(shop.settings.read(supplier.secrets, os.environ))
    with listening() as target:
        done = run(*map(str, SAMPLES.glob("order*.json")), "--to", target.url, "--sign", "demo")

    assert (done.code, len(target.got)) == (0, len([*SAMPLES.glob("order*.json")]))
    for got in target.got:
        headers = tuple((name.encode(), value.encode()) for name, value in got.headers.items())
        delivery = Delivery("demo", got.body, headers, now_ms(), b"")
        assert verify(delivery, supplier.scheme, keys, now=now_ms()).matched == "file:demo.secret"


def test_what_is_resumed_goes_the_same_way(tmp_path: Path, run: Run) -> None:
    """Another target or signature is another replay; a part of the address that was not kept is asked for."""
    make_shop(tmp_path, 1)
    with listening(lambda _number, _got: BROKEN) as target:
        first = run("1", "--to", f"{target.url}?token=x", *WHY)
        without, elsewhere = run("--resume"), run("--resume", "1", "--to", target.url)
        otherwise = run("--resume", "1", "--to", f"{target.url}?token=x", "--sign", "fresh")
        target.answer = lambda _number, _got: OK
        resumed = run("--resume", "1", "--to", f"{target.url}?token=x")

    assert [one.code for one in (first, without, elsewhere, otherwise, resumed)] == [4, 2, 2, 2, 0]
    assert "goes on, with the same --to." in first.err
    assert "of which a part is not kept: add --to URL" in without.err
    assert "leave out --to, or begin another" in elsewhere.err
    assert "is signed as-received: leave out --sign" in otherwise.err


def _started(program: Program, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own program
        program._command(*arguments),  # noqa: SLF001 - as it starts its own
        cwd=program.folder,
        env=program._environ(),  # noqa: SLF001 - as above
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _holding(held_from: int) -> tuple[Callable[[int, Got], bytes], threading.Event]:
    """Answer at once up to a number, and from there on only when let go."""
    go = threading.Event()

    def answer(number: int, _got: Got) -> bytes:
        if number >= held_from:
            go.wait(30)
        return OK

    return answer, go


def _interrupted(program: Program, target: Target, how: signal.Signals) -> "subprocess.CompletedProcess[bytes]":
    process = _started(program, "replay", "all", "--to", target.url, "--concurrency", "2", "--yes", *WHY)
    until(lambda: len(target.got) >= 12, "it is in the midst of it")
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def _accounted(shop: Shop, target: Target) -> None:
    """Each event arrived, with the exact bytes."""
    assert {one.reference: one.body for one in target.got} == shop.bodies


def test_ctrl_c_keeps_the_verdicts_and_says_how_to_go_on(tmp_path: Path, program: Program, run: Run) -> None:
    """130; what was on its way and had no answer in time is unknown; the second run sends the rest and those."""
    shop = make_shop(tmp_path, 40)
    answer, go = _holding(11)
    with listening(answer) as target:
        done = _interrupted(program, target, signal.SIGINT)
        states = shop.states(1)
        go.set()
        resumed = run("--resume", "1")

    assert done.returncode == 130
    assert b"`webhookctl replay --resume 1` goes on." in done.stderr
    assert states == {ReplayState.TAKEN: 10, ReplayState.UNKNOWN: 2, ReplayState.WAITING: 28}
    assert resumed.code == 0
    assert "Of 2 events the answer is not known" in resumed.err
    assert len(target.got) == 12 + 30
    _accounted(shop, target)


def test_a_killed_run_goes_on(tmp_path: Path, program: Program, run: Run) -> None:
    """After kill -9: what was begun and has no verdict is said to be unknown and sent again; nothing is lost."""
    shop = make_shop(tmp_path, 40)
    answer, go = _holding(11)
    with listening(answer) as target:
        _interrupted(program, target, signal.SIGKILL)
        with wiring.store(shop.settings) as store, store.connection.writing() as raw:
            raw.execute("UPDATE replays SET claimed_until = claimed_until - 10000")  # what time would do
        plan = json.loads(run("--resume", "--dry-run", "--json").out)
        go.set()
        resumed = run("--resume")

    assert plan["replay"] == 1
    assert plan["answer_unknown"] >= 2
    assert resumed.code == 0, resumed.err
    assert "the answer is not known: they may have arrived, and are sent again" in resumed.err
    assert shop.states(1) == {ReplayState.TAKEN: 40}
    _accounted(shop, target)


def test_a_terminal_has_a_bar_and_the_pipe_its_lines(tmp_path: Path, program: Program) -> None:
    """With stderr on a terminal the bar shows rate and time left, and stdout in a file still has every line."""
    make_shop(tmp_path, 60)
    outer, inner = pty.openpty()
    with listening() as target, (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own program
            program._command("replay", "all", "--to", target.url, "--rate", "60/s", "--yes", *WHY),  # noqa: SLF001 - as above
            cwd=tmp_path,
            env={**program._environ(), "TERM": "xterm", "COLUMNS": "80"},  # noqa: SLF001 - as above
            stdout=out,
            stderr=inner,
        )
        os.close(inner)
        shown = _read_all(outer)
        process.wait(30)

    lines = (tmp_path / "out").read_text().splitlines()
    assert process.returncode == 0
    assert len(lines) == 61
    assert b"Sending" in shown
    assert b"/60 " in shown
    assert b"/s " in shown
    assert b"0:00:0" in shown


def _read_all(descriptor: int) -> bytes:
    shown = b""
    while True:
        try:
            more = os.read(descriptor, 65536)
        except OSError:  # the other side is closed
            more = b""
        if not more:
            os.close(descriptor)
            return shown
        shown += more
