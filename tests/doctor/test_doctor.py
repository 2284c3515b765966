"""`doctor` in a shop whose files, settings and store are in every state but the right one."""

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.doctor.scene import DELIVER, KEY, Place, lying_there
from webhookctl.adapters import checkup_posix as posix
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import checkup, open_store
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.checkup import Role, Starting
from webhookctl.core.errors import StoreError

COMMAND = '[actions.deliver]\ncommand = ["{path}"]\n'


def test_nothing_is_changed(place: Place) -> None:
    """Neither the store nor its modes, and no file is made: it can be run at any time, by anybody."""
    place.write()
    place.fill(1, 2)
    (place.folder / "shop.db").chmod(0o644)
    before = lying_there(place.folder)

    found = place.doctor("--offline")

    assert lying_there(place.folder) == before
    assert (found.code, "chmod 600" in found.about("store", "files")["do"]) == (1, True)


def test_a_store_in_use(place: Place) -> None:
    """While somebody has it open, what he wrote last is seen: the oldest and the newest event open."""
    place.write()
    place.fill(1)
    with closing(open_store(place.folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]), create=False)) as store:
        store.leases.beat(now=1)
        place.fill(2)
        found = place.doctor("--offline")

    assert found.code == 0
    said = [row["says"] for row in found.rows if row["name"] == "key"]
    assert said == ["The keys at hand open the oldest event (1).", "The keys at hand open the newest event (2)."]
    assert "is whole" in found.about("store", "store")["says"]


def test_another_key(place: Place) -> None:
    """Neither the store's own key nor any event opens: each names the key that is missing."""
    place.write()
    place.fill(1)
    place.patch.setenv("STORE_KEY", "71" * 32)

    found = place.doctor("--offline")

    faults = [row["says"] for row in found.rows if row["name"] == "key"]
    assert found.code == 1
    assert len(faults) == 3
    assert all("which is not at hand" in one for one in faults)


def test_no_settings_at_all(place: Place) -> None:
    """What there is to be seen without any is said, and that there are none."""
    found = place.doctor()

    assert (found.code, found.named("warning")) == (0, {"settings"})
    assert "webhookctl init" in found.about("settings")["do"]
    assert list(place.folder.iterdir()) == []


def test_the_demo(place: Place) -> None:
    """In a folder where the demo has run its settings are looked at."""
    for name, text in (("webhookctl.key", KEY), ("demo.secret", "b8c1f0e97a6d5432b8c1f0e97a6d5432")):
        (place.folder / name).write_text(text)
        (place.folder / name).chmod(0o600)

    found = place.doctor()

    assert found.code == 0
    assert "these are the demo's" in found.about("settings")["says"]
    assert found.about("suppliers.demo.secrets[0]", "files")["verdict"] == "ok"


def test_broken_settings(place: Place) -> None:
    """All that is wrong with them is said, and the store that they name is looked at all the same."""
    place.write('[actions.deliver]\nhtpp = "x"\n')
    place.fill(1)

    found = place.doctor()

    assert (found.code, found.about("settings")["verdict"]) == (1, "must fix")
    assert "actions.deliver.htpp is not known" in found.about("settings")["says"]
    assert "is whole" in found.about("store", "store")["says"]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[store", b"store = 1", b"[store]\nurl = 7\n"])
def test_settings_that_say_nothing(place: Place, text: bytes) -> None:
    """Then there is the machine to look at."""
    (place.folder / "webhookctl.toml").write_bytes(text)

    found = place.doctor()

    assert (found.code, found.about("settings")["verdict"]) == (1, "must fix")
    assert found.about("webhookctl")["verdict"] == "ok"


def test_settings_that_are_not_there(place: Place) -> None:
    """A file that --config names and that is missing."""
    code, said = place.run("--config", "none.toml", "doctor")

    assert code == 1
    assert "There is no settings file none.toml" in said


def script(place: Place, text: str, mode: int) -> Path:
    path = place.folder / "deliver.sh"
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("#!/bin/sh\n", 0o644, "may not be run: chmod +x"),
        ("#!/bin/nobodys-shell\n", 0o755, "/bin/nobodys-shell, which is not there"),
        ("#!/bin/sh\r\n", 0o755, "line ends of Windows"),
    ],
)
def test_a_command_that_can_not_run(place: Place, text: str, mode: int, words: str) -> None:
    """Is told by both `doctor` and `config check`, not at the first order."""
    place.write(COMMAND.format(path=script(place, text, mode)))
    place.fill(1)

    found = place.doctor("--offline")
    code, said = place.run("config", "check")

    about = found.about("actions.deliver.command")
    assert (found.code, about["verdict"], words in about["says"]) == (1, "must fix", True), about
    assert (code, words in said) == (3, True)


