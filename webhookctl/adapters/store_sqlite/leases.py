"""Which orders a supplier is to be asked about: picked, leased, settled; and what asking has found.

A lease is `next_ask_at` put to its end, with a token: whoever is killed leaves an order that is due again by itself.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from webhookctl.adapters.store_sqlite import order_rows
from webhookctl.adapters.store_sqlite.action_rows import add
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.orders import ActionKind, NewAction, Order
from webhookctl.core.ports.leases import Concern, Endings, Leased, Settled, Standing

if TYPE_CHECKING:
    import sqlite3

# Three short walks, each in the order of its index: to be asked now (first of all), never asked, due again.
_WANTED: Final = """
    SELECT rowid AS row, 0 AS turn, created_at FROM orders INDEXED BY orders_ask_now
    WHERE supplier = :supplier AND ask_at <= :now AND (ask_claim IS NULL OR next_ask_at <= :now)
    ORDER BY ask_at LIMIT :limit"""
_DUE: Final = f"""
    SELECT * FROM ({_WANTED})
    UNION ALL SELECT * FROM (
        SELECT rowid AS row, 1 AS turn, created_at FROM orders INDEXED BY orders_never_asked
        WHERE supplier = :supplier AND created_at <= :older_than AND status IN ('pending', 'partial')
            AND next_ask_at IS NULL AND given_up_at IS NULL
        ORDER BY created_at LIMIT :limit)
    UNION ALL SELECT * FROM (
        SELECT rowid AS row, 1 AS turn, created_at FROM orders INDEXED BY orders_to_ask
        WHERE supplier = :supplier AND next_ask_at <= :now AND status IN ('pending', 'partial')
            AND given_up_at IS NULL
        ORDER BY next_ask_at LIMIT :limit)"""  # noqa: S608 - our own words
_PICK: Final = f"SELECT row FROM ({_DUE}) GROUP BY row ORDER BY min(turn), created_at LIMIT :limit"  # noqa: S608 - our own words
_PICK_WANTED: Final = f"SELECT row FROM ({_WANTED})"  # noqa: S608 - our own words
_IS_ANY_WANTED: Final = f"SELECT 1 FROM ({_WANTED})"  # noqa: S608 - our own words
_COUNT: Final = f"SELECT count(DISTINCT row) FROM ({_DUE})"  # noqa: S608 - our own words
_LIST: Final = f"""
    SELECT {order_rows.COLUMNS} FROM orders WHERE rowid IN ({_PICK}) ORDER BY created_at"""  # noqa: S608 - our own words
_ITEMS: Final = "(SELECT count(*) FROM items WHERE reference = orders.reference AND supplier = orders.supplier)"
_LEASED: Final = f"{order_rows.COLUMNS}, {_ITEMS}, asks, next_ask_at, ask_note"
_READ: Final = f"SELECT {_LEASED}, rowid FROM orders WHERE rowid IN ({{pick}}) ORDER BY created_at"  # noqa: S608 - our own words
_READ_ONE: Final = f"""
    SELECT {_LEASED}, rowid FROM orders
    WHERE reference = ? AND supplier = ? AND (ask_claim IS NULL OR next_ask_at <= ?)"""  # noqa: S608 - our own words
# A thousand rows go into one statement, as JSON: to bind and find each by itself takes three times as long.
_LEASE: Final = """
    UPDATE orders SET ask_claim = ?, next_ask_at = ? WHERE rowid IN (SELECT value FROM json_each(?))"""
# What was wanted has been asked, or is wanted again later; what somebody wants since then is still wanted now.
_SETTLE: Final = """
    UPDATE orders SET ask_claim = NULL, next_ask_at = one.value ->> 2, asks = asks + (one.value ->> 3),
        ask_note = one.value ->> 4, ask_at = CASE WHEN ask_at IS one.value ->> 5 THEN one.value ->> 6 ELSE ask_at END
    FROM json_each(?) AS one WHERE orders.rowid = one.value ->> 0 AND ask_claim = one.value ->> 1"""
_IS_OPEN: Final = """
    SELECT 1 FROM orders WHERE reference = ? AND supplier = ? AND status IN ('pending', 'partial')"""
_HAND_OVER: Final = """
    UPDATE orders SET given_up_at = ?, held = coalesce(held, ?), updated_at = ?, version = version + 1
    WHERE reference = ? AND supplier = ? AND given_up_at IS NULL AND status IN ('pending', 'partial')"""

_STANDING: Final = """
    SELECT supplier, asked_at, answered_at, failing_since, not_before, reason, missed_told FROM polls
    WHERE supplier = ?"""
_RECORD_STANDING: Final = """
    INSERT INTO polls (supplier, asked_at, answered_at, failing_since, not_before, reason) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (supplier) DO UPDATE SET asked_at = excluded.asked_at,
        answered_at = coalesce(excluded.answered_at, answered_at), failing_since = excluded.failing_since,
        not_before = excluded.not_before, reason = excluded.reason"""
_MISSED_TOLD: Final = """
    INSERT INTO polls (supplier, missed_told) VALUES (?, ?)
    ON CONFLICT (supplier) DO UPDATE SET missed_told = excluded.missed_told WHERE missed_told <> excluded.missed_told"""
_ENDINGS: Final = """
    SELECT supplier, count(*), sum(learned_by = 'poll'), sum(learned_by = 'poll' AND late_at IS NOT NULL),
        coalesce(avg(CASE WHEN learned_by = 'poll' THEN late_at - ended_at END), 0),
        coalesce(max(CASE WHEN learned_by = 'poll' THEN late_at - ended_at END), 0)
    FROM orders INDEXED BY orders_ended WHERE ended_at >= ? GROUP BY supplier ORDER BY supplier"""

_BEAT: Final = "INSERT INTO alive (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at"
_LAST_BEAT: Final = "SELECT at FROM alive WHERE id = 1"

_ALL: Final = -1
"""SQLite's word for no limit."""


