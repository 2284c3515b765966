"""The SQLite store under contention, on full and failing disks, and after kill -9."""

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.building import LEASE, NOW, action, application, claim_actions, claim_events, order, verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.errors import StoreBrokenError, StoreBusyError, StoreError, StoreFullError, UsageError
from webhookctl.core.orders import ActionState, Move
from webhookctl.core.ports.events import Applied, EventQuery
from webhookctl.core.ports.outbox import ActionQuery, Settlement

if TYPE_CHECKING:
    import sqlite3

IOERR_FSYNC = 1034


@pytest.fixture
def sqlite(path: Path, cipher: AesGcmCipher) -> Iterator[SqliteStore]:
    with closing(open_store(path, cipher, create=True, busy_ms=30)) as store:
        yield store


def test_a_store_locked_by_another_is_busy_and_then_goes_on(
    sqlite: SqliteStore, path: Path, cipher: AesGcmCipher
) -> None:
    """After the busy timeout the sentence says so; nothing was written, and nothing is broken."""
    with closing(open_store(path, cipher, create=False)) as other:
        with (
            other.connection.writing(),
            pytest.raises(StoreBusyError, match=r"shop\.db was locked .* more than 0.03 s"),
        ):
            sqlite.intake.accept([verified(1)])
        sqlite.intake.accept([verified(2)])

    assert [one.event.received_at for one in claim_events(sqlite)] == [NOW + 2]


def test_a_full_store_says_so_and_goes_on_when_there_is_room(sqlite: SqliteStore) -> None:
    """A batch that did not fit is not there in part, and reading goes on."""
    sqlite.intake.accept([verified(1)])
    with sqlite.connection.reading() as raw:
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        raw.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(StoreFullError, match=r"no space left for the store .*shop\.db"):
        sqlite.intake.accept([verified(number, body=bytes(1000)) for number in range(2, 50)])
    assert sqlite.reports.summary(now=NOW).events == {"queued": 1}

    with sqlite.connection.reading() as raw:
        raw.execute("PRAGMA max_page_count = 100000")
    sqlite.intake.accept([verified(3)])
    assert sqlite.reports.summary(now=NOW).events == {"queued": 2}


_LIMITED = """
import resource, sys
from contextlib import closing
from tests.store.building import NOW, verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.errors import StoreFullError
with closing(open_store(sys.argv[1], AesGcmCipher([bytes(range(32))]), create=True)) as store:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    accepted = 0
    try:
        for number in range(2000):
            store.intake.accept([verified(number, body=bytes(2000))])
            accepted += 1
    except StoreFullError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        store.intake.accept([verified(9999)])
        print(store.reports.summary(now=NOW).events["queued"] - accepted)
"""


def test_a_limit_on_the_files_size_is_a_full_disk(path: Path) -> None:
    """SQLite calls it a failed write; it is over as soon as there is room, without a new start."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("1\n", "")


_TOO_FULL = """
import resource, sys
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import connection, open_store, open_to_look
from webhookctl.core.errors import StoreFullError
cipher = AesGcmCipher([bytes(range(32))])
open_store(sys.argv[1], cipher, create=True).close()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
connection.resource.getrlimit = lambda _: (hard, hard)  # nobody limits it: the disk is full
connection.room = lambda folder: (4096, 1 << 20)
for opened in (open_store, open_to_look):
    try:
        opened(sys.argv[1], cipher, **({"create": True} if opened is open_store else {}))
    except StoreFullError as error:
        print("no space left" in str(error))
"""


def test_a_disk_too_full_for_the_index_of_the_journal(path: Path) -> None:
    """SQLite calls it a failed write, as of a disk that is broken; it is to be said what to do."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _TOO_FULL, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


class _FailingDisk:
    """A connection whose commits meet a failing fsync; no unprivileged test can make a disk fail.

    A statement that is a transaction of its own commits too.
    """

    def __init__(self, raw: "sqlite3.Connection") -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the connection has
        return getattr(self._raw, name)

    def execute(self, statement: str, *values: Any) -> Any:  # noqa: ANN401 - as sqlite3 has it
        if statement == "COMMIT" or not (self._raw.in_transaction or statement.startswith(("BEGIN", "SELECT"))):
            error = self._raw.OperationalError("disk I/O error")
            error.sqlite_errorcode = IOERR_FSYNC
            raise error
        return self._raw.execute(statement, *values)


@contextmanager
def _failing_disk(store: SqliteStore) -> Iterator[None]:
    connection, raw = store.connection, store.connection._raw  # noqa: SLF001 - the disk is behind it
    connection._raw = _FailingDisk(raw)  # type: ignore[assignment]  # noqa: SLF001 - as above
    yield
    connection._raw = raw  # noqa: SLF001 - as above


def test_after_a_failed_fsync_nothing_is_committed_any_more(sqlite: SqliteStore) -> None:
    """A second fsync may succeed without having written: only a new start knows what is on the disk."""
    with _failing_disk(sqlite), pytest.raises(StoreBrokenError, match="disk I/O error"):
        sqlite.intake.accept([verified(1)])

    for use in (
        lambda: sqlite.intake.accept([verified(2)]),
        lambda: sqlite.events.find(EventQuery()),
        lambda: sqlite.outbox.claim((), now=NOW, limit=1, lease_ms=1),
    ):
        with pytest.raises(StoreBrokenError, match=r"not used any more, since it failed.*start again"):
            use()


