"""Asking a supplier about orders whose webhooks have not come: leased, asked, and what is learned stored as events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, assert_never

from webhookctl.core import answers
from webhookctl.core.answers import Learned, Unfit, Unmoved
from webhookctl.core.asking import AskPolicy
from webhookctl.core.deliveries import Verified
from webhookctl.core.orders import CodesRule, Order
from webhookctl.core.outcomes import (
    Asked,
    Found,
    MissedWebhooks,
    NotAnswered,
    PersonTold,
    PutOff,
    StillOpen,
    SupplierNotAsked,
)
from webhookctl.core.ports.intake import Intake
from webhookctl.core.ports.leases import Concern, Endings, Leased, Leases, Settled, Standing
from webhookctl.core.ports.supplier import NotAsked, NotKnown, Reply, Said, Supplier, Unanswered
from webhookctl.core.retries import HOUR, SECOND

LEASE_MS: Final = 300 * SECOND
_ASKED_WITHIN_S: Final = 240.0
"""Of a lease: what has not been asked by then is given back while it is still ours."""
_FEWEST: Final = 20
"""Final states of a day, below which a share says nothing."""
GIVEN_UP: Final = "asking has not brought it to its end"
Batch: TypeAlias = Sequence[Leased]


@dataclass(frozen=True, slots=True)
class Asking:
    """One supplier, and what is to be kept to when asking it."""

    name: str
    supplier: Supplier
    policy: AskPolicy
    codes: CodesRule
    missed_alert: float = 0.02
    """The share of missed webhooks above which a person is told."""


@dataclass(frozen=True, slots=True)
class Replied:
    """Orders that are ours, and what the supplier said of each."""

    batch: Batch
    replies: Sequence[Reply]


@dataclass(slots=True)
class Poll:
    """One run of asking one supplier, for `fan_out`; an item is a batch of orders."""

    asking: Asking
    leases: Leases
    intake: Intake
    now: Callable[[], int]
    """Milliseconds since 1970, UTC."""
    chance: Callable[[], float]
    """Uniform in [0, 1)."""
    new_id: Callable[[], bytes]
    """Makes a UUIDv7 of 16 bytes."""
    deadline: float = float("inf")
    """The loop's time at which the run ends."""
    only: Sequence[str] | None = None
    """Ask about the orders of these references, whatever their intervals; None: about the stale ones."""
    wanted_only: bool = False
    """Ask about what is to be asked about now, and leave stale orders to another run."""
    asked: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)

    def stop(self) -> None:
        """Take no more; what is being asked comes to its end."""
        self._over = True
        self.asking.supplier.enough()

    def take(self, limit: int) -> list[Batch]:
        """Lease up to `limit` batches."""
        batches = list[Batch]()
        while len(batches) < limit and not self._over and self.asking.supplier.condition.stopped is None:
            leased = self._leased()
            if not leased:
                self._over = self.only is not None
                break
            batches.append(leased)
        return batches

    def _leased(self) -> list[Leased]:
        now = self.now()
        if self.only is not None:
            references, self.only = self.only, ()
            claims = [
                self.leases.claim_order(self.asking.name, one, now=now, until=now + LEASE_MS) for one in references
            ]
            return [one for one in claims if one is not None]
        return self.leases.claim_stale_orders(
            self.asking.name,
            older_than=None if self.wanted_only else now - self.asking.policy.after,
            now=now,
            until=now + LEASE_MS,
            limit=self.asking.supplier.batch,
        )

    async def call(self, batch: Batch) -> Replied:
        """Ask about a batch, within its lease and the run's time."""
        until = min(self.deadline, asyncio.get_running_loop().time() + _ASKED_WITHIN_S)
        orders = [leased.order for leased in batch]
        return Replied(batch, await self.asking.supplier.ask(orders, until=until))

    def failed(self, batch: Batch, _error: BaseException) -> Replied:
        """Give back a batch whose asking was cut off."""
        return Replied(batch, [NotAsked() for _ in batch])

    def settle(self, replied: Sequence[Replied]) -> list[Asked]:
        """Store what was learned, durably, and then say when to ask again.

        Cut off between the two, the order is asked about once more, and the same answer has the same key.
        """
        now = self.now()
        pairs = [pair for one in replied for pair in zip(one.batch, one.replies, strict=True)]
        ends = [self._end(leased, reply, now) for leased, reply in pairs]
        self.intake.accept([end.delivery for end in ends if end.delivery is not None])
        told = self.leases.settle([end.settled for end in ends], now=now)
        self.asked += sum(not isinstance(reply, NotAsked) for _, reply in pairs)
        outcomes = list[Asked]()
        for end, newly in zip(ends, told, strict=True):
            outcomes.append(end.outcome)
            if newly and end.settled.concern is not None:
                order = end.settled.leased.order
                outcomes.append(PersonTold(order.supplier, order.reference, end.settled.concern.detail))
        return outcomes

    def _end(self, leased: Leased, reply: Reply, now: int) -> "_End":
        order = leased.order
        match reply:
            case Said():
                return self._heard(leased, reply, now)
            case NotKnown():
                concern = self._when_old(order, now, answers.NOT_FOUND, "The supplier has no such order")
                return self._open(leased, now, answers.NOT_FOUND, concern)
            case Unanswered(reason):
                settled = Settled(leased, self._soon(leased, now), False, concern=self._when_over(order, now))
                return _End(settled, NotAnswered(order.supplier, order.reference, reason))
            case NotAsked(None):
                self._over = True
                return self._put_off(leased, now, None)
            case NotAsked(reason):
                end = self._open(leased, now, reason, self._when_old(order, now, "can't be asked about", reason or ""))
                return replace(end, settled=replace(end.settled, answered=True))
            case _:
                assert_never(reply)

    def _put_off(self, leased: Leased, now: int, next_at: int | None) -> "_End":
        settled = Settled(leased, next_at, False, concern=self._when_over(leased.order, now))
        return _End(settled, PutOff(*leased.order.key))

    def _heard(self, leased: Leased, said: Said, now: int) -> "_End":
        order = leased.order
        finding = answers.find(order, said, codes=self.asking.codes, items=leased.items)
        match finding:
            case Learned(event):
                next_at = self._next(leased, now)
                status = answers.status_of(event)
                outcome = Found(order.supplier, order.reference, order.status.value, status.value)
                delivery = answers.delivery_of(event, now=now, delivery_id=self.new_id())
                return _End(Settled(leased, next_at, True), outcome, delivery)
            case Unmoved(note):
                return self._open(leased, now, note, self._when_old(order, now, note, note) if note else None)
            case Unfit(reason):
                detail = f"Asking about order {order.reference} at {order.supplier}: {reason}."
                return self._open(leased, now, reason, Concern("unfit answer", detail))
            case _:
                assert_never(finding)

    def _open(self, leased: Leased, now: int, note: str | None, concern: Concern | None) -> "_End":
        order = leased.order
        concern = self._when_over(order, now) or concern
        # Whoever wanted it asked wants its end: nobody else may ask, and an answer may lag behind its webhook.
        over = concern is not None and concern.hold
        wanted = not over and (order.ask_at is not None or (note is not None and note.startswith(answers.NO_CODES)))
        settled = Settled(leased, self._next(leased, now), True, note, concern, wanted)
        return _End(settled, StillOpen(order.supplier, order.reference, note, note != leased.note))

    def _next(self, leased: Leased, now: int) -> int:
        asked = leased.asked + 1
        return self.asking.policy.next_at(
            asked=asked, created_at=leased.order.created_at, now=now, chance=self.chance()
        )

    def _soon(self, leased: Leased, now: int) -> int:
        """Return when to try again what had no answer: it counts as little as if it had not been tried."""
        created_at = leased.order.created_at
        return self.asking.policy.next_at(asked=1, created_at=created_at, now=now, chance=self.chance())

    def _when_old(self, order: Order, now: int, cause: str, why: str) -> Concern | None:
        """A person hears of it only once the supplier had its time; of an order at its end the store tells nobody."""
        if now - order.created_at < self.asking.policy.patience:
            return None
        hours = (now - order.created_at) / HOUR
        detail = f"Order {order.reference} at {order.supplier} is open for {hours:.1f} hours: {_sentence(why)}"
        return Concern(cause.partition(" (")[0], detail)

    def _when_over(self, order: Order, now: int) -> Concern | None:
        if now - order.created_at < self.asking.policy.give_up:
            return None
        days = (now - order.created_at) / (24 * HOUR)
        detail = (
            f"Order {order.reference} at {order.supplier} is still {order.status} after {days:.1f} days: it is not "
            "asked about any more, and held for you to decide."
        )
        return Concern(GIVEN_UP, detail, hold=True)

    def finish(self, before: Standing) -> list[Asked]:
        """Write down how the supplier did; tell a person where too many of its webhooks are missed."""
        now, condition = self.now(), self.asking.supplier.condition
        if self.asked or condition.stopped is not None:
            failing_since = (before.failing_since or now) if condition.stopped else None
            not_before = now + condition.not_before_ms if condition.not_before_ms else None
            answered_at = now if condition.answered else None
            self.leases.record_standing(
                Standing(self.asking.name, now, answered_at, failing_since, not_before, condition.stopped)
            )
        outcomes = list[Asked]()
        if condition.stopped is not None:
            outcomes.append(SupplierNotAsked(self.asking.name, condition.stopped))
        return outcomes