@dataclass(frozen=True, slots=True)
class SqliteLeases:
    """Pending and partial orders, each lent to one asker at a time."""

    connection: Connection

    def claim_stale_orders(
        self, supplier: str, *, older_than: int | None, now: int, until: int, limit: int
    ) -> list[Leased]:
        names = {"supplier": supplier, "older_than": older_than, "now": now, "limit": limit}
        pick = _PICK_WANTED if older_than is None else _PICK
        with self.connection.reading() as raw:  # a run that finds nothing must not take the lock that intake needs
            if raw.execute(pick, names | {"limit": 1}).fetchone() is None:
                return []
        with self.connection.writing() as raw:
            return _lease(raw, raw.execute(_READ.format(pick=pick), names).fetchall(), until)

    def is_any_wanted(self, supplier: str, *, now: int) -> bool:
        with self.connection.reading() as raw:
            return raw.execute(_IS_ANY_WANTED, {"supplier": supplier, "now": now, "limit": 1}).fetchone() is not None

    def claim_order(self, supplier: str, reference: str, *, now: int, until: int) -> Leased | None:
        with self.connection.writing() as raw:
            rows = raw.execute(_READ_ONE, (reference, supplier, now)).fetchall()
            return next(iter(_lease(raw, rows, until)), None)

    def stale_orders(self, supplier: str, *, older_than: int, now: int, limit: int) -> list[Order]:
        names = {"supplier": supplier, "older_than": older_than, "now": now, "limit": limit}
        with self.connection.reading() as raw:
            return [order_rows.stored_order(row) for row in raw.execute(_LIST, names)]

    def count_stale_orders(self, supplier: str, *, older_than: int, now: int) -> int:
        names = {"supplier": supplier, "older_than": older_than, "now": now, "limit": _ALL}
        with self.connection.reading() as raw:
            (count,) = raw.execute(_COUNT, names).fetchone()
        return int(count)

    def settle(self, settled: Sequence[Settled], *, now: int) -> list[bool]:
        if not settled:
            return []
        with self.connection.writing() as raw:
            _write_down(raw, [one for one in settled if one.concern is None])
            return [one.concern is not None and _settle(raw, one, one.concern, now) for one in settled]

    def standing(self, supplier: str) -> Standing:
        with self.connection.reading() as raw:
            row = raw.execute(_STANDING, (supplier,)).fetchone()
        return _standing(row) if row else Standing(supplier)

    def record_standing(self, standing: Standing) -> None:
        times = (standing.asked_at, standing.answered_at, standing.failing_since, standing.not_before)
        self.connection.write(_RECORD_STANDING, (standing.supplier, *times, standing.reason))

    def tell_of_missed(self, supplier: str, detail: str | None, *, now: int) -> bool:
        if self.standing(supplier).missed_told is (detail is not None):
            return False
        with self.connection.writing() as raw:
            if raw.execute(_MISSED_TOLD, (supplier, detail is not None)).rowcount != 1 or detail is None:
                return False
            cause = f"missed webhooks, {datetime.fromtimestamp(now / 1000, UTC):%Y-%m-%dT%H:%MZ}"
            add(raw, NewAction(supplier, "", ActionKind.ALERT, cause, detail=detail), now=now)
            return True

    def beat(self, *, now: int) -> None:
        self.connection.write(_BEAT, (now,))

    def last_beat(self) -> int | None:
        with self.connection.reading() as raw:
            row = raw.execute(_LAST_BEAT).fetchone()
        return None if row is None else int(row[0])

    def endings(self, *, since: int) -> list[Endings]:
        with self.connection.reading() as raw:
            rows = raw.execute(_ENDINGS, (since,)).fetchall()
        return [Endings(row[0], row[1], row[2], row[3], round(row[4]), row[5]) for row in rows]


