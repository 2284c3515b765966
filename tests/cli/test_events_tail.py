"""`events tail` over a store that another process writes: nothing is missed, and each outcome is told."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.least import SETTINGS
from tests.e2e.program import PATIENCE_S, Program, until
from tests.store.building import NOW, application, claim_events, verified
from tests.test_quarantine import Shop, said
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Via
from webhookctl.core.events import EventState, Spoken
from webhookctl.core.ports.events import Application, EventQuery
from webhookctl.flows.tail import Tail, means

ENVIRON = {"KEY": "00" * 32, "ACME": "a secret of the supplier acme"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    tmp_path.chmod(0o700)
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=True)) as opened:
        yield opened


@dataclass
class Watching:
    """A running tail, and the lines that it has told."""

    process: "subprocess.Popen[str]"
    lines: list[Any] = field(default_factory=list)

    def told(self) -> list[tuple[int, str]]:
        return [(one["id"], one["state"]) for one in self.lines[1:]]


@contextmanager
def tail(folder: Path, *words: str) -> Iterator[Watching]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "webhookctl", "events", "tail", "--json", *words],
        cwd=folder,
        env=os.environ | ENVIRON,
        stdout=subprocess.PIPE,
        text=True,
    )
    watching = Watching(process)
    reader = threading.Thread(target=lambda: watching.lines.extend(map(json.loads, process.stdout or ())))
    reader.start()
    try:
        until(lambda: bool(watching.lines), "tail is ready")
        yield watching
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        reader.join()
        if process.stdout:
            process.stdout.close()


def test_arrivals_and_outcomes_are_told(store: SqliteStore, tmp_path: Path) -> None:
    """It begins with what comes next, tells each arrival, then what became of it; Ctrl-C ends it with 130."""
    shop = Shop(store)
    shop.receive(said("created", 1))

    with tail(tmp_path) as watching:
        shop.receive(said("created", 2), said("created", 2))
        until(lambda: len(watching.told()) == 2, "both arrivals are told")
        shop.apply()
        until(lambda: len(watching.told()) == 4, "both outcomes are told")
        watching.process.send_signal(signal.SIGINT)
        code = watching.process.wait(PATIENCE_S)

    assert watching.lines[0] == {"ready": True, "after": 1}
    assert watching.told() == [(2, "queued"), (3, "queued"), (2, "done"), (3, "duplicate")]
    assert watching.lines[3]["reference"] == "ORD-2"
    assert "body" not in watching.lines[3]
    assert code == 130


def test_a_second_tail_goes_on_where_the_first_was_killed(store: SqliteStore, tmp_path: Path) -> None:
    """While somebody writes without pause, what both have told together is all that came, each arrival once."""
    shop, stop = Shop(store), threading.Event()

    def write() -> None:
        while not stop.is_set():
            shop.receive(said("created", shop.count))
            stop.wait(0.002)

    writer = threading.Thread(target=write)
    with tail(tmp_path, "--state", "queued", "--after", "0") as first:
        writer.start()
        until(lambda: len(first.told()) > 20, "some were told")
    last = first.told()[-1][0]
    with tail(tmp_path, "--state", "queued", "--after", str(last)) as second:
        until(lambda: len(second.told()) > 20, "more were told")
        stop.set()
        writer.join()
        until(lambda: bool(second.told()) and second.told()[-1][0] == shop.count, "all were told")

    assert [number for number, _ in first.told() + second.told()] == [*range(1, shop.count + 1)]


def test_a_tail_may_end_by_itself(store: SqliteStore, tmp_path: Path) -> None:
    """--until 0s tells what there is and ends; a number that this store has not reached is refused."""
    shop = Shop(store)
    shop.receive(said("created", 1), said("fulfilled", 2))
    shop.apply()
    program = Program(tmp_path, ENVIRON)

    told = program.ok("events", "tail", "--after", "0", "--until", "0s", "--type", "order.fulfilled")
    since = program.ok("events", "tail", "--since", "2020-01-01", "--until", "0s", "--json")
    beyond = program.run("events", "tail", "--after", "9")

    assert [line.split("\t")[1:6] for line in told.splitlines()] == [
        ["id", "supplier", "state", "type", "reference"],
        ["2", "acme", "done", "order.fulfilled", "ORD-2"],
    ]
    assert "CODE" not in told
    assert [json.loads(line).get("id") for line in since.splitlines()] == [None, 1, 2]
    assert (beyond.returncode, beyond.stdout) == (2, b"")
    assert b"the newest event of this store is 2" in beyond.stderr


def _tail(store: SqliteStore, query: EventQuery | None = None) -> Tail:
    return Tail(store.feed, query or EventQuery(), store.feed.newest())


def test_looking_where_nobody_wrote_reads_nothing(store: SqliteStore) -> None:
    """The counter of the file tells, and no table is asked."""
    watched, seen = _tail(store), list[str]()
    list(watched.look())
    with store.connection.reading() as raw:
        raw.set_trace_callback(seen.append)

    assert list(watched.look()) == []
    assert [one for one in seen if "events" in one] == []


def test_a_query_for_what_is_said_meets_the_outcome(store: SqliteStore, tmp_path: Path) -> None:
    """A reference is not known of what is queued; of several orders in one delivery each counts."""
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=False)) as writer:
        watched = _tail(store, EventQuery(reference="ORD-9", supplier="acme"))
        writer.intake.accept([verified(1), verified(2), verified(3, supplier="other")])
        before = list(watched.look())
        first, second, third = claim_events(writer)
        spoken = tuple(Spoken(EventState.DONE, "order.created", f"ORD-{n}", "S") for n in (8, 9))
        several = Application(first.event.id, first.claim, EventState.DONE, orders=spoken)
        writer.events.apply([several, application(second), application(third)], now=NOW)
        after = list(watched.look())

    assert before == []
    assert [(one.id, [said.reference for said in one.orders]) for one in after] == [(1, ["ORD-8", "ORD-9"])]


def test_a_mixed_answer_needs_one_order_to_be_all_that_was_asked(store: SqliteStore) -> None:
    """The type of one order and the reference of another are not a match."""
    store.intake.accept([verified(1)])
    (claimed,) = claim_events(store)
    spoken = (Spoken(EventState.DONE, "order.created", "A"), Spoken(EventState.DONE, "order.failed", "B"))
    store.events.apply([Application(1, claimed.claim, EventState.DONE, orders=spoken)], now=NOW)
    (event,) = store.feed.arrived(after=0, limit=9)

    assert means(EventQuery(type="order.failed", reference="B", via=Via.WEBHOOK, since=NOW), event)
    assert not means(EventQuery(type="order.failed", reference="A"), event)
    assert not means(EventQuery(until=event.received_at), event)
