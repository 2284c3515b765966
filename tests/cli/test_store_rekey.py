"""`store rekey` and stores without a key, as an operator uses them."""

import time
from contextlib import closing
from pathlib import Path

import pytest
import typer

from tests.store.building import arrive, verified
from webhookctl import cli
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher, shown_id
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.errors import ExitCode
from webhookctl.core.events import EventState
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows.apply import Apply

OLD, NEW = "11" * 32, "22" * 32
SETTINGS = """
[store]
url = "sqlite:shop.db"
{keys}
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLD_KEY", OLD)
    monkeypatch.setenv("NEW_KEY", NEW)
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes.fromhex(OLD)]), create=True)) as store:
        arrive(store, 1)
        store.intake.accept([verified(2)])
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, keys: str, *arguments: str) -> int:
    (folder / "webhookctl.toml").write_text(SETTINGS.format(keys=keys))
    monkeypatch.setattr("sys.argv", ["webhookctl", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


BOTH = 'keys = ["env:NEW_KEY", "env:OLD_KEY"]'
IN_CLEAR = "unencrypted = 'I accept that codes lie in clear'"


def test_rekey(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what it did and what is to be done next; a second time there is nothing to do."""
    codes = [run(monkeypatch, folder, BOTH, "store", "rekey", "--yes") for _ in range(2)]

    out, err = capsys.readouterr()
    assert codes == [0, 0]
    assert out == "3 values of 3 rows were encrypted anew.\n0 values of 3 rows were encrypted anew.\n"
    assert "About 3 rows are looked at. Every `serve` and `work` must have been restarted" in err
    assert "Nothing needs the older keys any more" in err
    assert run(monkeypatch, folder, 'keys = ["env:NEW_KEY"]', "events", "show", "1", "--json") == 0


