"""Carrying out what orders cause: claimed, attempted, and settled by whoever still holds the claim."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock
from typing import Final, TypeAlias, assert_never

from webhookctl.core.documents import document
from webhookctl.core.errors import RowError, StoreError, told
from webhookctl.core.orders import Action, ActionKind, ActionState, Order
from webhookctl.core.outcomes import ActionOutcome, Ambiguous, Dead, Deferred, Delivered, LostClaim, Postponed, PutBack
from webhookctl.core.ports.handler import Failed, GivenUp, Handler, NotYet, Repeat, Result, Succeeded, Task, Unknown
from webhookctl.core.ports.orders import Orders
from webhookctl.core.ports.outbox import ClaimedAction, Outbox, Settlement
from webhookctl.core.retries import SECOND

LEASE_MS: Final = 60 * SECOND
RENEWED_AFTER_MS: Final = 20 * SECOND
# What these say to the shop is nothing without the order.
_NEED_AN_ORDER: Final = frozenset({ActionKind.DELIVER, ActionKind.REFUND})
_STOPPED: Final = "The worker stopped before the attempt."
_Key: TypeAlias = tuple[str, str]


class _NoAttempt(Enum):
    """Why a claimed action came to no attempt."""

    LOST = auto()
    """The claim had ended before we began."""
    STOPPED = auto()
    """The worker was told to stop, and nothing that counts has happened."""


@dataclass(frozen=True, slots=True)
class Held:
    """An action that is ours, with what its document needs."""

    action: Action
    claim: str
    order: Order | None
    sealed: str | None = None
    """Why the order can't be read."""

    @property
    def key(self) -> _Key:
        return self.action.id, self.claim


@dataclass(frozen=True, slots=True)
class Ended:
    """An action that is ours, and how the attempt went."""

    held: Held
    result: Result | _NoAttempt


