"""Backups and pruning beside a `serve` under load, killed at any moment, on disks that won't."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.scene import Scene, bodies, scene, tool, works
from tests.chaos.supplier import events_of
from tests.e2e.program import until
from tests.store.building import verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store

_KEY = bytes.fromhex("0f" * 32)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as built:
        yield built


def opened(path: Path) -> SqliteStore:
    return open_store(path, AesGcmCipher([_KEY]), create=False)


def filled(stage: Scene) -> None:
    """Have a store with eighty events."""
    with closing(open_store(stage.store, AesGcmCipher([_KEY]), create=True)) as store:
        store.intake.accept([verified(number, body=b"%d" % number) for number in range(80)])


def strace(folder: Path, injection: str) -> tuple[str, ...]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed here, and makes this fault: apt-get install strace")
    return ("strace", "-f", "-qq", "-o", str(folder / "strace.log"), "-e", injection)


def test_beside_a_live_receiver(stage: Scene) -> None:
    """Every delivery is answered 200 while backups are made and pruning runs; each backup holds what came before it."""
    backups = stage.folder / "backups"
    stage.supplier.waiting.extend(events_of(range(200)))
    held = list[tuple[Path, set[bytes]]]()
    with stage.program().serve():
        posting = threading.Thread(target=stage.supplier.post_until, args=(lambda: False,))
        posting.start()
        while posting.is_alive():
            before = set(stage.supplier.ledger.read())
            made = stage.program().json("store", "backup", "backups/", "--keep", "2")
            stage.program().ok("store", "prune", "--older-than", "7d", "--yes")
            held.append((Path(stage.folder / made["file"]), before))
        posting.join()
    stage.drain()

    assert set(stage.supplier.statuses) == {200}
    for path, before in held[-2:]:
        with closing(opened(path)) as copy:
            assert before <= bodies(copy)
    assert len([one for one in backups.iterdir() if one.suffix == ".db"]) <= 2
    assert stage.faults(200) == []


@pytest.mark.parametrize(
    "injection",
    [
        "fsync:signal=SIGKILL:when=1",
        "rename:signal=SIGKILL",
        "fadvise64:signal=SIGKILL",
        "unlink:signal=SIGKILL:when=2",
    ],
)
def test_a_killed_backup_is_begun_again(stage: Scene, injection: str) -> None:
    """Killed while it copies, syncs or renames, no half backup is there; the next run clears up and makes one."""
    filled(stage)
    program = stage.program(*strace(stage.folder, f"inject={injection}"))

    killed = program.run("store", "backup", "backups/")
    half = [path.name for path in (stage.folder / "backups").iterdir() if path.suffix == ".db"]
    stage.program().ok("store", "backup", "backups/")

    assert killed.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert half == []
    (made,) = (stage.folder / "backups").iterdir()
    with closing(opened(made)) as copy:
        assert len(bodies(copy)) == 80


def test_a_backup_disk_that_fills_up(stage: Scene) -> None:
    """Exit code 5 and a sentence, the half file is gone, and the store goes on."""
    filled(stage)
    full = strace(stage.folder, "inject=copy_file_range,pwrite64:error=ENOSPC")
    program = stage.program(*full, "-P", str(stage.folder / ".copy.db.partial"))

    failed = program.run("store", "backup", "copy.db")

    assert failed.returncode == 5
    assert b"There is no space left for the backup in" in failed.stderr
    assert not [path.name for path in stage.folder.iterdir() if "copy.db" in path.name]
    with stage.opened() as store:
        assert len(bodies(store)) == 80


_BOUND: Final = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]


def test_a_backup_disk_that_is_read_only(stage: Scene, tmp_path: Path) -> None:
    """Exit code 5 and a sentence; where nothing may be mounted, a folder without the right to write does as well.

    Root may write there all the same, unless that right is taken away.
    """
    filled(stage)
    disk = tmp_path / "disk"
    disk.mkdir(0o700)
    is_disk = works(["mount", "-t", "tmpfs", "-o", "ro,mode=0700", "tmpfs", str(disk)])
    try:
        if not is_disk:
            disk.chmod(0o500)
        is_bound = is_disk or not works([*_BOUND, "true"])
        failed = stage.program(*([] if is_bound else _BOUND)).run("store", "backup", str(disk / "copy.db"))
    finally:
        if is_disk:
            tool("umount", "-l", str(disk))

    assert failed.returncode == 5
    assert b"The backup's folder" in failed.stderr
    assert b"can't be written to" in failed.stderr or b"MiB left" in failed.stderr


def test_ctrl_c_while_it_copies(stage: Scene) -> None:
    """Exit code 130, and nothing is left."""
    filled(stage)
    # Each way to the disk takes three seconds: there is time to press it.
    slow = strace(stage.folder, "inject=fsync,fdatasync:delay_enter=3000000")
    with stage.program(*slow).start("store", "backup", "copy.db") as process:
        until((stage.folder / ".copy.db.partial").exists, "the copy is begun")
        tool("pkill", "-INT", "-P", str(process.pid))
        process.wait(60)

    assert process.returncode == 130
    assert not [path.name for path in stage.folder.iterdir() if "copy.db" in path.name]
