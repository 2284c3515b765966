"""Every promise of the store is looked after: broken by hand, each is named."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.building import LEASE, NOW, claim_events, verified
from tests.store.damaging import fill, put_orders
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store, open_to_look
from webhookctl.adapters.store_sqlite.checking.invariants import INVARIANTS
from webhookctl.core.ports.checks import Depth, Fault, Scope
from webhookctl.core.ports.cipher import Cipher

_DAY: Final = 86_400_000
_BREAKERS: Final = {
    "deliver_has_order": "UPDATE actions SET subject = 'ORD-0' WHERE kind = 'deliver' AND subject = 'ORD-3'",
    "one_deliver": "INSERT INTO actions (id, supplier, subject, kind, cause, state, detail, created_at, next_at) "
    "VALUES ('x', 'acme', 'ORD-2', 'deliver', 'another', 'waiting', '', 1, 1)",
    "deliver_is_due": "UPDATE orders SET status = 'pending' WHERE reference = 'ORD-4'",
    "action_is_claimed": "UPDATE actions SET state = 'running' WHERE subject = 'ORD-1'",
    "action_is_finished": "UPDATE actions SET finished_at = 1 WHERE subject = 'ORD-1'",
    "action_is_next": "UPDATE actions SET next_at = NULL WHERE subject = 'ORD-1'",
    "action_generation": "UPDATE actions SET generation = 0 WHERE subject = 'ORD-1'",
    "attempt_is_counted": "INSERT INTO attempts SELECT id, 7, 1, 'dead', '' FROM actions WHERE subject = 'ORD-1'",
    "event_is_claimed": "UPDATE events SET claim = 'x' WHERE id = 5",
    "claim_has_an_end": f"UPDATE orders SET ask_claim = 'x', next_ask_at = {NOW + 2 * _DAY} WHERE reference = 'ORD-1'",  # noqa: S608 - a number
    "duplicate_of": "UPDATE events SET state = 'duplicate', duplicate_of = id WHERE id = 5",
    "event_key": "UPDATE event_keys SET event_id = 9999 WHERE event_id = 3",
    "delivery_id": "UPDATE events SET delivery_id = x'00' WHERE id = 5",
    "order_version": "UPDATE orders SET version = 0 WHERE reference = 'ORD-1'",
    "order_is_paid": "UPDATE orders SET paid_amount = '7' WHERE reference = 'ORD-1'",
    "order_ended": "UPDATE orders SET ended_at = NULL WHERE reference = 'ORD-1'",
    "order_is_asked": "UPDATE orders SET ask_claim = 'x' WHERE reference = 'ORD-1'",
    "events.state": "UPDATE events SET state = 'lost' WHERE id = 5",
    "events.via": "UPDATE events SET via = 'pigeon' WHERE id = 5",
    "event_orders.state": "INSERT INTO event_orders (event_id, position, supplier, state) VALUES (1, 0, 'acme', 'odd')",
    "orders.status": "UPDATE orders SET status = 'gone' WHERE reference = 'ORD-1'",
    "orders.learned_by": "UPDATE orders SET learned_by = 'pigeon' WHERE reference = 'ORD-1'",
    "actions.kind": "UPDATE actions SET kind = 'sing' WHERE kind = 'notify' AND subject = 'ORD-1'",
    "actions.state": "UPDATE actions SET state = 'bored' WHERE subject = 'ORD-1'",
    "actions.restrained": "UPDATE actions SET restrained = 'tied' WHERE subject = 'ORD-1'",
    "attempts.state": "INSERT INTO attempts SELECT id, 1, 1, 'odd', '' FROM actions WHERE subject = 'ORD-1'",
    "rejected.reason": "UPDATE rejected SET reason = 'smell' WHERE id = 1",
    "in_clear": "UPDATE items SET code = cast('clear:CODE-1' AS BLOB) WHERE reference = 'ORD-1'",
    "opens": "UPDATE items SET code = (SELECT pin FROM items AS i WHERE i.reference = 'ORD-2') "
    "WHERE reference = 'ORD-1'",
    "foreign_keys": "INSERT INTO reveals (reference, supplier, at, who, reason) VALUES ('ORD-0', 'acme', 1, 'a', 'b')",
    "schema": "DROP INDEX orders_due",
}
"""A statement that breaks each promise."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("made") / "shop.db", AesGcmCipher([bytes(range(32))]), orders=8)


@pytest.fixture
def sqlite(made: Path, path: Path, cipher: AesGcmCipher) -> Iterator[SqliteStore]:
    shutil.copy(made, path)
    with closing(open_store(path, cipher, create=False)) as store:
        yield store


def _faults(store: SqliteStore, depth: Depth = Depth.USUAL, *, clear: bool = False, now: int = NOW) -> list[Fault]:
    return [fault for one in store.checks.check(Scope(depth, now, clear_is_wanted=clear)) for fault in one.faults]


def _notes(store: SqliteStore, now: int) -> list[str]:
    return [note for one in store.checks.check(Scope(Depth.QUICK, now, clear_is_wanted=False)) for note in one.notes]


def _do(store: SqliteStore, statement: str) -> None:
    with store.connection.reading() as raw:
        raw.execute("COMMIT")
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(statement)