def test_a_command_that_is_not_there_or_is_a_folder(place: Place) -> None:
    """A bare name is looked for on the PATH, which is said."""
    place.patch.setenv("PATH", "/nowhere")
    place.write(COMMAND.format(path="deliver-codes"))
    missing = place.run("config", "check")
    place.write(COMMAND.format(path=place.folder))
    folder = place.run("config", "check")

    assert (missing[0], folder[0]) == (3, 3)
    assert "deliver-codes is not there: no folder of the PATH (/nowhere) has it" in missing[1]
    assert "is a folder" in folder[1]


def test_a_command_that_everybody_can_change(place: Place) -> None:
    """It would be run with the codes."""
    place.write(COMMAND.format(path=script(place, "#!/bin/sh\n", 0o757)))
    place.fill(1)

    about = place.doctor("--offline").about("actions.deliver.command", "files")

    assert about["verdict"] == "must fix"
    assert "it is run with the codes" in about["says"]


def test_a_secret_at_two_places_and_one_without_value(place: Place) -> None:
    """What is set is compared, what is not set is named; none is shown (`Place.run` looks)."""
    other = '[suppliers.other]\npreset = "generic"\nsecrets = ["env:ACME_SECRET", "env:NOT_SET"]\n'
    place.write(other)
    place.fill(1)

    found = place.doctor("--offline")

    assert "env:NOT_SET is not set" in found.about("suppliers.other.secrets[1]")["says"]
    assert "suppliers.acme.secrets[0] and at suppliers.other.secrets[0]" in " ".join(
        row["says"] for row in found.rows if row["area"] == "secrets"
    )


def test_words_of_a_terminal_and_a_pipe(place: Place) -> None:
    """A line for each, the worst first, and the last one counts."""
    place.write(DELIVER.format(url=f"http://127.0.0.1:{place.port}/in"))
    place.fill(1)

    code, said = place.run("doctor")

    lines = said.splitlines()
    assert code == 1
    assert lines[0].startswith("must fix: network, actions.deliver: ")
    assert lines[-1].startswith("1 must be fixed, ")
    kinds = [line.partition(":")[0] for line in lines[:-1]]
    assert kinds == sorted(kinds, key=["must fix", "warning", "ok"].index)


def test_what_starts_us_is_found(tmp_path: Path) -> None:
    """Units and crontabs that call us are named, comments and others are not; what can't be read is told."""
    files = {
        "etc/systemd/system/webhookctl.service": "[Service]\nExecStart=/opt/bin/webhookctl --config x serve\n",
        "etc/systemd/system/poll.service": "[Service]\nExecStart=webhookctl poll\n",
        "etc/systemd/system/other.service": "[Service]\n# ExecStart=webhookctl serve\nExecStart=/bin/serve\n",
        "etc/cron.d/webhookctl": "*/5 * * * * shop webhookctl poll\n",
        "home/.config/systemd/user/work.service": "ExecStart=/usr/bin/webhookctl work\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "etc/cron.d/gone").symlink_to(tmp_path / "nowhere")

    found = posix.starting(tmp_path, tmp_path / "home")

    assert found.serve == ("webhookctl.service", "work.service")
    assert found.poll == ("poll.service", "webhookctl")


def test_a_file_of_another_user(tmp_path: Path) -> None:
    """Owner, mode, and who else may write to a folder are the system's own words."""
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o640)
    tmp_path.chmod(0o777)

    secret = posix.look_at(Role.SECRET, "s", tmp_path / "secret", posix.us())
    folder = posix.look_at(Role.FOLDER, "f", tmp_path, posix.us())
    nothing = posix.look_at(Role.STORE, "n", tmp_path / "nothing", posix.us())

    assert secret is not None
    assert folder is not None
    assert (stat.S_IMODE(secret.mode), secret.uid, secret.others) == (0o640, os.geteuid(), None)
    assert folder.others == "everybody"
    assert nothing is None


