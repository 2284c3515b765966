"""The store that the benchmarks measure is one that webhookctl could have made."""

import re
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmarks.fill import settle_in
from tests.benchmarks.filling import fill
from tests.benchmarks.served import KEY
from tests.benchmarks.shop import SUPPLIERS, YEAR_MS
from webhookctl import config
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.events import EventState, EventType
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.suppliers import preset

NOW = 1_790_000_000_000
EVENTS, ORDERS = 1_000, 300


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "shop.db"
    fill(path, EVENTS, ORDERS, ends=NOW)
    return path


@pytest.fixture
def filled(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "shop.db"))


def _opened(path: Path) -> "closing[SqliteStore]":
    return closing(open_store(path, AesGcmCipher([KEY]), create=False))


def test_it_has_what_was_asked_for_of_each_kind(filled: Path) -> None:
    """So many events and orders, of all states, from several suppliers, over a year."""
    with _opened(filled) as store:
        summary = store.reports.summary(now=NOW)
        events = store.events.find(EventQuery(limit=EVENTS))
        orders = store.orders.find(OrderQuery(limit=ORDERS))

    assert (sum(summary.events.values()), sum(summary.orders.values())) == (EVENTS, ORDERS)
    assert {"queued", "done", "ignored", "duplicate", "dead"} == set(summary.events)
    assert {"pending", "partial", "failed", "fulfilled", "refunded"} == set(summary.orders)
    assert {"done", "dead", "held", "ambiguous", "waiting"} <= {state for _, state in summary.actions}
    assert set(SUPPLIERS) == set(Counter(event.supplier for event in events))
    assert {"webhook", "poll"} == {event.via.value for event in events}
    assert NOW - YEAR_MS <= min(order.created_at for order in orders) < NOW - YEAR_MS * 0.99
    assert NOW - YEAR_MS * 0.01 < max(order.created_at for order in orders) <= NOW


def test_it_is_whole(filled: Path) -> None:
    """SQLite finds no fault, each row belongs to one that is there, ids follow the time, and nothing lies in clear."""
    with _opened(filled) as store, store.connection.reading() as raw:
        faults = raw.execute("PRAGMA integrity_check").fetchall() + raw.execute("PRAGMA foreign_key_check").fetchall()
        times = [at for (at,) in raw.execute("SELECT received_at FROM events ORDER BY id")]

    assert faults == [("ok",)]
    assert times == sorted(times)
    assert b'"code":"' not in filled.read_bytes()
    assert not re.search(rb"[0-9A-F]{5}-[0-9A-F]{5}-[0-9A-F]{5}", filled.read_bytes())


def test_what_it_holds_opens_and_a_repeat_of_it_is_found(filled: Path) -> None:
    """Bodies and codes decrypt, and the event that comes again is a duplicate of the one that was filled in."""
    with _opened(filled) as store:
        first = store.events.find(EventQuery("acme", EventType.FULFILLED, EventState.DONE, limit=EVENTS))[-1]
        whole = store.events.get(str(first.id))
        assert whole is not None
        story = store.orders.story("acme", str(first.reference))
        with store.connection.writing() as raw:
            raw.execute(
                "INSERT INTO events (supplier, received_at, via, delivery_id, matched, sealed) "
                "SELECT supplier, received_at, via, delivery_id, matched, sealed FROM events WHERE id = ?",
                (first.id,),
            )
            (again,) = raw.execute("SELECT max(id) FROM events").fetchone()
        places = Mapping.parse(preset("generic")["map"])
        Apply(store.events, store.orders, {"acme": Supplier(places, Policy())}).run(now=NOW, limit=EVENTS)
        repeated = store.events.get(str(again))

    assert str(first.reference).encode() in whole.body
    assert story is not None
    assert any(item.code for item in story.order.items)
    assert repeated is not None
    assert EventState.DUPLICATE is repeated.state


def test_the_same_shop_again_fills_the_same_rows(filled: Path, tmp_path: Path) -> None:
    """Two runs can be compared: nothing of it is left to chance but keys and nonces."""
    again = tmp_path / "again.db"
    fill(again, EVENTS, ORDERS, ends=NOW)

    listed = []
    for path in (filled, again):
        with _opened(path) as store, store.connection.reading() as raw:
            listed.append(raw.execute("SELECT id, hex(delivery_id), type FROM events WHERE id <= 1000").fetchall())
    assert listed[0] == listed[1]


def test_settings_beside_it_open_it(filled: Path) -> None:
    """The file of settings that the command writes is one that webhookctl takes."""
    settings = config.load(settle_in(filled), {})

    assert filled == settings.store.path
    assert sorted(SUPPLIERS) == list(settings.suppliers)
