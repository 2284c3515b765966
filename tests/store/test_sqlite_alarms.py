"""Alarms over more rows than one transaction takes, while those change."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.store.building import NOW, order
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.adapters.store_sqlite.alarms import SqliteAlarms
from webhookctl.core.orders import Move
from webhookctl.flows.alarms import overdue_alert


@dataclass
class Interrupted:
    """A connection that lets something happen before the second look."""

    connection: Any
    happens: Callable[[], object]
    looks: int = 0

    def reading(self) -> AbstractContextManager[Any]:
        self.looks += 1
        if self.looks == 2:
            self.happens()
        return self.connection.reading()  # type: ignore[no-any-return] # as it is

    def writing(self) -> AbstractContextManager[Any]:
        return self.connection.writing()  # type: ignore[no-any-return] # as it is


def test_what_ends_while_we_look_hides_nobody_behind_it(path: Path, cipher: AesGcmCipher) -> None:
    """Orders that were alerted first come to their end before the rest is looked at: the rest is alerted too."""
    with closing(open_store(path, cipher, create=True)) as store:
        late = [replace(order(f"R{number}"), due_at=NOW + number // 400) for number in range(1200)]
        store.orders.write([Move(one) for one in late], now=NOW)

        def end() -> None:
            with store.connection.writing() as raw:
                raw.execute("UPDATE orders SET status = 'failed' WHERE due_at <= ?", (NOW,))

        alarms = SqliteAlarms(Interrupted(store.connection, end))  # type: ignore[arg-type] # as far as it is used
        told = alarms.overdue(overdue_alert, since=0, until=NOW + 10, now=NOW + 10)

    assert told == 1200