def test_a_closed_store_says_so(sqlite: SqliteStore) -> None:
    """In our words, not in SQLite's."""
    sqlite.close()

    with pytest.raises(StoreError, match="closed"):
        sqlite.intake.accept([verified()])


def test_an_argument_that_is_no_text_is_the_askers_fault(sqlite: SqliteStore) -> None:
    """A command line may hold half a surrogate pair; the sentence does not repeat it."""
    with pytest.raises(UsageError, match="characters that are no text"):
        sqlite.events.find(EventQuery(reference="ORD-\ud800"))
    with pytest.raises(UsageError, match="beyond 64 bits"):
        sqlite.events.find(EventQuery(since=1 << 70))


def test_damage_met_while_running_is_told_and_never_written_over(
    path: Path, cipher: AesGcmCipher, sqlite: SqliteStore
) -> None:
    """Half of the file is nonsense: what meets it fails, and the store is not used any more."""
    sqlite.intake.accept([verified(number, body=bytes(3000)) for number in range(100)])
    sqlite.close()
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half:] = b"\xa5" * (len(content) - half)
    path.write_bytes(content)

    with closing(open_store(path, cipher, create=False)) as store:
        with pytest.raises(StoreBrokenError, match="damaged"):
            claim_events(store, limit=1000)
        with pytest.raises(StoreBrokenError, match="not used any more"):
            store.intake.accept([verified()])

    assert path.read_bytes() == bytes(content)


def _work(path: Path, cipher: AesGcmCipher, number: int) -> Counter[Applied]:
    """Take events in, apply what is there and carry out what it causes, as a process of its own would."""
    outcomes = Counter[Applied]()
    with closing(open_store(path, cipher, create=False)) as store:
        for batch in range(12):
            base = 1000 * number + 10 * batch
            store.intake.accept([verified(base + each) for each in range(5)])
            while claimed := claim_events(store, limit=7):
                moves = [Move(of, (action(of=of),)) for of in (order(f"ORD-{one.event.id}") for one in claimed)]
                applications = [
                    application(one, move, of=move.order, key=one.event.delivery_id.encode())
                    for one, move in zip(claimed, moves, strict=True)
                ]
                outcomes.update(store.events.apply(applications, now=NOW))
            done = [Settlement(one.action.id, one.claim, ActionState.DONE, "") for one in claim_actions(store)]
            outcomes.update(Applied.DONE if held else Applied.LOST for held in store.outbox.settle(done, now=NOW))
    return outcomes


def test_four_stores_on_one_file_lose_nothing_and_do_nothing_twice(
    path: Path, cipher: AesGcmCipher, sqlite: SqliteStore
) -> None:
    """Four processes' worth of connections write at once: no lock is lost, each event and action has one owner."""
    with ThreadPoolExecutor(4) as workers:
        outcomes = list(workers.map(lambda number: _work(path, cipher, number), range(4)))

    summary = sqlite.reports.summary(now=NOW)
    assert set().union(*outcomes) == {Applied.DONE}
    assert summary.events == {"done": 240}
    assert summary.orders == {"pending": 240}
    assert sum(summary.actions.values()) == 240


def test_threads_share_one_store(sqlite: SqliteStore) -> None:
    """Intake and worker call from different threads; each call is one transaction all the same."""

    def accept(number: int) -> None:
        for each in range(20):
            sqlite.intake.accept([verified(number * 100 + each)])
            sqlite.events.find(EventQuery())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(accept, range(4)))

    assert len(claim_events(sqlite, limit=1000)) == 80


def test_one_deliver_per_order_whoever_is_first(path: Path, cipher: AesGcmCipher, sqlite: SqliteStore) -> None:
    """Webhook and poll apply the same order at the same moment: one writes, the other is told to read again."""
    sqlite.intake.accept([verified(number) for number in range(40)])
    pairs = claim_events(sqlite)
    together = threading.Barrier(2)

    def race(side: int) -> list[Applied]:
        with closing(open_store(path, cipher, create=False)) as store:
            answers = list[Applied]()
            for number, claimed in enumerate(pairs[side::2]):
                of = order(f"ORD-{number}")
                together.wait()
                answers += store.events.apply([application(claimed, Move(of, (action(of=of),)), of=of)], now=NOW)
            return answers

    with ThreadPoolExecutor(2) as racers:
        answers = list(racers.map(race, range(2)))

    assert all({one, other} == {Applied.DONE, Applied.STALE} for one, other in zip(*answers, strict=True))
    assert len(sqlite.outbox.find(ActionQuery(limit=100))) == 20


_ACCEPT_FOR_EVER = """
import sys
from itertools import count
from tests.store.building import verified
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
store = open_store(sys.argv[1], AesGcmCipher([bytes(range(32))]), create=True)
for number in count():
    store.intake.accept([verified(3 * number + each) for each in range(3)])
    print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_accepted(path: Path, cipher: AesGcmCipher) -> None:
    """Whatever `accept` returned for is there, whole batches only, and the next start needs no repair."""
    for _ in range(3):
        with subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-c", _ACCEPT_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line == "40\n":
                    process.kill()
            acknowledged = line
        assert process.returncode == -signal.SIGKILL

        with closing(open_store(path, cipher, create=False)) as store:
            there = [one.event.received_at - NOW for one in claim_events(store, now=NOW, limit=100_000)]
            with store.connection.reading() as raw:
                assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            store.events.apply([application(one) for one in claim_events(store, now=NOW + LEASE)], now=NOW)
        assert set(range(3 * (int(acknowledged) + 1))) <= set(there)
        assert len(there) % 3 == 0
        path.unlink()
