"""What the bytes of the SQLite store tell to whoever has the file and not the key."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.building import (
    NOW,
    application,
    arrive,
    claim_events,
    order,
    rejection,
    verified,
    with_code,
    write,
)
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SealedError
from webhookctl.core.orders import Move
from webhookctl.core.ports.events import Unreadable
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds

CODE, PIN, BODY, HEADER = "CANARY-CODE-1", "CANARY-PIN-2", b"CANARY-BODY-3", b"CANARY-HEADER-4"


@pytest.fixture
def sqlite(path: Path, cipher: AesGcmCipher) -> Iterator[SqliteStore]:
    with closing(open_store(path, cipher, create=True)) as store:
        yield store


def test_no_code_pin_body_or_header_is_in_the_file(path: Path, cipher: AesGcmCipher, sqlite: SqliteStore) -> None:
    """Neither in the -wal while it runs nor in the file when it has ended; nor is an event's key."""
    delivery = Delivery("acme", BODY, ((b"x-token", HEADER),), NOW, bytes(range(16)), url="https://canary-5.example")
    sqlite.intake.accept([verified()._replace(delivery=delivery, event_id=b"CANARY-ID-6")])
    (claimed,) = claim_events(sqlite)
    moved = with_code(order(), CODE, PIN)
    sqlite.events.apply([application(claimed, Move(moved), key=b"CANARY-ID-6")], now=NOW)
    rejected = rejection()._replace(delivery=delivery, presented=b"CANARY-PATH-7")
    sqlite.quarantine.keep([rejected], Bounds(), now=NOW)

    running = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    sqlite.close()
    ended = path.read_bytes()

    assert set(running) == {"shop.db", "shop.db-wal", "shop.db-shm", "shop.db-lock"}
    assert b"ORD-1" in running["shop.db-wal"]
    assert b"ORD-1" in ended
    assert not any(b"canary" in content.lower() for content in (*running.values(), ended))
    with closing(open_store(path, cipher, create=False)) as store:
        assert store.orders.get([moved.key])[moved.key].items == moved.items


def test_a_replaced_code_is_gone_from_the_file(path: Path, sqlite: SqliteStore) -> None:
    """Deleted values are overwritten, not merely forgotten, even in their encrypted form."""
    write(sqlite, Move(with_code(order(), CODE)))
    with sqlite.connection.reading() as raw:
        (sealed,) = raw.execute("SELECT code FROM items").fetchone()
    write(sqlite, Move(replace(with_code(order(), "OTHER"), version=1)))
    sqlite.close()

    assert sealed not in path.read_bytes()


def test_a_body_moved_to_another_event_does_not_open(sqlite: SqliteStore) -> None:
    """Sealed bytes are bound to supplier and delivery id; the others of the claim are read all the same."""
    sqlite.intake.accept([verified(1), verified(2), verified(3)])
    with sqlite.connection.writing() as raw:
        raw.execute("UPDATE events SET sealed = (SELECT sealed FROM events WHERE id = 2) WHERE id = 1")
        raw.execute("UPDATE events SET supplier = 'other' WHERE id = 2")

    moved, renamed, untouched = sqlite.events.claim(now=NOW, limit=9, lease_ms=9)

    assert isinstance(moved, Unreadable)
    assert isinstance(renamed, Unreadable)
    assert not isinstance(untouched, Unreadable)
    assert (moved.id, "it was changed" in moved.reason) == (1, True)
    with pytest.raises(SealedError):
        sqlite.events.get("1")


@pytest.mark.parametrize(
    "swap",
    [
        "UPDATE items SET code = (SELECT code FROM items WHERE reference = 'ORD-2') WHERE reference = 'ORD-1'",
        "UPDATE items SET code = pin WHERE reference = 'ORD-1'",
        "UPDATE items SET position = 1 WHERE reference = 'ORD-1'",
    ],
    ids=["another order's", "the pin", "another place"],
)
def test_a_code_in_anothers_place_does_not_open(sqlite: SqliteStore, swap: str) -> None:
    """Nobody can have another order's code delivered to his own by writing to the file."""
    write(sqlite, Move(with_code(order(), CODE, PIN)), Move(with_code(order("ORD-2"), CODE, PIN)))
    with sqlite.connection.writing() as raw:
        raw.execute(swap)

    with pytest.raises(SealedError):
        sqlite.orders.get([("acme", "ORD-1")])
    assert len(sqlite.orders.get([("acme", "ORD-2")])) == 1


def test_nothing_becomes_an_event_by_being_moved(sqlite: SqliteStore) -> None:
    """What was rejected, laid among the events by whoever can write to the file, does not open there."""
    sqlite.quarantine.keep([rejection(1), rejection(2)], Bounds(), now=NOW)
    with sqlite.connection.writing() as raw:
        raw.execute("""
            INSERT INTO events (supplier, received_at, via, delivery_id, matched, sealed)
            SELECT supplier, received_at, 'webhook', delivery_id, 'env:S', sealed FROM rejected""")
        raw.execute("UPDATE rejected SET sealed = (SELECT sealed FROM rejected WHERE id = 2) WHERE id = 1")

    claimed = sqlite.events.claim(now=NOW, limit=9, lease_ms=9)
    moved, untouched = sqlite.quarantine.walk(RejectedQuery())

    assert [type(one) for one in claimed] == [Unreadable, Unreadable]
    assert (moved.delivery, untouched.delivery) == (None, rejection(2).delivery)
    assert "it was changed" in str(moved.unreadable)


def test_printing_a_store_shows_no_key(sqlite: SqliteStore) -> None:
    """Nor does printing any of its ports or what they hand out."""
    (claimed,) = arrive(sqlite)
    sqlite.quarantine.keep([rejection()], Bounds(), now=NOW)
    shown = repr(sqlite) + repr(claimed) + repr(sqlite.events.cipher) + repr(sqlite.quarantine.walk(RejectedQuery()))

    assert sqlite.events.dedup_key.hex() not in shown
    assert repr(sqlite.events.dedup_key) not in shown
    assert "order.created" not in shown
