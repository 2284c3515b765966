"""What the store promises of its rows beyond what SQLite sees to, and for each the query that finds what breaks it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhookctl.core.deliveries import Via
from webhookctl.core.errors import Reason
from webhookctl.core.events import EventState
from webhookctl.core.orders import ActionKind, ActionState, OrderStatus

_REPORT: Final = "stop `serve` and `work`, keep the file, and report it; `webhookctl store restore FILE` helps"
_LOOK: Final = "look at it before anything else is sent: it was not written by webhookctl as it stands"
_RESTORE: Final = "bring back a backup with `webhookctl store restore FILE`"
_WAIT: Final = "the clock was wrong when it was claimed: set the clock right, and restart `serve` and `work`"


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds for every row."""

    name: str
    example: str
    """An expression that names a row to the operator."""
    broken: str
    """From which rows, and where: those that break it. `:now` is our clock, `:far` an hour or more ahead of it."""
    sentence: str
    remedy: str

    @property
    def query(self) -> str:
        """Select how many break it, and one of them."""
        return f"SELECT count(*), min({self.example}) FROM {self.broken}"  # noqa: S608 - our own words


def _words(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _unknown(table: str, column: str, words: Iterable[StrEnum], example: str, *, nullable: bool = False) -> Invariant:
    unless = f"{column} IS NOT NULL AND " if nullable else ""
    return Invariant(
        f"{table}.{column}",
        f"{example} || ': ' || {column}",
        f"{table} WHERE {unless}{column} NOT IN ({_words(words)})",
        f"rows of {table} have a {column} that no webhookctl of this version writes",
        _REPORT,
    )


_EVENT: Final = "'event ' || id"
_ACTION: Final = "kind || ' of ' || subject || ' at ' || supplier || ', ' || id"
_ORDER: Final = "reference || ' at ' || supplier"
_GIVEN: Final = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
"""The highest number that an event ever had: what points to a lower one that is gone points to one that was pruned."""

INVARIANTS: Final = (
    Invariant(
        "deliver_has_order",
        _ACTION,
        "actions AS a WHERE kind IN ('deliver', 'refund', 'notify') AND NOT EXISTS "
        "(SELECT 1 FROM orders AS o WHERE o.reference = a.subject AND o.supplier = a.supplier)",
        "actions belong to no order",
        _LOOK,
    ),
    Invariant(
        "one_deliver",
        "subject || ' at ' || supplier || ': ' || n || ' of kind ' || kind",
        "(SELECT subject, supplier, kind, count(*) AS n FROM actions WHERE kind IN ('deliver', 'refund') "
        "GROUP BY subject, supplier, kind, generation HAVING n > 1)",
        "orders have more than one deliver or refund of a generation",
        "hold the order (`webhookctl orders hold`), and ask the shop what it did",
    ),
    Invariant(
        "deliver_is_due",
        "a.subject || ' at ' || a.supplier || ', which is ' || o.status",
        "actions AS a JOIN orders AS o ON o.reference = a.subject AND o.supplier = a.supplier "
        "WHERE a.kind = 'deliver' AND o.status NOT IN ('fulfilled', 'refunded')",
        "delivers are of orders that were never fulfilled",
        _LOOK,
    ),
    Invariant(
        "action_is_claimed",
        _ACTION,
        "actions WHERE (state = 'running') <> (claim IS NOT NULL) OR (claim IS NULL) <> (claimed_until IS NULL)",
        "actions are running without a claim, or claimed without running",
        _REPORT,
    ),
    Invariant(
        "action_is_finished",
        _ACTION,
        "actions WHERE (state IN ('done', 'dead', 'cancelled')) <> (finished_at IS NOT NULL)",
        "actions are finished without a time, or have one and are not",
        _REPORT,
    ),
    Invariant(
        "action_is_next",
        _ACTION,
        "actions WHERE state = 'waiting' AND next_at IS NULL",
        "actions wait for no time: nobody would ever begin them",
        "`webhookctl actions retry ID` makes each due",
    ),
    Invariant(
        "action_generation",
        _ACTION,
        "actions WHERE generation < 1 OR attempts < 0 OR forgiven < 0",
        "actions count less than nothing",
        _REPORT,
    ),
    Invariant(
        "attempt_is_counted",
        "'attempt ' || t.number || ' of ' || t.action_id",
        "attempts AS t JOIN actions AS a ON a.id = t.action_id WHERE t.number > a.attempts OR t.number < 1",
        "attempts are none of those that their action counts",
        _REPORT,
    ),
    Invariant(
        "event_is_claimed",
        _EVENT,
        "events WHERE (claim IS NULL) <> (claimed_until IS NULL) OR (claim IS NOT NULL AND state <> 'queued')",
        "events are claimed that nobody handles",
        _REPORT,
    ),
    Invariant(
        "claim_has_an_end",
        "what",
        "(SELECT 'event ' || id AS what FROM events WHERE state = 'queued' AND claimed_until > :far "
        "UNION ALL SELECT 'action ' || id FROM actions WHERE state = 'running' AND claimed_until > :far "
        "UNION ALL SELECT 'order ' || reference FROM orders WHERE ask_claim IS NOT NULL AND next_ask_at > :far)",
        "claims end more than a day from now, and keep what they hold until then",
        _WAIT,
    ),
    Invariant(
        "duplicate_of",
        "'event ' || id || ' of ' || coalesce(duplicate_of, 'none')",
        "events WHERE (state = 'duplicate') <> (duplicate_of IS NOT NULL) OR duplicate_of = id "
        f"OR duplicate_of NOT BETWEEN 1 AND {_GIVEN}",
        "events are duplicates of nothing, of themselves, or of what never came",
        _REPORT,
    ),
    Invariant(
        "event_key",
        "'event ' || event_id",
        f"event_keys WHERE event_id NOT BETWEEN 1 AND {_GIVEN} OR length(key) <> 16",
        "keys of duplicates belong to events that never came",
        _REPORT,
    ),
    Invariant(
        "delivery_id",
        "what",
        "(SELECT 'event ' || id AS what FROM events WHERE length(delivery_id) <> 16 "
        "UNION ALL SELECT 'rejected ' || id FROM rejected WHERE length(delivery_id) <> 16)",
        "deliveries have an id that is none: they can't be shown",
        _RESTORE,
    ),
    Invariant(
        "order_version",
        _ORDER,
        "orders WHERE version < 1 OR asks < 0",
        "orders count less than their first version",
        _REPORT,
    ),
    Invariant(
        "order_is_paid",
        _ORDER,
        "orders WHERE (paid_amount IS NULL) <> (paid_currency IS NULL)",
        "orders are paid in no currency, or in a currency and nothing",
        "hold the order (`webhookctl orders hold`): a refund could not say what was paid",
    ),
    Invariant(
        "order_ended",
        _ORDER,
        "orders WHERE (ended_as IS NULL) <> (ended_at IS NULL)",
        "orders have ended at no time, or at a time as nothing",
        _REPORT,
    ),
    Invariant(
        "order_is_asked",
        _ORDER,
        "orders WHERE ask_claim IS NOT NULL AND next_ask_at IS NULL",
        "orders are lent to somebody who asks, without an end",
        _REPORT,
    ),
    _unknown("events", "state", EventState, _EVENT),
    _unknown("events", "via", Via, _EVENT),
    _unknown("event_orders", "state", EventState, "'event ' || event_id"),
    _unknown("orders", "status", OrderStatus, _ORDER),
    _unknown("orders", "learned_by", Via, _ORDER),
    _unknown("actions", "kind", ActionKind, "id"),
    _unknown("actions", "state", ActionState, "id"),
    _unknown("actions", "restrained", ActionState, "id", nullable=True),
    _unknown("attempts", "state", ActionState, "action_id"),
    _unknown("rejected", "reason", Reason, "'rejected ' || id"),
)

ENDED_CLAIMS: Final = """
    SELECT (SELECT count(*) FROM events INDEXED BY events_queue WHERE state = 'queued' AND claimed_until <= :late) + (
        SELECT count(*) FROM actions INDEXED BY actions_running WHERE state = 'running' AND claimed_until <= :late
    )"""
"""No fault: whoever held them was stopped, and the next `serve` or `work` takes them back."""