@dataclass(frozen=True, slots=True)
class _End:
    """What is written of one order, and told."""

    settled: Settled
    outcome: Asked
    delivery: Verified | None = None


def left_alone(standing: Standing, now: int) -> SupplierNotAsked | None:
    """Say that a supplier wants to be left alone still; what a clock that jumped makes of it lasts an hour at most."""
    wait = 0 if standing.not_before is None else standing.not_before - now
    if not 0 < wait <= HOUR:
        return None
    return SupplierNotAsked(standing.supplier, f"{standing.reason} It is asked again in {-(-wait // SECOND)} s.")


def look_at_missed(leases: Leases, suppliers: Sequence[Asking], *, now: int) -> list[Asked]:
    """Tell a person, once, of suppliers too many of whose webhooks never came in the last day."""
    ended = {one.supplier: one for one in leases.endings(since=now - 24 * HOUR)}
    outcomes = list[Asked]()
    for one in suppliers:
        detail = _too_many(ended.get(one.name), one.missed_alert)
        if leases.tell_of_missed(one.name, detail, now=now) and detail is not None:
            outcomes.append(MissedWebhooks(one.name, detail))
    return outcomes


def _too_many(endings: Endings | None, most: float) -> str | None:
    if endings is None or endings.ended < _FEWEST or endings.missed <= most * endings.ended:
        return None
    return (
        f"Of the {endings.ended} orders of {endings.supplier} that ended within a day, the webhooks of "
        f"{endings.missed} never came: they were found by asking. Look at the supplier's deliveries and at our address."
    )


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
