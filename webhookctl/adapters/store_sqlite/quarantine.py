"""The quarantine: one commit per batch, which also forgets what is too old or too much."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.adapters.store_sqlite.intake import event_row, insert_events
from webhookctl.adapters.store_sqlite.listing import Listing
from webhookctl.adapters.store_sqlite.odd_rows import MISREAD, Kinds, check, odd, readable, types
from webhookctl.adapters.store_sqlite.sealing import open_rejection, seal_rejection
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import Reason, SealedError
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds, Rejected, Rejection, fair_share

if TYPE_CHECKING:
    import sqlite3

_KINDS: Final[Kinds] = {
    "id": int,
    "supplier": str,
    "sender": str,
    "received_at": int,
    "delivery_id": UUID,
    "reason": Reason,
    "detail": str,
    "size": int,
}
_TYPES: Final = types(_KINDS)
_COLUMNS: Final = ", ".join(_KINDS)
_ADD: Final = """
    INSERT INTO rejected (supplier, site, sender, received_at, delivery_id, reason, detail, size, sealed) VALUES """
_ROW: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROWS_A_STATEMENT: Final = 100
"""Each statement releases the interpreter and must win it back, and who has events to store waits for the lock."""
_IS_ANY_OLD: Final = "SELECT 1 FROM rejected INDEXED BY rejected_by_time WHERE received_at < ? LIMIT 1"
_FORGET_OLD: Final = "DELETE FROM rejected WHERE received_at < ?"
_TALLY: Final = """
    SELECT supplier, site, count(*), sum(size) FROM rejected INDEXED BY rejected_by_source GROUP BY supplier, site"""
_FORGET_BEYOND_ROWS: Final = """
    DELETE FROM rejected WHERE id IN (
        SELECT id FROM rejected INDEXED BY rejected_by_source WHERE supplier = ? AND site = ?
        ORDER BY id DESC LIMIT -1 OFFSET ?)"""
_FORGET_BEYOND_BYTES: Final = """
    DELETE FROM rejected WHERE id IN (
        SELECT id FROM (
            SELECT id, sum(size) OVER (ORDER BY id DESC) AS newer FROM rejected INDEXED BY rejected_by_source
            WHERE supplier = ? AND site = ?
        ) WHERE newer > ?)"""
_LIST: Final = Listing(
    "rejected",
    _COLUMNS,
    "received_at",
    "",
    (("supplier", "rejected_by_supplier"), ("reason", "rejected_by_reason")),
    "rejected_by_time",
)
_GET: Final = f"SELECT {_COLUMNS}, sealed FROM rejected WHERE id = ?"  # noqa: S608 - our own words
_WALK: Final = f"""
    SELECT {_COLUMNS}, sealed FROM rejected
    WHERE id > :after AND (:supplier IS NULL OR supplier = :supplier) AND (:reason IS NULL OR reason = :reason)
        AND (:since IS NULL OR received_at >= :since) AND (:until IS NULL OR received_at < :until)
    ORDER BY id LIMIT :limit"""  # noqa: S608 - our own words
_TAKE_OUT: Final = "DELETE FROM rejected WHERE id IN (SELECT value FROM json_each(?)) RETURNING id"
_LONGEST_DETAIL: Final = 400


@dataclass(frozen=True, slots=True)
class SqliteQuarantine:
    """What was rejected, bounded in rows, bytes and age."""

    connection: Connection
    cipher: Cipher

    def keep(self, rejections: Sequence[Rejection], bounds: Bounds, *, now: int) -> int:
        rows = [self._row(rejection) for rejection in rejections]  # encrypted before the lock is taken
        with self.connection.writing() as raw:
            for at in range(0, len(rows), _ROWS_A_STATEMENT):
                some = rows[at : at + _ROWS_A_STATEMENT]
                raw.execute(_ADD + ", ".join([_ROW] * len(some)), tuple(chain.from_iterable(some)))
            forgotten = raw.execute(_FORGET_OLD, (now - bounds.keep_ms,)).rowcount
            return int(forgotten) + _cut(raw, bounds)

    def forget_old(self, *, before: int) -> int:
        with self.connection.reading() as raw:
            if raw.execute(_IS_ANY_OLD, (before,)).fetchone() is None:
                return 0
        with self.connection.writing() as raw:
            return int(raw.execute(_FORGET_OLD, (before,)).rowcount)

    def find(self, query: RejectedQuery) -> list[Rejected]:
        filters = {"supplier": query.supplier, "reason": query.reason}
        statement = _LIST.select(filters, since=query.since, until=query.until, limit=query.limit)
        with self.connection.reading() as raw:
            return readable(self.connection, raw.execute(*statement), _listed)

    def walk(self, query: RejectedQuery, *, after: int = 0) -> list[Rejected]:
        names = {
            "after": after,
            "supplier": query.supplier,
            "reason": query.reason,
            "since": query.since,
            "until": query.until,
            "limit": query.limit,
        }
        with self.connection.reading() as raw:
            rows = raw.execute(_WALK, names).fetchall()
        return [self._opened(row) for row in rows]

    def get(self, number: int) -> Rejected | None:
        with self.connection.reading() as raw:
            row = raw.execute(_GET, (number,)).fetchone()
        return None if row is None else self._opened(row)

    def admit(self, proven: Sequence[tuple[int, Verified]]) -> list[bool]:
        rows = {number: event_row(self.cipher, verified) for number, verified in proven}
        with self.connection.writing() as raw:
            out = {number for (number,) in raw.execute(_TAKE_OUT, (json.dumps(list(rows)),)).fetchall()}
            insert_events(raw, [row for number, row in rows.items() if number in out])
        return [number in out for number, _ in proven]

    def _row(self, rejection: Rejection) -> tuple[object, ...]:
        delivery = rejection.delivery
        sealed = seal_rejection(self.cipher, rejection)
        said = (rejection.reason, rejection.detail[:_LONGEST_DETAIL].encode("utf-8", "replace").decode())
        came = (rejection.sender, delivery.received_at, delivery.delivery_id)
        return (*rejection.source, *came, *said, len(sealed), sealed)

    def _opened(self, row: Any) -> Rejected:  # noqa: ANN401 - a row of `_COLUMNS, sealed`
        try:
            opened = open_rejection(self.cipher, row[8], row[1], row[4])
        except SealedError as error:
            return _listed(row, unreadable=str(error))
        delivery = Delivery(row[1], opened.body, opened.headers, row[3], row[4], method=opened.method, url=opened.url)
        return _listed(row, delivery, opened.apart)


def _cut(raw: "sqlite3.Connection", bounds: Bounds) -> int:
    """Forget the oldest of whoever has more than a fair share, first of rows and then of bytes."""
    tally = raw.execute(_TALLY).fetchall()
    rows = {(supplier, site): count for supplier, site, count, _ in tally}
    cut = _cut_to_share(raw, _FORGET_BEYOND_ROWS, rows, bounds.rows, bounds.per_sender)
    if cut and sum(size for *_, size in tally) > bounds.bytes:
        tally = raw.execute(_TALLY).fetchall()  # what was cut may be all that was too much
    sizes = {(supplier, site): size for supplier, site, _, size in tally}
    return cut + _cut_to_share(raw, _FORGET_BEYOND_BYTES, sizes, bounds.bytes, bounds.bytes_per_sender)


def _cut_to_share(
    raw: "sqlite3.Connection", statement: str, held: dict[tuple[str, str], int], most: int, most_each: int
) -> int:
    share = fair_share(held.values(), most, most_each)
    return sum(raw.execute(statement, (*source, share)).rowcount for source, has in held.items() if has > share)


def _listed(
    row: Any,  # noqa: ANN401 - a row that begins with `_COLUMNS`
    delivery: Delivery | None = None,
    presented: bytes | None = None,
    unreadable: str | None = None,
) -> Rejected:
    try:
        check(row, _TYPES)
        delivery_id, reason = str(UUID(bytes=row[4])), Reason(row[5])
    except MISREAD:
        raise odd(f"rejected delivery {row[0]}", row, _KINDS) from None
    return Rejected(
        id=row[0],
        supplier=row[1],
        sender=row[2],
        received_at=row[3],
        delivery_id=delivery_id,
        reason=reason,
        detail=row[6],
        size=row[7],
        delivery=delivery,
        presented=presented,
        unreadable=unreadable,
    )
