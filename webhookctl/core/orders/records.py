"""Orders and what they cause, as values."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from webhookctl.core.deliveries import Via
from webhookctl.core.events import Item


class OrderStatus(StrEnum):
    """The ladder, lowest rung first."""

    PENDING = "pending"
    PARTIAL = "partial"
    FAILED = "failed"
    FULFILLED = "fulfilled"
    REFUNDED = "refunded"


OPEN: Final = frozenset({OrderStatus.PENDING, OrderStatus.PARTIAL})
"""Statuses of an order that has not come to an end."""


class ActionKind(StrEnum):
    """What an order can cause."""

    DELIVER = "deliver"
    REFUND = "refund"
    NOTIFY = "notify"
    TOP_UP = "top_up"
    ALERT = "alert"


class ActionState(StrEnum):
    """How far an action has come."""

    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    AMBIGUOUS = "ambiguous"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Paid:
    """What the customer paid; an amount of zero means: not paid."""

    amount: str
    """A decimal number as text: money is never a float."""
    currency: str

    @property
    def is_something(self) -> bool:
        return Decimal(self.amount) != 0


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the shop at one supplier."""

    supplier: str
    reference: str
    status: OrderStatus
    created_at: int
    """When we first heard of it, by our clock; ages and the SLA count from here."""
    updated_at: int
    version: int = 0
    """0 is an order that is not in the store yet; each save adds one."""
    order_id: str | None = None
    due_at: int | None = None
    fulfilled_at: int | None = None
    ask_at: int | None = None
    """When the supplier is to be asked about it; None: at the usual intervals."""
    learned_by: Via = Via.WEBHOOK
    """What told us its present status."""
    held: str | None = None
    """Why a person must look before the order can go on."""
    released: str | None = None
    """The reason for holding it that a person has let pass: it does not hold the order again."""
    paid: Paid | None = None
    """None: not known."""
    items: tuple[Item, ...] = ()
    pruned_at: int | None = None
    """When its codes, events and actions were pruned; from then on nothing moves it."""
    remains: str | None = None
    """What was done about a pruned order, in words."""

    @property
    def key(self) -> tuple[str, str]:
        return self.supplier, self.reference


@dataclass(frozen=True, slots=True)
class NewAction:
    """Something to be done; `supplier`, `subject`, `kind` and `cause` together exist once."""

    supplier: str
    subject: str
    """The order's reference; empty where it is the supplier itself (`balance.low`)."""
    kind: ActionKind
    cause: str
    state: ActionState = ActionState.WAITING
    detail: str = ""
    """A sentence for people, without any code."""
    cooldown_ms: int = 0
    """Not added when one is younger than this that has the same subject, kind, and cause up to its colon."""
    about: ActionKind | None = None
    """Its detail is to end with how far the order's action of this kind has come, as it is when this is written."""
    generation: int = 1
    """Above 1 where a person has it done once more, under an id of its own."""


@dataclass(frozen=True, slots=True)
class Restraint:
    """Keeps what has not taken effect (waiting, held or dead) from going on: held for a person, or cancelled."""

    kind: ActionKind
    state: ActionState
    detail: str


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the store holds it."""

    id: str
    """A UUIDv7; the `webhook-id` of every attempt."""
    supplier: str
    subject: str
    kind: ActionKind
    cause: str
    generation: int
    state: ActionState
    detail: str
    created_at: int
    attempts: int
    next_at: int | None
    """When it is due, while it waits."""
    started_at: int | None
    error: str | None
    """How the last attempt ended, unless it succeeded."""
    finished_at: int | None = None
    tried_since: int | None = None
    """When the first attempt was made: it is given up so long after that, however long it had waited for a handler."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an action, as it ended."""

    action_id: str
    number: int
    ended_at: int
    state: ActionState
    detail: str


@dataclass(frozen=True, slots=True)
class Intervention:
    """What a person did, in the operator's own words."""

    at: int
    who: str
    what: str
    """`held`, `released`…"""
    reason: str
    action_id: str | None = None
    """The action that it was done to; None: the order."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one event, or one person, does to one order, to be written in one transaction."""

    order: Order | None
    """The order as it is to be, at the version that was read; None where no order is concerned or it stays as it is."""
    actions: tuple[NewAction, ...] = ()
    restraints: tuple[Restraint, ...] = ()
    note: str | None = None
    """Why nothing moved, where a person would wonder."""
    releases: tuple[ActionKind, ...] = ()
    """What was held of these kinds is due now."""
    intervention: Intervention | None = None
    """What a person did; None where it was none."""
    keeps_items: bool = False
    """The order's items are those that were read: they need not be written."""

    @property
    def needs_a_person(self) -> bool:
        """True where the order, or something that it asks for, is held from now on."""
        holds = any(action.state is ActionState.HELD for action in self.actions)
        return holds or any(restraint.state is ActionState.HELD for restraint in self.restraints)
