"""Making orders known that the shop has placed, one or two hundred thousand."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from webhookctl.core.errors import StoreBusyError, UsageError
from webhookctl.core.orders import REFERENCE_USED, Move, Order, Policy, Registered, Registration, register
from webhookctl.core.ports.orders import Orders
from webhookctl.flows.order_files import Line

_TRIES: Final = 10
_AT_ONCE: Final = 500
"""Orders of one transaction: intake waits for its end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one registration."""

    state: Registered
    order: Order
    """As it is now."""


@dataclass(slots=True)
class Register:
    """Registers orders; the same ones again change nothing."""

    orders: Orders
    policies: Mapping[str, Policy]
    dry_run: bool = False
    """Say what would become of them, and write nothing."""
    _imagined: dict[tuple[str, str], Order] = field(default_factory=dict, init=False)

    def run(self, registrations: Sequence[Registration], *, now: int) -> list[Outcome]:
        """Register all in one transaction; raises `UsageError` for a supplier that is not in the settings."""
        for one in registrations:
            if one.supplier not in self.policies:
                known = ", ".join(self.policies) or "none"
                raise UsageError(f"There is no supplier {one.supplier!r} in the settings; there are: {known}.")
        outcomes: dict[int, Outcome] = {}
        left = dict(enumerate(registrations))
        for _ in range(_TRIES):
            outcomes |= self._try(left, now)
            left = {place: one for place, one in left.items() if place not in outcomes}
            if not left:
                return [outcomes[place] for place in range(len(registrations))]
        raise StoreBusyError("The orders keep moving: try again.")

    def _try(self, left: Mapping[int, Registration], now: int) -> dict[int, Outcome]:
        keys = {(one.supplier, one.reference) for one in left.values()}
        known = dict(self.orders.get(keys)) | {key: self._imagined[key] for key in keys & self._imagined.keys()}
        known_at = dict(self.orders.suppliers_of({reference for _, reference in keys}))
        moves, outcomes = dict[int, Move](), dict[int, Outcome]()
        for place, one in left.items():
            key = (one.supplier, one.reference)
            before = known.get(key)
            elsewhere = known_at.get(one.reference, ())
            state, move = register(before, one, self.policies[one.supplier], known_at=elsewhere, now=now)
            after = move.order or before
            if after is None:  # not so: what was not known has an order now
                continue
            moves[place], outcomes[place] = move, Outcome(state, after)
            known[key] = replace(after, version=after.version + 1) if move.order else after
            known_at[one.reference] = (*elsewhere, one.supplier)
        if self.dry_run:
            self._imagined.update(known)
            return outcomes
        return self._written(moves, outcomes, now)

    def _written(self, moves: Mapping[int, Move], outcomes: Mapping[int, Outcome], now: int) -> dict[int, Outcome]:
        changing = {place: move for place, move in moves.items() if move.order or move.actions}
        written = dict(zip(changing, self.orders.write(list(changing.values()), now=now), strict=True))
        return {place: outcome for place, outcome in outcomes.items() if written.get(place, True)}


@dataclass(slots=True)
class Report:
    """What became of the lines of a file."""

    counts: dict[Registered, int] = field(default_factory=lambda: dict.fromkeys(Registered, 0))
    held: list[tuple[int, str, str]] = field(default_factory=list)
    """Line, reference and reason."""
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def import_lines(
    lines: Iterable[Line], register: Register, *, clock: Callable[[], int], seen: Callable[[Line], None]
) -> Report:
    """Register what can be read, some hundreds at a time, and report the rest by line; `seen` is told of each line."""
    report = Report()
    for batch in _batches(lines):
        report.refused += [(line.number, line.reference, line.said) for line in batch if isinstance(line.said, str)]
        good = [(line, line.said) for line in batch if isinstance(line.said, Registration)]
        outcomes = register.run([said for _, said in good], now=clock())
        for (line, _), outcome in zip(good, outcomes, strict=True):
            report.counts[outcome.state] += 1
            if outcome.state is Registered.HELD:
                report.held.append((line.number, line.reference, outcome.order.held or REFERENCE_USED))
        for line in batch:
            seen(line)
    return report


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    source = iter(lines)
    while batch := list(islice(source, _AT_ONCE)):
        yield batch