def _lease(raw: "sqlite3.Connection", rows: Sequence[Any], until: int) -> list[Leased]:
    token = secrets.token_hex(8)
    raw.execute(_LEASE, (token, until, _json([row[-1] for row in rows])))
    return [Leased(order_rows.stored_order(row), f"{row[-1]}:{token}", *row[-5:-1]) for row in rows]


def _settle(raw: "sqlite3.Connection", one: Settled, concern: Concern, now: int) -> bool:
    order = one.leased.order
    return _write_down(raw, [one]) == 1 and _tell(raw, concern, (order.reference, order.supplier), now)


def _write_down(raw: "sqlite3.Connection", settled: Sequence[Settled]) -> int:
    """Return how many leases were still held."""
    return raw.execute(_SETTLE, (_json([_values(one) for one in settled]),)).rowcount


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(values).decode()


def _values(one: Settled) -> tuple[object, ...]:
    leased, order = one.leased, one.leased.order
    row, _, token = leased.claim.partition(":")
    next_at = leased.due_at if one.next_at is None else one.next_at
    note = one.note if one.answered else leased.note
    wanted = one.wanted or (order.ask_at is not None and not one.answered)
    wanted_at = (one.next_at or order.ask_at) if wanted else None
    return (int(row), token, next_at, one.answered, note, order.ask_at, wanted_at)


def _tell(raw: "sqlite3.Connection", concern: Concern, key: tuple[str, str], now: int) -> bool:
    """Tell a person, unless the order has come to its end meanwhile, or they were told before."""
    if concern.hold:
        if raw.execute(_HAND_OVER, (now, concern.cause, now, *key)).rowcount != 1:
            return False
    elif raw.execute(_IS_OPEN, key).fetchone() is None:
        return False
    alert = NewAction(key[1], key[0], ActionKind.ALERT, concern.cause, detail=concern.detail)
    return add(raw, alert, now=now) or concern.hold


def _standing(row: Any) -> Standing:  # noqa: ANN401 - a row of `_STANDING`
    return Standing(row[0], row[1], row[2], row[3], row[4], row[5], missed_told=bool(row[6]))
