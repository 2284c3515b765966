"""Doing what an order causes: a call to the shop, a command, a line in the log."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from webhookctl.core.orders import Action, Order
from webhookctl.core.redaction import Code
from webhookctl.core.retries import RetryPolicy


class Repeat(StrEnum):
    """May an attempt whose end is not known be made again?"""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one action."""

    action: Action
    document: bytes = field(repr=False)
    """The JSON document for the shop; holds codes in clear where the action is a delivery."""
    order: Order | None = field(default=None, repr=False)
    """None: it belongs to no order that is known."""

    @property
    def codes(self) -> set[Code]:
        """The order's codes and pins, in the document or not: none may be kept of what the other side says."""
        items = self.order.items if self.order else ()
        return {code for item in items for code in (item.code, item.pin) if code}


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The effect has taken place."""

    detail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There was no effect that counts: try again."""

    detail: str
    retry_after_ms: int | None = None
    """What the other side asked for."""
    alert: bool = False
    """A person should look at it now, though it is tried on."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """There was no effect, and trying again is pointless."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The attempt began, and whether it took effect is not known."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """No attempt was made: it is not counted, and due again after `wait_ms`."""

    detail: str
    wait_ms: int


Result: TypeAlias = Succeeded | Failed | GivenUp | Unknown | NotYet


def unsure(repeat: Repeat, detail: str) -> Failed | Unknown:
    """Return how an attempt ended of which nobody knows whether it took effect."""
    return Failed(detail) if repeat is Repeat.AT_LEAST_ONCE else Unknown(detail)


class Handler(Protocol):
    """Carries out actions of one kind."""

    @property
    def repeat(self) -> Repeat:
        """Whether an attempt that may have taken effect is repeated."""

    @property
    def retries(self) -> RetryPolicy:
        """When a failure is tried again, and when given up."""

    @property
    def ready(self) -> bool:
        """Whether attempts make sense just now; while they don't, none of its actions is taken."""

    async def handle(self, task: Task) -> Result:
        """Make the attempt; never raises for what the other side does."""
