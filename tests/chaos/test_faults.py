"""A sick machine: no 200 that is not on disk, a sentence for the operator, and recovery by itself."""

import os
import resource
import select
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.bad_shop import bad_shop
from tests.chaos.lock import SUPPLIERS_PATIENCE_S, hold
from tests.chaos.scene import Scene, scene, tool, works
from tests.chaos.supplier import GONE, TORN, events_of
from tests.e2e.program import free_port, until

SYNCS = "fsync,fdatasync"


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[bool]:
    """Mount something on `folder`; says whether this user and this machine can."""
    done = works(["mount", *arguments, str(folder)])
    try:
        yield done
    finally:
        if done:
            tool("umount", "-l", str(folder))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as built:
        yield built


def strace(folder: Path, injection: str, *more: str) -> tuple[str, ...]:
    """Return the prefix that makes `injection`; the program stays our own child."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed here, and makes this fault: apt-get install strace")
    return (
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        str(folder / "strace.log"),
        "-e",
        f"trace={','.join((SYNCS, *more))}",
        "-e",
        injection,
    )


def post_all(stage: Scene, orders: int) -> list[int]:
    """Post the events of `orders` orders one by one, each once; what was not acknowledged waits for later."""
    statuses = list[int]()
    for body in events_of(range(orders)):
        statuses.append(stage.supplier.post(body))
        if statuses[-1] != 200:
            stage.supplier.waiting.append(body)
    return statuses


def limit_files(stage: Scene, pid: int) -> Callable[[], None]:
    """Let the program's files grow no further; return what lets them again."""
    wal = stage.store.with_name(f"{stage.store.name}-wal")
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (max(stage.store.stat().st_size, wal.stat().st_size), before[1]))
    return lambda: void(resource.prlimit(pid, resource.RLIMIT_FSIZE, before))


def fill_disk(stage: Scene, _pid: int) -> Callable[[], None]:
    """Leave no byte on the store's file system; return what gives it back."""
    filler = stage.store.parent / "filler"
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    with suppress(OSError):  # that is the aim
        while os.write(handle, bytes(1 << 20)):
            pass
    os.close(handle)
    return filler.unlink


def void(_: object) -> None:
    """Let a lambda have no value."""


@pytest.mark.parametrize("way", [limit_files, fill_disk])
def test_a_full_disk(tmp_path: Path, way: Callable[[Scene, int], Callable[[], None]]) -> None:
    """503 while there is no room, nothing torn, and it goes on by itself when there is room again.

    Where nothing may be mounted, both ways end at the limit on the size of files.
    """
    disk = tmp_path / "disk"
    disk.mkdir(0o700)
    with mounted(disk, "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs") as is_disk, ExitStack() as later:
        stage = later.enter_context(scene(tmp_path, store=disk / "shop.db"))
        with stage.program().serve() as serving:
            before = post_all(stage, 5)
            give_back = (way if is_disk else limit_files)(stage, serving.process.pid)
            stage.supplier.waiting.extend(events_of(range(5, 60)))
            stage.supplier.post_until(lambda: 503 in stage.supplier.statuses)
            full = [stage.supplier.post(stage.supplier.waiting[0]) for _ in range(2)]
            alive = serving.process.poll() is None
            give_back()
            until(lambda: stage.supplier.post(stage.supplier.waiting[0]) == 200, "there is room again")
        stage.drain()

        assert before == [200] * 10
        assert full == [503, 503]
        assert alive
        assert set(stage.supplier.statuses) <= {200, 503}
        assert stage.faults(60) == []


def test_a_writer_that_holds_the_lock(tmp_path: Path) -> None:
    """Another process keeps the store to itself: 503 before the supplier gives up, then all goes on.

    Here for as long as two answers take; `python -m tests.chaos.lock` holds it for a minute.
    """
    report = hold(tmp_path, 5)

    assert report.faults == []
    assert report.refused >= 16
    assert report.slowest_s < SUPPLIERS_PATIENCE_S


