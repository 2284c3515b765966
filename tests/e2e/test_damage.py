"""Damaged, foreign and newer stores, as an operator meets them: real files, real processes."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.e2e.program import Program, until
from tests.store.damaging import DAMAGES, PAGE
from webhookctl import cli
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher, parse_key

_WRITING = (
    ("actions", "retry", "1"),
    ("orders", "hold", "ORD-12345", "--reason", "x"),
    ("orders", "reveal", "ORD-12345", "--reason", "x"),
    ("store", "rekey", "--yes"),
    ("store", "migrate"),
    ("work", "--once"),
)
_LOOKING = (("status",), ("events", "list"), ("orders", "list"), ("orders", "show", "ORD-12345"), ("store", "check"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a demo that has had a hundred events and stopped."""
    folder = tmp_path_factory.mktemp("filled")
    folder.chmod(0o700)
    program = Program(folder)
    with program.serve("--listen", "127.0.0.1:0") as serving:
        to = ("--url", f"{serving.url}/webhooks/demo")
        for event in ("order.created", "order.fulfilled"):
            assert program.run("send", event, *to).returncode == 0
        assert program.run("send", "order.created", *to, "--count", "100").returncode == 0
        until(lambda: "queued" not in program.json("status")["events"], "all is applied")
        assert serving.stop(signal.SIGTERM) == 0
    return folder


@pytest.fixture
def demo(filled: Path, tmp_path: Path) -> Program:
    tmp_path.chmod(0o700)
    for file in filled.iterdir():
        shutil.copy(file, tmp_path)
    return Program(tmp_path)


def _store(demo: Program) -> Path:
    return demo.folder / "webhookctl.db"


def _damage(demo: Program, damage: str) -> bytes:
    key = parse_key((demo.folder / "webhookctl.key").read_bytes(), "")
    DAMAGES[damage](_store(demo), AesGcmCipher([key]))
    return _store(demo).read_bytes()


