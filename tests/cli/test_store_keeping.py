"""`store backup` and `store prune`, as an operator uses them."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import application, arrive, order, verified, with_code
from webhookctl import cli
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.reserve import Reserve
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.errors import ExitCode
from webhookctl.core.orders import Move
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows.apply import Apply
from webhookctl.wiring import pruning

KEY: Final = "11" * 32
DAY: Final = 86_400_000
SETTINGS: Final = """
[store]
url = "sqlite:shop.db"
keys = ["env:KEY"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop with twelve old events that mean nothing to any order, and a young one."""
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", KEY)
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    now = time.time_ns() // 1_000_000
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=True)) as store:
        store.intake.accept([verified(number, received_at=now - 500 * DAY) for number in range(12)])
        store.intake.accept([verified(20, received_at=now)])
        Apply(store.events, store.orders, {}).run(now=now)
        with store.connection.writing() as raw:
            raw.execute("UPDATE events SET state = 'ignored'")
            raw.execute("DELETE FROM actions")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["webhookctl", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def events_in(folder: Path) -> int:
    with closing(open_store(folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store:
        return len(store.events.find(EventQuery(limit=100)))


def test_backup(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where the copy is and that the key is not in it; `status` tells of it; a second time it refuses."""
    codes = [run(monkeypatch, "store", "backup", "copy.db") for _ in range(2)]
    out, err = capsys.readouterr()
    run(monkeypatch, "status", "--json")
    status = json.loads(capsys.readouterr().out)

    assert codes == [0, ExitCode.USAGE]
    assert out.startswith("copy.db: 0.")
    assert out.endswith(" MiB, checked.\n")
    assert "The store's key is not in it: keep a copy of the key elsewhere" in err
    assert "copy.db is there already" in err
    assert status["keeping"]["backup"]["detail"] == str(folder / "copy.db")
    assert status["keeping"]["backup"]["failing_since"] is None


def test_backups_in_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON names the file, what went for it and what is not whole."""
    (folder / "backups").mkdir(0o700)
    (folder / "backups" / "shop-20250101T000000Z.db").write_bytes(b"cut")

    assert run(monkeypatch, "store", "backup", "backups", "--keep", "1", "--json") == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert Path(said["file"]).stat().st_size == said["bytes"]
    assert said["removed"] == []
    assert said["not_whole"] == ["backups/shop-20250101T000000Z.db"]
    assert "shop-20250101T000000Z.db is not whole" in err


def test_a_full_disk_is_exit_5(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C too ends with its own code; neither leaves anything behind."""
    monkeypatch.setattr("os.fdatasync", lambda _: None)
    for error, code in ((OSError(28, "No space left on device"), ExitCode.STORE), (KeyboardInterrupt(), 130)):

        def fail(_handle: int, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("webhookctl.adapters.store_sqlite.backing_up.os.fsync", fail)
            assert run(patch, "store", "backup", "copy.db") == code
        assert not list(folder.glob("*copy.db*")) + list(folder.glob(".copy.db*"))
    assert "There is no space left for the backup" in capsys.readouterr().err


def test_prune(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run and a script that did not say --yes change nothing; then the plan is what is taken."""
    words = ("store", "prune", "--older-than", "400d")
    codes = [run(monkeypatch, *words, "--dry-run"), run(monkeypatch, *words)]
    untouched = events_in(folder)
    out, err = capsys.readouterr()
    codes.append(run(monkeypatch, *words, "--yes", "--json"))
    said = json.loads(capsys.readouterr().out)

    assert codes == [0, ExitCode.USAGE, 0]
    assert untouched == 13
    assert out.count("Ended more than 400d ago: 12 events, 0 orders") == 2
    assert err.startswith("Nothing was changed.")
    assert "there is no terminal to ask on: add --yes" in err
    assert (said["planned"]["events"], said["taken"]["events"]) == (12, 12)
    assert events_in(folder) == 1


def test_a_fault_is_counted(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By its kind; exit code 5."""
    with (
        closing(open_store(folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store,
        store.connection.writing() as raw,
    ):
        raw.execute("UPDATE events SET via = 'pigeon'")

    assert run(monkeypatch, "store", "check") == ExitCode.STORE
    out, err = capsys.readouterr()
    assert out.startswith("events.via: 13 ")
    assert "The store is not whole: 1 kind of fault." in err


def test_prune_asks_for_a_single_row_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is taken out does not come back, and how few there would be nobody knew."""
    assert run(monkeypatch, "store", "prune", "--older-than", "499d", "--yes") == 0
    with closing(open_store(folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store:
        store.intake.accept([verified(30, received_at=1_700_000_000_000)])
        with store.connection.writing() as raw:
            raw.execute("UPDATE events SET state = 'ignored'")

    assert run(monkeypatch, "store", "prune", "--older-than", "400d") == ExitCode.USAGE
    assert "That is 1, and there is no terminal" in capsys.readouterr().err
    assert events_in(folder) == 2


def test_who_stops_the_pruning_hears_what_became_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends it with 130; a second run takes the rest."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("webhookctl.flows.prune.Prune._stand_back", stop)
        assert run(patch, "store", "prune", "--older-than", "400d", "--yes") == ExitCode.INTERRUPTED
    assert "what was taken out by then is out, the rest is as it was. Run it again" in capsys.readouterr().err
    assert run(monkeypatch, "store", "prune", "--older-than", "400d", "--yes") == 0
    assert events_in(folder) == 1


@pytest.mark.parametrize("age", ["1d", "soon", "400", "-400d"])
def test_an_age_that_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], age: str
) -> None:
    """Less than a week, or nothing that can be read: exit code 2, and nothing is touched."""
    assert run(monkeypatch, "store", "prune", f"--older-than={age}", "--yes") == ExitCode.USAGE
    err = capsys.readouterr().err
    assert f"--older-than '{age}' must be" in err
    assert "in quotes" not in err
    assert events_in(folder) == 13


def test_prune_gives_the_reserve_back_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the store is even opened, and not for a plan; as soon as there is room it is made anew."""
    kept = Reserve(folder / "shop.db")
    kept.keep()
    monkeypatch.setattr(pruning, "is_low", lambda _: True)
    inode = kept.path.stat().st_ino
    (folder / "holds-the-inode").hardlink_to(kept.path)

    assert run(monkeypatch, "store", "prune", "--older-than", "400d", "--dry-run") == 0
    assert kept.path.stat().st_ino == inode
    assert run(monkeypatch, "store", "prune", "--older-than", "400d", "--yes") == 0
    assert kept.path.exists()
    assert kept.path.stat().st_ino != inode


def test_show_of_a_pruned_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says when it was pruned and what was done; its codes can't be revealed any more."""
    with closing(open_store(folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store:
        claimed = arrive(store, 30)[-1]
        store.events.apply([application(claimed, Move(with_code(order(), "AAAA-1111")))], now=1)
        with store.connection.writing() as raw:
            raw.execute("UPDATE orders SET pruned_at = 1795000000000, remains = 'deliver done, webhook-id 0198'")
            raw.execute("DELETE FROM items")

    codes = [run(monkeypatch, "orders", "show", "ORD-1", "--utc")]
    out = capsys.readouterr().out
    codes.append(run(monkeypatch, "orders", "reveal", "ORD-1", "--reason", "why"))

    assert codes == [0, ExitCode.USAGE]
    assert "pruned at     2026-" in out
    assert "remains       deliver done, webhook-id 0198" in out
    assert "was pruned at 2026-" in capsys.readouterr().err