def test_a_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    """At the start the operator is told which folder it is and what to do, with exit code 5."""
    folder = tmp_path / "disk"
    folder.mkdir(0o500)
    with mounted(folder, "-t", "tmpfs", "-o", "ro,size=1m,mode=0700", "tmpfs") as is_read_only:
        # Nothing but a file system keeps root from writing; /proc takes no file from anybody.
        place = folder if is_read_only or os.geteuid() else Path("/proc")
        with scene(tmp_path, store=place / "shop.db") as stage:
            done = stage.program().run("serve")

    assert done.returncode == 5
    assert str(place).encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_store_that_can_only_be_read(tmp_path: Path) -> None:
    """Whose file system was mounted read-only can still be looked at; what would write says why it can't."""
    disk = tmp_path / "disk"
    disk.mkdir(0o700)
    with mounted(disk, "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs") as is_disk:
        if not is_disk:
            pytest.skip("this user or this machine can't mount a file system")
        with scene(tmp_path, store=disk / "shop.db") as stage:
            with stage.program().serve() as serving:
                post_all(stage, 2)
                until(stage.is_at_rest, "both are delivered")
                serving.stop(signal.SIGTERM)
            assert works(["mount", "-o", "remount,ro", str(disk)])
            refused = {words: stage.program().run(*words.split()) for words in ("serve", "actions retry 1")}
            status, orders = stage.program().json("status"), stage.program().json("orders", "list")

    assert (status["events"], [order["status"] for order in orders]) == ({"done": 4}, ["fulfilled"] * 2)
    assert {words: done.returncode for words, done in refused.items()} == {"serve": 5, "actions retry 1": 1}
    assert b"mounted read-only: remount it" in refused["serve"].stderr


def test_a_store_on_a_file_system_of_others(tmp_path: Path) -> None:
    """On FUSE, as on NFS, there is no WAL: `serve` says so and works, and `status` shows it."""
    disk, behind = tmp_path / "disk", tmp_path / "behind"
    for folder in (disk, behind):
        folder.mkdir(0o700)
    if shutil.which("bindfs") is None or not works(["bindfs", str(behind), str(disk)]):
        pytest.skip("no FUSE here: apt-get install bindfs, as a user who may mount")
    try:
        with scene(tmp_path, store=disk / "shop.db") as stage:
            with stage.program().serve() as serving:
                statuses = post_all(stage, 5)
                until(stage.is_at_rest, "all are delivered")
                code = serving.stop(signal.SIGTERM)
            journal = stage.program().json("status")["journal_mode"]
            faults = stage.faults(5)
    finally:
        tool("umount", "-l", str(disk))

    assert (set(statuses), code, faults, journal) == ({200}, 0, [], "delete")
    assert "lies on fuse, a file system that is not this machine's alone" in serving.words


@pytest.mark.parametrize("fault", [f"{SYNCS}:error=EIO:when=8", "pwrite64:error=EROFS:when=60+"])
def test_a_disk_that_fails(stage: Scene, tmp_path: Path, fault: str) -> None:
    """503, no second try (not even in closing), exit code 5, and the next start finds all that was acknowledged.

    So it is with an fsync that fails, and with a file system that becomes read-only under us.
    """
    with stage.program().serve() as first:
        first.stop(signal.SIGTERM)  # it has made the store, which takes syncs of its own
    with stage.program(*strace(tmp_path, f"inject={fault}", "pwrite64")).serve() as serving:
        statuses = post_all(stage, 40)
        code = serving.process.wait(30)
    log = (tmp_path / "strace.log").read_text()
    stage.drain()
    first_refused = statuses.index(503)
    behind = log[log.index("INJECTED") :]

    assert set(statuses[:first_refused]) == {200}
    assert set(statuses[first_refused:]) <= {503, GONE}
    assert code == 5
    assert "start again" in serving.words
    assert "Traceback" not in serving.words
    assert "sync(" not in behind
    assert stage.faults(40) == []


@pytest.mark.parametrize(("injection", "expected"), [("delay_enter=200000", 200), ("delay_enter=4000000:when=5", 503)])
def test_a_slow_disk(stage: Scene, tmp_path: Path, injection: str, expected: int) -> None:
    """Answers wait for the disk; one that would come too late is a 503, and what was stored after all is a repeat."""
    with stage.program(*strace(tmp_path, f"inject={SYNCS}:{injection}")).serve("--no-worker"):
        statuses = post_all(stage, 4)
        again = [stage.supplier.post(body) for body in events_of(range(4))]
    stage.drain()

    assert expected in statuses
    assert set(statuses) <= {200, expected}
    assert set(again) <= {200, 503}
    assert again[-1] == 200
    assert stage.faults(4) == []


def test_64_file_descriptors(stage: Scene) -> None:
    """Two hundred idle connections under a limit of 64: when they have gone, it serves as before."""
    with stage.program("prlimit", "--nofile=64:64").serve() as serving, ExitStack() as open_ones:
        before = post_all(stage, 1)
        for _ in range(200):
            idle = socket.socket()
            open_ones.callback(idle.close)
            idle.setblocking(False)
            idle.connect_ex(("127.0.0.1", stage.port))
        open_ones.callback(select.select, [], [], [], 0.2)
        open_ones.close()
        until(lambda: stage.supplier.post(events_of([1])[0]) == 200, "it is served again")
        assert stage.supplier.post(events_of([1])[1]) == 200
        until(stage.is_at_rest, "the worker got through as well")
        code = serving.stop(signal.SIGTERM)

    assert before == [200, 200]
    assert code == 0
    assert stage.faults(2) == []