@dataclass
class Inside:
    """The program in this very process: a start of Python for each command would take minutes."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self.patch.setattr("sys.argv", ["webhookctl", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (int(ended.value.code or 0), *self.capture.readouterr())


def _leave(code: int) -> NoReturn:
    raise SystemExit(code)


@pytest.fixture
def inside(demo: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.chdir(demo.folder)
    monkeypatch.setattr("os._exit", _leave)
    return Inside(monkeypatch, capsys)


@pytest.mark.parametrize("damage", ["header", "leaf of events", "emptied"])
def test_a_damaged_store_is_refused_in_a_sentence(demo: Program, inside: Inside, damage: str) -> None:
    """`serve` says what to do and ends with 5; so does the check; the file is never touched."""
    before = _damage(demo, damage)

    served = demo.run("serve", "--listen", "127.0.0.1:0")
    code, out, err = inside.run("store", "check")

    assert (served.returncode, code) == (5, 5)
    for said in (served.stderr.decode(), out + err):
        assert "store restore FILE" in said
        assert "Traceback" not in said
    assert _store(demo).read_bytes() == before


@pytest.mark.parametrize("damage", ["interior page", "leaf of events", "leaf of an index", "cut short"])
def test_what_can_be_read_is_shown(demo: Program, inside: Inside, damage: str) -> None:
    """With a sentence that something is left out, and exit code 5."""
    before = _damage(demo, damage)

    code, out, err = inside.run("events", "list", "--json", "--limit", "500")
    others = [inside.run(*command) for command in _LOOKING]

    assert code == 5
    assert isinstance(json.loads(out), list)
    assert "is damaged: not everything of" in err
    assert {each for each, *_ in others} <= {0, 5}
    assert others[-1][0] == 5
    if "leaf" in damage:
        assert json.loads(out)[0]["id"] == 102
        assert any("fulfilled" in said for _, said, _ in others)
    assert _store(demo).read_bytes() == before


def _is_a_folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


def _is_a_link_to_nothing(store: Path) -> None:
    store.unlink()
    store.symlink_to(store.with_name("nowhere.db"))


def _is_foreign(store: Path) -> None:
    store.unlink()
    with sqlite3.connect(store) as foreign:
        foreign.execute("CREATE TABLE customers (id)")
    foreign.close()
    store.chmod(0o600)


def _is_newer(store: Path) -> None:
    with sqlite3.connect(store) as raw:
        raw.execute("INSERT INTO _sqlite_migrations VALUES (99, 'webhookctl', 'm999_later', '')")
    raw.close()


def _has_a_second_name(store: Path) -> None:
    os.link(store, store.with_name("other.db"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_is_a_folder, "is not a file"),
        (_is_a_link_to_nothing, ""),
        (_is_foreign, "belongs to another program"),
        (_is_newer, "was written by a newer webhookctl"),
        (_has_a_second_name, "hard link"),
    ],
)
def test_what_is_no_store_of_ours_is_refused_everywhere(
    demo: Program, inside: Inside, spoil: Callable[[Path], None], words: str
) -> None:
    """By every command, with 5 and one sentence."""
    spoil(_store(demo))

    for command in (("serve", "--listen", "127.0.0.1:0"), *_LOOKING, *_WRITING):
        code, _, err = inside.run(*command)

        assert code == 5, (command, err)
        assert words in err, command
        assert len(err.splitlines()) == 1, (command, err)


def test_damage_met_while_serving_is_never_acknowledged(demo: Program) -> None:
    """The supplier gets a 503 and sends it again elsewhen; `serve` says so, and ends with 5."""
    with demo.serve("--no-worker", "--listen", "127.0.0.1:0") as serving:
        with closing(sqlite3.connect(_store(demo))) as other, other:  # what `serve` has in memory is of no use now
            other.execute("INSERT INTO repeats (supplier, day, n) VALUES ('demo', 1, 1)")
        size = _store(demo).stat().st_size
        with _store(demo).open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\xa5" * (size - PAGE))
        answer = demo.run("send", "order.refunded", "--url", f"{serving.url}/webhooks/demo")
        ended = serving.process.wait(30)

    assert ended == 5
    assert answer.returncode == 1
    assert answer.stdout.startswith(b"503 ")
    assert "damaged" in serving.words


def test_a_backup_comes_back(demo: Program, inside: Inside, tmp_path: Path) -> None:
    """Refused over a running `serve`; then it takes the place of a damaged store, and `serve` runs with it."""
    backup = tmp_path / "backup.db"
    shutil.copy(_store(demo), backup)
    with demo.serve("--listen", "127.0.0.1:0") as serving:
        refused = inside.run("store", "restore", str(backup), "--yes")
        checked = inside.run("store", "check", "--json")
        serving.stop(signal.SIGTERM)
    damaged = _damage(demo, "header")

    unasked = inside.run("store", "restore", str(backup))
    planned = inside.run("store", "restore", str(backup), "--dry-run")
    done = inside.run("store", "restore", str(backup), "--yes", "--json")

    assert (refused[0], unasked[0], planned[0], done[0]) == (5, 2, 0, 0)
    assert "is in use: stop every" in refused[2]
    assert json.loads(checked[1]) == {"whole": True, "faults": [], "notes": []}
    assert Path(json.loads(done[1])["kept"]).read_bytes() == damaged
    with demo.serve("--listen", "127.0.0.1:0") as serving:
        sent = demo.run("send", "order.refunded", "--url", f"{serving.url}/webhooks/demo")
        until(lambda: demo.json("events", "list", "--limit", "1")[0]["id"] == 103, "what came after is there")
    assert sent.returncode == 0


def test_the_store_says_how_big_it_is(inside: Inside) -> None:
    """In words and as JSON; and that it has the present schema."""
    page = json.loads(inside.run("store", "stats", "--json")[1])
    migrated = json.loads(inside.run("store", "migrate", "--json")[1])

    assert {one["table"]: one["rows"] for one in page["tables"]}["events"] == 102
    assert page["full_in_days"] > 0
    assert "disk is full" in (said := inside.run("store", "stats")[1])
    assert "at the rate of the last 1 h, less" in said
    assert migrated["pending"] == []
