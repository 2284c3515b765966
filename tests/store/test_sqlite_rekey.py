"""Encrypting the store anew: wholly, while others work on it, broken off and begun again."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from tests.store.building import NOW, action, application, arrive, claim_events, order, rejection, verified, with_code
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher, shown_id
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store, schema
from webhookctl.adapters.store_sqlite.sealed_places import PLACES
from webhookctl.core.errors import SealedError
from webhookctl.core.orders import Move
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.quarantine import Bounds
from webhookctl.flows.rekey import rekey

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
CODE, PIN = "CANARY-CODE-1", "CANARY-PIN-2"
_NOT_SEALED: Final = {("events", "delivery_id"), ("rejected", "delivery_id"), ("event_keys", "key")}
"""Columns of bytes that hold nothing confidential."""


def fill(store: SqliteStore, count: int = 30) -> None:
    """Keep events (the first two applied), an order with codes, and rejections."""
    first, second = arrive(store, 1, 2)
    moves = (Move(with_code(order(), CODE, PIN), (action(),)), Move(with_code(order("ORD-2"), CODE)))
    store.events.apply([application(first, *moves, key=b"k"), application(second, key=b"k2")], now=NOW)
    store.intake.accept([verified(number, body=b"CANARY-BODY") for number in range(3, count)])
    store.quarantine.keep([rejection(number) for number in range(3)], Bounds(), now=NOW)


@pytest.fixture
def filled(path: Path) -> Path:
    with closing(open_store(path, AesGcmCipher([OLD]), create=True)) as store:
        fill(store)
    return path


def opened(path: Path, *keys: bytes) -> "closing[SqliteStore]":
    return closing(open_store(path, AesGcmCipher(keys), create=False))


def none(_: int) -> None:
    """Show no progress."""


def read_everything(store: SqliteStore, events: int = 29) -> None:
    for number in range(1, events + 1):
        event = store.events.get(str(number))
        assert event is not None
        assert event.body in {b"CANARY-BODY", b'{"event":"order.created"}'}
    orders = store.orders.get([("acme", "ORD-1"), ("acme", "ORD-2")])
    assert [one.items for one in orders.values()] == [
        with_code(order(), CODE, PIN).items,
        with_code(order("ORD-2"), CODE).items,
    ]
    assert all(one is not None and one.unreadable is None for one in map(store.quarantine.get, (1, 2, 3)))


def test_the_old_key_is_not_needed_any_more(filled: Path) -> None:
    """All that was encrypted is under the new key: events, codes, pins, rejections, the store's own key."""
    with opened(filled, NEW, OLD) as store:
        done = rekey(store.upkeep, none)
        counted = store.upkeep.count_sealed()

    with opened(filled, NEW) as store:
        read_everything(store)
        again = rekey(store.upkeep, none)
    assert (done.changed, done.rows, done.unreadable) == (29 + 3 + 3 + 1, 29 + 2 + 3 + 1, {})
    assert (counted, again.changed, again.rows) == (done.rows, 0, done.rows)


def test_duplicates_are_known_afterwards(filled: Path) -> None:
    """The key under which event keys are hashed stays the same, only its wrapping is new."""
    with opened(filled, NEW, OLD) as store:
        rekey(store.upkeep, none)
    with opened(filled, NEW) as store:
        *_, last = claim_events(store)
        store.events.apply([application(last, key=b"k")], now=NOW)
        event = store.events.get(str(last.event.id))

    assert event is not None
    assert (event.state, event.duplicate_of) == ("duplicate", 1)


@pytest.mark.parametrize("steps", range(0, 36, 7))
def test_broken_off_it_is_begun_again(filled: Path, steps: int) -> None:
    """Ctrl-C at any moment leaves a store that both keys open together; another run does the rest."""
    left = [steps]

    def interrupted(_: int) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1

    with opened(filled, NEW, OLD) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr("webhookctl.flows.rekey.BATCH", 1)
        with pytest.raises(KeyboardInterrupt):
            rekey(store.upkeep, interrupted)
    with opened(filled, NEW, OLD) as store:
        read_everything(store)
        done = rekey(store.upkeep, none)

    assert done.changed <= 36 - steps
    with opened(filled, NEW) as store:
        read_everything(store)


def test_broken_off_the_old_key_is_still_asked_for(filled: Path) -> None:
    """Nobody can lose what is left under the old key by taking it away too early: the store does not open then."""
    with opened(filled, NEW, OLD) as store:
        store.upkeep.rekey(None, limit=5)

    with pytest.raises(SealedError, match=f"needs the key {shown_id(OLD)}"):
        open_store(filled, AesGcmCipher([NEW]), create=False)