@pytest.mark.parametrize("jump_ms", [86_400_000, -86_400_000])
def test_a_clock_that_jumps_a_day(stage: Scene, tmp_path: Path, jump_ms: int) -> None:
    """Under load the clock goes a day forward or back, and later is right again: all is kept, and delivered once."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    with stage.program(clock=clock).serve() as serving:
        stage.supplier.waiting.extend(events_of(range(60)))
        stage.supplier.post_until(lambda: stage.supplier.ledger.count >= 60)
        moved = tmp_path / "moved"
        moved.write_text(str(jump_ms))
        moved.replace(clock)  # at once: never an empty file
        stage.supplier.post_until(lambda: serving.process.poll() is not None)
        until(lambda: "queued" not in stage.program().json("status")["events"], "all is applied")
        code = serving.stop(signal.SIGTERM)
    stage.drain()

    assert code == 0
    assert stage.faults(60) == []


def test_two_serves_on_one_store(tmp_path: Path) -> None:
    """Both take deliveries and both work: no order is delivered under two ids, and nothing is lost."""
    with scene(tmp_path, ports=2) as stage:
        stage.supplier.waiting.extend(events_of(range(150)) * 2)
        other = f"127.0.0.1:{stage.supplier.ports[1]}"
        with stage.program().serve() as first, stage.program().serve("--listen", other) as second:
            stage.supplier.post_until(lambda: first.process.poll() is not None or second.process.poll() is not None)
            until(stage.is_at_rest, "all is delivered")
            codes = [serving.stop(signal.SIGTERM) for serving in (first, second)]

        assert codes == [0, 0]
        assert stage.faults(150) == []


def test_a_replay_after_a_month(stage: Scene, tmp_path: Path) -> None:
    """What was captured is posted again when memory and clock are others: 200 as ever, and nothing comes of it."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    captured = events_of([0])
    with stage.program(clock=clock).serve() as serving:
        first = [stage.supplier.post(body) for body in captured]
        until(lambda: stage.shop.effects.keys() == {"R0"} and stage.is_at_rest(), "it is delivered")
        serving.stop(signal.SIGTERM)
    clock.write_text(str(30 * 86_400_000))
    calls = stage.shop.calls
    with stage.program(clock=clock).serve():
        again = [stage.supplier.post(body) for body in captured]
        until(lambda: stage.program().json("status")["events"] == {"done": 2, "duplicate": 2}, "both are known")

    assert first + again == [200] * 4
    assert stage.shop.calls == calls
    assert stage.faults(1) == []


def test_a_worker_that_slept_past_its_lease(tmp_path: Path) -> None:
    """Paused in the middle of a call, it finds that another has done its work: it writes nothing, and the id is one."""
    port = free_port()
    with scene(tmp_path) as stage, bad_shop(port) as shop:
        settings = stage.folder / "webhookctl.toml"
        settings.write_text(settings.read_text().replace(stage.shop.url, f"http://127.0.0.1:{port}/deliveries"))
        later = tmp_path / "later"
        later.write_text("61000")
        body = b'{"event": "order.fulfilled", "data": {"reference": "silence", "items": [{"sku": "a", "code": "C"}]}}'
        with stage.program().serve() as asleep:
            assert stage.supplier.post(body) == 200
            until(lambda: len(shop.ids["silence"]) == 1, "the shop is called, and says nothing")
            asleep.process.send_signal(signal.SIGSTOP)
            work = stage.program(clock=later).run("work", "--once")
            asleep.process.send_signal(signal.SIGCONT)
            until(lambda: "claim lost" in asleep.words, "it finds that the claim is another's")
            code = asleep.stop(signal.SIGTERM)
        (action,) = stage.program().json("actions", "list")

    assert (work.returncode, code) == (0, 0)
    assert (action["state"], action["attempts"]) == ("done", 2)
    assert shop.ids["silence"] == [action["id"]] * 2


def test_sigterm_under_load(stage: Scene) -> None:
    """No connection is cut in the middle of an answer, it ends in time with exit code 0, and nothing is lost."""
    stage.supplier.waiting.extend(events_of(range(150)))
    stopping = threading.Event()
    with stage.program().serve() as serving:
        posting = threading.Thread(target=stage.supplier.post_until, args=(stopping.is_set,))
        posting.start()
        until(lambda: stage.supplier.ledger.count >= 100, "it is under load")
        serving.process.send_signal(signal.SIGTERM)
        code = serving.process.wait(10)
        stopping.set()
        posting.join()
    words = serving.words
    statuses = list(stage.supplier.statuses)
    stage.drain()

    assert code == 0
    assert "Stopped:" in words
    assert TORN not in statuses
    assert set(statuses) <= {200, 503, GONE}
    assert stage.faults(150) == []