def test_a_large_store_is_left_in_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's look at every page ends when its time is up, and says that it has not seen all."""
    place.write()
    place.fill(*range(1, 200))
    monkeypatch.setattr(checkup, "_PAGES_S", -1.0)
    monkeypatch.setattr(checkup, "_STEPS", 1)

    fact = checkup.look(place.folder / "shop.db", AesGcmCipher([bytes.fromhex(KEY)]))

    assert (fact.whole, fact.fault) == (None, None)
    assert len(fact.opened) == 2


def test_looking_needs_no_right_to_write(place: Place) -> None:
    """A connection that only reads refuses to write, whatever the modes say."""
    place.fill(1)
    connection = Connection(place.folder / "shop.db", busy_ms=100, only_read=True)

    with closing(connection), pytest.raises(StoreError), connection.writing() as raw:
        raw.execute("DELETE FROM events")


def refuse(*_words: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_is_in_the_way_hides_nothing_else(place: Place) -> None:
    """Where one thing can't be looked at, that is a finding, and the others are there."""
    place.write()
    place.fill(1)

    place.patch.setattr(posix, "starting", refuse)

    found = place.doctor("--offline")

    assert (found.code, found.about("work")["says"]) == (1, "The system refused: Permission denied.")
    assert "is whole" in found.about("store", "store")["says"]


def test_folders_that_we_may_not_enter_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's home is none of ours."""
    monkeypatch.setattr(Path, "is_dir", refuse)

    assert posix.starting(tmp_path, tmp_path) == Starting()


def test_a_folder_that_we_may_not_enter(place: Place) -> None:
    """Whoever stands in another's folder is told so."""
    place.patch.setattr(Path, "exists", refuse)

    found = place.doctor("--offline")

    assert (found.code, found.about("settings")["verdict"]) == (1, "must fix")
    assert "can't be looked for: permission denied" in found.about("settings")["says"]


def test_root_looks_for_the_service(place: Place) -> None:
    """Secrets that belong to the user of the store are as they should be, though they are not root's own."""
    user = os.geteuid() or 12345
    place.write('[suppliers.other]\npreset = "generic"\nsecrets = ["file:its.secret"]\n')
    place.fill(1)
    (place.folder / "its.secret").write_text("b8c1f0e97a6d5432b8c1f0e97a6d5432-its")
    (place.folder / "its.secret").chmod(0o600)
    for path in (place.folder, place.folder / "shop.db", place.folder / "its.secret"):
        os.chown(path, user, -1)  # whoever is not root has his own, and plays root
    place.patch.setattr(os, "geteuid", lambda: 0)
    place.patch.setenv("WEBHOOKCTL_CONFIG", str(place.folder / "webhookctl.toml"))  # named: whosever it is

    found = place.doctor("--offline")
    refused = place.run("config", "check")

    assert (found.code, found.named("must fix")) == (0, set())
    assert found.about("user")["says"].startswith("This is root, and the store belongs to ")
    assert found.about("suppliers.other.secrets[0]", "settings")["verdict"] == "ok"
    assert "belongs to another user" in refused[1]