def test_every_promise_has_a_breaker() -> None:
    """None is asked for that no test has seen broken."""
    assert {one.name for one in INVARIANTS} <= set(_BREAKERS)


@pytest.mark.parametrize("name", _BREAKERS)
def test_what_is_broken_is_named(sqlite: SqliteStore, name: str) -> None:
    """With how many, one of them, and what to do; what else that statement breaks may be named beside it."""
    _do(sqlite, _BREAKERS[name])

    found = {fault.name: fault for fault in _faults(sqlite)}

    assert name in found
    assert found[name].count >= 1
    assert found[name].what
    assert found[name].remedy
    assert found[name].example is not None or name == "foreign_keys"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.sampled_from(sorted(set(_BREAKERS) - {"schema"})), min_size=2, max_size=5))
def test_several_faults_hide_none_of_each_other(made: Path, path: Path, cipher: AesGcmCipher, names: set[str]) -> None:
    """Whatever is broken together, something is named, and looking for it ends."""
    shutil.copy(made, path)
    with closing(open_store(path, cipher, create=False)) as store:
        for name in names:
            _do(store, _BREAKERS[name])

        assert {fault.name for fault in _faults(store, Depth.DEEP)}


def test_a_sample_leaves_out_what_all_finds(sqlite: SqliteStore) -> None:
    """By `DEEP` every sealed value is opened, by `QUICK` none."""
    put_orders(sqlite, 500, first=100)
    _do(sqlite, "UPDATE events SET sealed = CAST(substr(sealed, 1, 60) AS BLOB) WHERE id = 250")

    found = {depth: [fault.name for fault in _faults(sqlite, depth)] for depth in Depth}

    assert found == {Depth.QUICK: [], Depth.USUAL: [], Depth.DEEP: ["opens"]}


@pytest.mark.usefixtures("sqlite")
def test_a_missing_key_is_named(path: Path) -> None:
    """And what to do about it; nothing else is wrong with the store."""
    with closing(open_to_look(path, AesGcmCipher([bytes(32)]), whatever=True)) as store:
        found = _faults(store)

    assert {fault.name for fault in found} == {"opens"}
    assert all("needs the key 630dcd29" in fault.what for fault in found)


def test_a_store_in_clear_is_whole_where_that_is_wanted(path: Path) -> None:
    """And its codes are named where it is not."""
    fill(path, ClearCipher(), orders=3)

    with closing(open_to_look(path, ClearCipher())) as store:
        assert _faults(store, Depth.DEEP, clear=True) == []
        assert {fault.name for fault in _faults(store)} == {"in_clear"}


def test_claims_that_ended_are_no_fault(sqlite: SqliteStore) -> None:
    """Nobody was running: the next `serve` takes them back."""
    sqlite.intake.accept([verified(900)])
    claim_events(sqlite)

    assert _faults(sqlite, now=NOW + _DAY) == []
    assert _notes(sqlite, NOW + _DAY) == [
        "1 claims ended over an hour ago: the next `serve` or `work` takes them back."
    ]
    assert _notes(sqlite, NOW + LEASE) == []


def test_a_check_keeps_no_lock(sqlite: SqliteStore, path: Path, cipher: Cipher) -> None:
    """Between any two of its steps others write, and the journal can be emptied."""
    with closing(open_to_look(path, cipher, whatever=True)) as looking:
        for number, _ in enumerate(looking.checks.check(Scope(Depth.USUAL, NOW, clear_is_wanted=False))):
            sqlite.intake.accept([verified(1000 + number)])
            with sqlite.connection.reading() as raw:
                raw.execute("COMMIT")
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert busy == 0


def test_the_steps_are_about_as_many_as_was_said(sqlite: SqliteStore) -> None:
    """A progress bar is not to run over its end."""
    for depth in Depth:
        steps = len(list(sqlite.checks.check(Scope(depth, NOW, clear_is_wanted=False))))

        assert abs(sqlite.checks.count_steps(depth) - steps) <= 4


def test_sizes_are_about_right(sqlite: SqliteStore) -> None:
    """Rows exactly; bytes to within a third, all tables together; growth by what came in the last week."""
    put_orders(sqlite, 600, first=100)
    now = NOW + _DAY

    found = sqlite.checks.sizes(now=now)

    rows = {one.table: one.rows for one in found.tables}
    with sqlite.connection.reading() as raw:
        counted = {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in rows}  # noqa: S608 - ours
        assert rows == counted
    used = found.file_bytes - found.free_bytes
    assert sum(one.bytes for one in found.tables) == pytest.approx(used, rel=0.34)
    assert found.rows_per_day["events"] == pytest.approx(608, rel=0.01)
    assert found.bytes_per_day == pytest.approx(used, rel=0.34)
    assert found.full_in_days == pytest.approx(found.disk_free_bytes / found.bytes_per_day, rel=0.01)


def test_an_empty_store_never_fills_the_disk(store: SqliteStore) -> None:
    """Nothing grows: no time is named."""
    found = store.checks.sizes(now=NOW)

    assert found.bytes_per_day == 0
    assert found.full_in_days is None
