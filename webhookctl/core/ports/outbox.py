"""The outbox: what must be done about orders, once each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhookctl.core.orders import Action, ActionKind, ActionState, Attempt, Intervention


@dataclass(frozen=True, slots=True)
class ClaimedAction:
    """An action that is ours until the claim ends."""

    action: Action
    """As it is after claiming: `attempts` counts this one."""
    claim: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt ended."""

    id: str
    claim: str
    state: ActionState
    """`done`, `waiting` (again at `next_at`), `dead` or `ambiguous`."""
    detail: str
    """A sentence for the operator, without any code."""
    next_at: int | None = None
    alert: str | None = None
    """The cause of an alert to raise in the same transaction, once per order and cause."""
    is_attempt: bool = True
    """False: nothing was tried. It is neither counted nor written down, and the action keeps its last error."""


@dataclass(frozen=True, slots=True)
class ActionQuery:
    """Which actions to list, newest first; None does not filter."""

    supplier: str | None = None
    kind: ActionKind | None = None
    state: ActionState | None = None
    reference: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 50


class Outbox(Protocol):
    """The actions that orders cause."""

    def claim(self, kinds: Collection[ActionKind], *, now: int, limit: int, lease_ms: int) -> list[ClaimedAction]:
        """Take up to `limit` due actions of `kinds` until `now + lease_ms`; counts the attempt.

        Whatever a worker held when it died comes back here: as due again, or as `ambiguous` where `begin` was called
        (with an alert for that), or as what restrained it meanwhile (held, cancelled).
        """

    def begin(self, action_id: str, claim: str, *, now: int) -> bool:
        """Commit that the attempt is about to have effect; False when the claim is lost: then do nothing."""

    def renew(self, claims: Collection[tuple[str, str]], *, until: int) -> None:
        """Prolong the claims (action id, claim) that are still held."""

    def release(self, claims: Collection[tuple[str, str]], *, now: int) -> None:
        """Give back what was claimed and not begun, uncounted."""

    def settle(self, settlements: Sequence[Settlement], *, now: int) -> list[bool]:
        """Write how attempts ended, in one transaction; False where the claim was lost: then nothing was written.

        A `waiting` or `dead` settlement of an action that was restrained meanwhile becomes what restrained it.
        """

    def find(self, query: ActionQuery) -> list[Action]:
        """List actions, newest first."""

    def get(self, action_id: str) -> tuple[Action, list[Attempt]] | None:
        """Return an action and its attempts, oldest first; a unique beginning of the id will do."""

    def retry(self, action_id: str, *, now: int, by: Intervention | None = None) -> ActionState | None:
        """Make a dead or waiting action due now; returns the state that it had, None if unknown.

        Its id stays, and its time to be given up begins anew. In any other state nothing is written. `by` is kept with
        the order.
        """

    def count_dead(self, query: ActionQuery, *, until: int) -> Mapping[ActionKind, int]:
        """Count, per kind, the actions of `query` that were given up before `until`; its limit does not count."""

    def retry_dead(self, query: ActionQuery, *, until: int, by: Intervention, limit: int) -> Mapping[ActionKind, int]:
        """Do as `retry` with up to `limit` actions that `count_dead` counts, in one transaction; empty: none is left.

        What is given up anew stays as it is: that comes after `until`.
        """

    def resolve(self, action_id: str, state: ActionState, *, by: Intervention, now: int) -> ActionState | None:
        """Make an ambiguous action `done`, or `waiting` and due now; returns what it is then, None if unknown.

        One that was to be tried again becomes what restrained it meanwhile (held, cancelled). In any other state
        than ambiguous nothing is written. `by` is kept with the order.
        """

    def interventions(self, action_id: str) -> list[Intervention]:
        """Return what people did about an action, oldest first."""