@dataclass(slots=True)
class Act:
    """Carries out the actions for whose kinds there are `handlers`; the others stay waiting."""

    outbox: Outbox
    orders: Orders
    handlers: Mapping[ActionKind, Handler]
    now: Callable[[], int]
    chance: Callable[[], float]
    """Uniform in [0, 1)."""
    _claims: dict[_Key, int] = field(default_factory=dict, init=False)
    """When each claim (action id, token) that we hold was made or renewed."""
    _begun: set[str] = field(default_factory=set, init=False)
    """Actions that must not be repeated and may have taken effect."""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    """`take`, `settle` and `renew` run in different threads."""

    def take(self, limit: int) -> list[Held]:
        """Claim up to `limit` due actions and read their orders."""
        now = self.now()
        kinds = tuple(kind for kind, handler in self.handlers.items() if handler.ready)
        claimed = self.outbox.claim(kinds, now=now, limit=limit, lease_ms=LEASE_MS)
        with self._lock:
            self._claims.update({(one.action.id, one.claim): now for one in claimed})
        try:
            return self._with_orders(claimed)
        except Exception:
            keys = [(one.action.id, one.claim) for one in claimed]
            self._forget(keys)  # first of all: what we renewed without working on it would never run out
            self.outbox.release(keys, now=now)
            raise

    def _with_orders(self, claimed: Sequence[ClaimedAction]) -> list[Held]:
        try:
            known = self.orders.get({_order_of(one.action) for one in claimed if one.action.subject})
        except RowError:
            return [self._one_by_one(one) for one in claimed]
        return [Held(one.action, one.claim, known.get(_order_of(one.action))) for one in claimed]

    def _one_by_one(self, claimed: ClaimedAction) -> Held:
        """Read one order alone, so that one that can't be read doesn't keep the others waiting."""
        action = claimed.action
        try:
            known = self.orders.get([_order_of(action)] if action.subject else [])
        except RowError as error:
            return Held(action, claimed.claim, None, sealed=str(error))
        return Held(action, claimed.claim, known.get(_order_of(action)))

    async def call(self, held: Held) -> Ended:
        """Make the attempt; where it must not be repeated, that it begins is committed first."""
        action = held.action
        if held.sealed is not None:
            return Ended(held, Failed(held.sealed, alert=True))
        if held.order is None and action.kind in _NEED_AN_ORDER:
            return Ended(held, GivenUp(f"Order {action.subject} of {action.supplier} is not in the store."))
        task = Task(action, document(action, held.order), held.order)
        handler = self.handlers[action.kind]
        if handler.repeat is Repeat.AT_MOST_ONCE:
            if not handler.ready:  # before it counts as begun
                return Ended(held, NotYet("It was no time for an attempt any more.", SECOND))
            if not await asyncio.to_thread(self.outbox.begin, action.id, held.claim, now=self.now()):
                return Ended(held, _NoAttempt.LOST)
            self._begun.add(action.id)
        return Ended(held, await handler.handle(task))

    def failed(self, held: Held, error: BaseException) -> Ended:
        """Say how an attempt went that ended in `error`; its text is not shown, as it may hold the document."""
        begun = held.action.id in self._begun
        if isinstance(error, asyncio.CancelledError):
            return Ended(held, Unknown("The worker was stopped during the attempt.") if begun else _NoAttempt.STOPPED)
        if isinstance(error, StoreError):
            return Ended(held, Unknown(str(error)) if begun else Failed(str(error)))
        detail = f"The handler itself broke down: {told(error)}."
        return Ended(held, Unknown(detail) if begun else Failed(detail, alert=True))

    def settle(self, ended: Sequence[Ended]) -> list[ActionOutcome]:
        """Write how attempts went and forget their claims; nothing is written for a claim that was lost."""
        now = self.now()
        attempted = [(one, one.result) for one in ended if not isinstance(one.result, _NoAttempt)]
        settlements = [self.settlement(one.held, result, now) for one, result in attempted]
        stopped = [one.held for one in ended if one.result is _NoAttempt.STOPPED]
        self._put_back(stopped, now)
        try:
            written = self.outbox.settle(settlements, now=now) if settlements else []
        except StoreError:
            raise  # tried again
        except Exception:
            if len(ended) == 1:  # it is itself what can't be settled, and nobody tries again: let its claim run out
                self._forget([ended[0].held.key])
            raise
        self._forget([one.held.key for one in ended])
        return [
            *(
                _outcome(one.held.action, settlement, now) if kept else _lost(one.held.action, now)
                for (one, _), settlement, kept in zip(attempted, settlements, written, strict=True)
            ),
            *(PutBack(held.action, now, _STOPPED) for held in stopped),
            *(_lost(one.held.action, now) for one in ended if one.result is _NoAttempt.LOST),
        ]

    def settlement(self, held: Held, result: Result, now: int) -> Settlement:
        """Say what `result` makes of the action."""
        action, claim = held.action, held.claim
        match result:
            case Succeeded(detail):
                return Settlement(action.id, claim, ActionState.DONE, detail)
            case Failed(detail, retry_after_ms, alert):
                next_at = self.handlers[action.kind].retries.next_at(
                    attempts=action.attempts,
                    since=action.tried_since or action.created_at,
                    now=now,
                    chance=self.chance(),
                    retry_after=retry_after_ms,
                )
                if next_at is None:
                    given_up = f"Given up after {action.attempts} attempts: {detail}"
                    return Settlement(action.id, claim, ActionState.DEAD, given_up, alert=_cause("dead", action))
                cause = _cause("refused", action) if alert else None
                return Settlement(action.id, claim, ActionState.WAITING, detail, next_at, cause)
            case GivenUp(detail):
                return Settlement(action.id, claim, ActionState.DEAD, detail, alert=_cause("dead", action))
            case Unknown(detail):
                return Settlement(action.id, claim, ActionState.AMBIGUOUS, detail, alert=_cause("ambiguous", action))
            case NotYet(detail, wait_ms):
                return Settlement(action.id, claim, ActionState.WAITING, detail, now + wait_ms, is_attempt=False)
            case _:
                assert_never(result)

    def renew(self) -> None:
        """Prolong the claims that we have held for a while, so that nobody else starts what a slow call is doing."""
        now = self.now()
        with self._lock:
            # The difference either way: a clock that was put back must not let our claims run out.
            aging = [key for key, since in self._claims.items() if abs(now - since) >= RENEWED_AFTER_MS]
        if not aging:
            return
        self.outbox.renew(aging, until=now + LEASE_MS)
        with self._lock:
            self._claims.update({key: now for key in aging if key in self._claims})

    def _put_back(self, stopped: Sequence[Held], now: int) -> None:
        """Give back what was not begun; where `begin` may be under way, settle it: that takes the claim it needs."""
        once = [held for held in stopped if self.handlers[held.action.kind].repeat is Repeat.AT_MOST_ONCE]
        if once:
            waiting = ActionState.WAITING
            self.outbox.settle([Settlement(*held.key, waiting, _STOPPED, next_at=now) for held in once], now=now)
        if len(once) < len(stopped):
            self.outbox.release([held.key for held in stopped if held not in once], now=now)

    def _forget(self, keys: Collection[_Key]) -> None:
        with self._lock:
            for key in keys:
                self._claims.pop(key, None)
            self._begun.difference_update(action_id for action_id, _ in keys)


def _order_of(action: Action) -> _Key:
    return action.supplier, action.subject


def _cause(word: str, action: Action) -> str | None:
    """Return the cause of an alert; None for an alert itself, as one about it would go the same lame way.

    It names the action: of a supplier's `top_up` there will be others, each worth an alert of its own.
    """
    return None if action.kind is ActionKind.ALERT else f"{word}:{action.kind.value}:{action.id}"


def _outcome(action: Action, settlement: Settlement, now: int) -> ActionOutcome:
    match settlement.state:
        case ActionState.DONE:
            return Delivered(action, now, settlement.detail)
        case ActionState.DEAD:
            return Dead(action, now, settlement.detail)
        case ActionState.AMBIGUOUS:
            return Ambiguous(action, now, settlement.detail)
        case _ if not settlement.is_attempt:
            return Deferred(action, now, settlement.detail)
        case _:  # the only other state that `settlement` makes is `waiting`
            return Postponed(action, now, settlement.detail, settlement.next_at or now, settlement.alert is not None)


def _lost(action: Action, now: int) -> LostClaim:
    return LostClaim(action, now, "The claim had ended: another worker has the action, or it was held or cancelled.")
