"""What a word that was begun could become is found by an index, however much there is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.filling import fill
from tests.store.damaging import fill as fill_small
from tests.store.damaging import garble, leave_as_killed, put_orders
from webhookctl.adapters.candidates_sqlite import SqliteCandidates
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.ports.cipher import Cipher

_WALKS = {
    # From the newest until the limit.
    "SCAN orders USING INDEX orders_by_time",
    "SCAN known",
    "SCAN CONSTANT ROW",
    "SCAN (subquery-1)",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "shop.db"
    fill(path, 200, 60, ends=1_790_000_000_000)
    return path


class _Traced(SqliteCandidates):
    """Asks for the plan of each statement before it is carried out."""

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with super()._reading() as raw:
            statements = list[str]()
            raw.set_trace_callback(statements.append)
            yield raw
            raw.set_trace_callback(None)
            for statement in statements:
                PLANS.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))


PLANS: list[str] = []


@pytest.mark.parametrize("what", ["references", "order_ids", "suppliers", "actions", "events", "rejected"])
@pytest.mark.parametrize("begun", ["", "1", "ORD-"])
def test_no_table_is_read_from_end_to_end(filled: Path, what: str, begun: str) -> None:
    """Whoever presses Tab waits."""
    PLANS.clear()

    getattr(_Traced(filled), what)(begun)

    assert {step for step in PLANS if step.startswith("SCAN")} <= _WALKS
    assert not any("TEMP B-TREE" in step for step in PLANS)


def test_a_number_that_none_can_have_is_not_looked_for(filled: Path) -> None:
    """Neither letters nor a nought at the front begin a number."""
    found = SqliteCandidates(filled)

    assert [found.events("x"), found.events("01"), found.events("٣")] == [[], [], []]
    assert found.events("1" * 30) == []


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """A store of another kind than it seems must not keep the shell waiting."""
    path = tmp_path / "large.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "CREATE VIEW events AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
        )

    with pytest.raises(Exception, match="interrupted"):
        SqliteCandidates(path).events("9")


@pytest.mark.parametrize("gone", ["", "-shm", "-wal"])
def test_looking_changes_nothing_after_a_kill(path: Path, cipher: Cipher, gone: str) -> None:
    """SQLite would mend the journal's index, and nobody could tell any more that acknowledged events are missing."""
    fill_small(path, cipher)
    journal = leave_as_killed(path, cipher)
    garble(journal, journal.stat().st_size // 2, b"\xa5\xa5")
    if gone:
        path.with_name(f"{path.name}{gone}").unlink()
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}

    found = SqliteCandidates(path).references("ORD-")

    assert "ORD-60" in found
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_what_a_running_process_has_just_written_is_found(path: Path, cipher: Cipher) -> None:
    """Also while it is in the journal alone."""
    with closing(open_store(path, cipher, create=True)) as store:
        put_orders(store, 3)

        assert SqliteCandidates(path).references("ORD-") == ["ORD-3", "ORD-2", "ORD-1"]

    assert SqliteCandidates(path).references("ORD-") == ["ORD-3", "ORD-2", "ORD-1"]