def test_who_has_one_key_is_not_told_to_take_it_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no older one."""
    assert run(monkeypatch, folder, 'keys = ["env:OLD_KEY"]', "store", "rekey", "--yes") == 0
    out, err = capsys.readouterr()
    assert "0 values of 3 rows" in out
    assert "take them out" not in err


def test_what_a_worker_without_the_new_key_set_aside_is_done_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was not restarted before the rekeying loses nothing: the next start takes up what it could not read."""
    path = folder / "shop.db"
    with closing(open_store(path, AesGcmCipher([bytes.fromhex(OLD)]), create=False)) as late:
        run(monkeypatch, folder, BOTH, "store", "rekey", "--yes")
        Apply(late.events, late.orders, {}).run(now=time.time_ns() // 1_000_000)
        before = late.events.find(EventQuery(state=EventState.DEAD))

    run(monkeypatch, folder, 'keys = ["env:NEW_KEY"]', "work", "--once")

    with closing(open_store(path, AesGcmCipher([bytes.fromhex(NEW)]), create=False)) as store:
        after = store.events.find(EventQuery())
    assert ["is not at hand" in (one.error or "") for one in before] == [True, True]
    assert [one.error for one in after if one.error and "is not at hand" in one.error] == []


def test_who_stops_it_hears_what_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends it with 130 and a sentence; what was done by then stays."""

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webhookctl.flows.rekey.BATCH", 1)
    monkeypatch.setattr("webhookctl.flows.rekey.rekey.__defaults__", (stop,))
    code = run(monkeypatch, folder, BOTH, "store", "rekey", "--yes")

    assert code == ExitCode.INTERRUPTED
    assert "Interrupted: what is encrypted anew stays so. Keep the older keys" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OLD_KEY", OLD)
    monkeypatch.setenv("NEW_KEY", NEW)
    assert run(monkeypatch, folder, BOTH, "store", "rekey", "--yes") == 0
    assert capsys.readouterr().out == "2 values of 3 rows were encrypted anew.\n"


def test_who_stops_at_the_question_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C and Ctrl-D where a person is asked are no answer: 130, and a sentence."""

    def stop(*_: object, **__: object) -> None:
        raise typer.Abort

    monkeypatch.setattr("typer.confirm", stop)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    assert run(monkeypatch, folder, BOTH, "store", "rekey") == ExitCode.INTERRUPTED
    assert "Interrupted: nothing was changed." in capsys.readouterr().err


def test_without_a_terminal_it_asks_for_yes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a script nobody can answer: nothing is changed without --yes."""
    assert run(monkeypatch, folder, BOTH, "store", "rekey") == ExitCode.USAGE
    assert "Nothing was changed. In a script, --yes" in capsys.readouterr().err
    assert run(monkeypatch, folder, 'keys = ["env:OLD_KEY"]', "events", "show", "1") == 0


@pytest.mark.parametrize("command", [["events", "list"], ["status"], ["store", "rekey", "--yes"], ["work", "--once"]])
def test_a_wrong_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Every command says which key is missing, in one sentence, and leaves the store as it is."""
    before = (folder / "shop.db").read_bytes()

    assert run(monkeypatch, folder, 'keys = ["env:NEW_KEY"]', *command) == ExitCode.STORE
    sentence = f"A stored value needs the key {shown_id(bytes.fromhex(OLD))}, which is not at hand"
    assert sentence in capsys.readouterr().err
    assert (folder / "shop.db").read_bytes() == before


def test_what_can_not_be_encrypted_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 5, the reason and how many: the older keys must stay."""
    cipher = AesGcmCipher([bytes.fromhex(OLD)])
    with closing(open_store(folder / "shop.db", cipher, create=False)) as store, store.connection.writing() as raw:
        raw.execute("UPDATE events SET supplier = 'other' WHERE id = 2")

    assert run(monkeypatch, folder, BOTH, "store", "rekey", "--yes", "--json") == ExitCode.STORE
    out, err = capsys.readouterr()
    assert '"changed": 2' in out
    assert "1 values stay as they are: A stored value does not open under its key" in err
    assert "keep the older keys" in err


def test_no_key_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the sentence nothing starts; with it a store in clear is made, and `config check` says what it means."""
    (folder / "shop.db").unlink()
    monkeypatch.setenv("ACME_SECRET", "a secret of thirty-two characters")

    refused = run(monkeypatch, folder, "", "work", "--once")
    wanted = run(monkeypatch, folder, IN_CLEAR, "work", "--once")
    checked = run(monkeypatch, folder, IN_CLEAR, "config", "check")
    rekeyed = run(monkeypatch, folder, IN_CLEAR, "store", "rekey", "--yes")

    err = capsys.readouterr().err
    assert (refused, wanted, checked, rekeyed) == (ExitCode.SETTINGS, 0, 0, ExitCode.USAGE)
    assert "store.keys is missing or empty: say what encrypts the store" in err
    assert "whoever gets the store's file, or a backup, has every code" in err
    assert "put a new one first in keys" in err


def test_a_store_in_clear_gets_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and sentence side by side read what lies in clear; after `store rekey` the key is enough."""
    (folder / "shop.db").unlink()
    assert run(monkeypatch, folder, IN_CLEAR, "work", "--once") == 0
    assert run(monkeypatch, folder, 'keys = ["env:NEW_KEY"]', "status") == ExitCode.STORE
    assert run(monkeypatch, folder, f'keys = ["env:NEW_KEY"]\n{IN_CLEAR}', "store", "rekey", "--yes") == 0
    assert run(monkeypatch, folder, 'keys = ["env:NEW_KEY"]', "status") == 0


def test_config_check_names_keys(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the id that a message about a missing key has."""
    monkeypatch.setenv("ACME_SECRET", "a secret of thirty-two characters")
    run(monkeypatch, folder, BOTH, "config", "check")

    assert f"ok store.keys[1]: env:OLD_KEY, key {shown_id(bytes.fromhex(OLD))}" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o644, None])
def test_a_command_that_can_not_be_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: int | None
) -> None:
    """Said when the settings are checked, not at the first order: not there, or not executable."""
    monkeypatch.setenv("ACME_SECRET", "a secret of thirty-two characters")
    program = folder / "refund"
    if mode is not None:
        program.write_text("#!/bin/sh\n")
        program.chmod(mode)

    code = run(monkeypatch, folder, f'{BOTH}\n[actions.refund]\ncommand = ["{program}"]', "config", "check")

    assert code == ExitCode.SETTINGS
    words = "is not there." if mode is None else f"is there, and may not be run: chmod +x {program}"
    assert f"actions.refund.command: {program} {words}" in capsys.readouterr().err