def test_others_work_on_meanwhile(filled: Path) -> None:
    """Deliveries come in and are applied while everything is encrypted anew, and all of it can be read."""
    stop = threading.Event()
    failures = list[BaseException]()

    def serve() -> None:
        try:
            with opened(filled, NEW, OLD) as store:
                number = 30
                while not stop.is_set() or number < 60:
                    store.intake.accept([verified(number, body=b"CANARY-BODY")])
                    for claimed in claim_events(store, limit=3):
                        store.events.apply([application(claimed, of=order(f"N-{number}"))], now=NOW)
                    number += 1
                    time.sleep(0.002)  # a loop that never lets go would be a test of SQLite's lock, which is unfair
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    running = threading.Thread(target=serve)
    running.start()
    with opened(filled, NEW, OLD) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr("webhookctl.flows.rekey.BATCH", 2)
        rekey(store.upkeep, none)
    stop.set()
    running.join(30)

    assert failures == []
    with opened(filled, NEW) as store:
        read_everything(store, events=59)


@dataclass(frozen=True, slots=True)
class Meddling:
    """A cipher during whose work somebody else writes to the store."""

    cipher: Cipher
    meddle: Callable[[], None]

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        self.meddle()
        return self.cipher.seal(plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        return self.cipher.open(sealed, bound_to)

    def is_current(self, sealed: bytes) -> bool:
        return self.cipher.is_current(sealed)


def test_what_was_changed_meanwhile_is_not_overwritten(filled: Path) -> None:
    """A code that a supplier corrected between our reading and writing stays the corrected one."""
    with opened(filled, NEW, OLD) as other:

        def correct() -> None:
            before = other.orders.get([("acme", "ORD-1")])["acme", "ORD-1"]
            if before.version == 1:
                claimed = claim_events(other, limit=1)[0]
                moved = replace(with_code(order(), "CORRECTED"), version=1)
                other.events.apply([application(claimed, Move(moved))], now=NOW)

        meddling = Meddling(AesGcmCipher([NEW, OLD]), correct)
        with closing(open_store(filled, meddling, create=False)) as store:
            step = store.upkeep.rekey((2, ("", "", -1), ("ORD-1", "acme", 0)), limit=1)
        after = other.orders.get([("acme", "ORD-1")])["acme", "ORD-1"]

    assert step.changed == 0
    assert [item.code.reveal() for item in after.items if item.code] == ["CORRECTED"]


def test_what_is_damaged_stays_and_is_told(filled: Path) -> None:
    """A value that does not open keeps nobody from encrypting the others, and is told with its reason."""
    with opened(filled, NEW, OLD) as store:
        with store.connection.writing() as raw:
            raw.execute("UPDATE events SET sealed = CAST(substr(sealed, 1, 60) AS BLOB) WHERE id IN (3, 4)")
        done = rekey(store.upkeep, none)

    ((reason, count),) = done.unreadable.items()
    assert f"does not open under its key {shown_id(OLD)}" in reason
    assert (count, done.changed) == (2, 34)


@pytest.mark.parametrize("keys", [[NEW], []])
def test_a_wrong_key_writes_nothing(filled: Path, keys: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the key that is missing, and an older store is not even brought to the new schema."""
    migrations = (*schema._MIGRATIONS, ("m999_next", lambda db: db.execute("CREATE TABLE next (id) ")))  # noqa: SLF001 - a later version
    monkeypatch.setattr(schema, "_MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "_KNOWN", {name for name, _ in migrations})
    before = filled.read_bytes()

    with pytest.raises(SealedError, match=f"A stored value needs the key {shown_id(OLD)}.*\\[store\\] keys"):
        open_store(filled, AesGcmCipher(keys) if keys else ClearCipher(), create=False)

    assert filled.read_bytes() == before


@pytest.fixture
def clear(path: Path) -> Path:
    with closing(open_store(path, ClearCipher(), create=True)) as store:
        fill(store)
        read_everything(store)
    return path


def test_from_clear_to_encrypted(clear: Path) -> None:
    """A store that was kept in clear can get a key: afterwards no code is in the file, not even in what was freed."""
    in_clear = clear.read_bytes()
    with closing(open_store(clear, AesGcmCipher([NEW], reads_clear=True), create=False)) as store:
        read_everything(store)
        rekey(store.upkeep, none)
        journal = clear.with_name(f"{clear.name}-wal").read_bytes()
    with opened(clear, NEW) as store:
        read_everything(store)

    assert b"CANARY-CODE-1" in in_clear
    assert b"CANARY" not in clear.read_bytes()
    assert b"CANARY" not in journal or not clear.with_name(f"{clear.name}-wal").exists()


def test_clear_is_not_believed_without_saying_so(clear: Path) -> None:
    """With a key set, a code in clear could have been put there by whoever can write to the file: it is refused."""
    with pytest.raises(SealedError, match=r"lies in clear.*set `unencrypted` there again"):
        open_store(clear, AesGcmCipher([NEW]), create=False)


def test_every_sealed_column_is_reached(filled: Path) -> None:
    """A new table with something encrypted in it must not be forgotten."""
    with opened(filled, OLD) as store, store.connection.reading() as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            (table, row[1])
            for table in tables
            for row in raw.execute(f"PRAGMA table_info({table})")
            if row[2] == "BLOB"
        }

    assert columns - _NOT_SEALED == PLACES
