"""How the shop stands, in a line for Nagios and whoever speaks its language.

Form, levels and ranges are those of the Monitoring Plugins Development Guidelines
(monitoring-plugins.org/doc/guidelines.html): a range `10` is broken by more than ten, `10:` by less.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from webhookctl.core.orders import ActionKind, ActionState
from webhookctl.core.ports.reports import Pressing, Summary
from webhookctl.core.redaction import printable

_MINUTE_S: Final = 60
_MIB: Final = 1024**2
_NEAR: Final = 4
"""So many times the floor below which `serve` answers 503 are worth a warning."""


class Level(IntEnum):
    """What a plugin ends with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """What is judged."""

    summary: Summary
    pressing: Pressing
    handled: frozenset[ActionKind]
    failing: tuple[str, ...]
    """Suppliers whose API could not be asked the last time."""
    last_beat: int | None
    room: tuple[int, int] | None
    """Bytes that are left, and the floor."""
    now: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, the words for it, and above which it is a trouble; None: never."""

    label: str
    words: str
    value: Callable[[Standing], int | None]
    """None: there is nothing to measure."""
    warning: int | None = None
    critical: int | None = None
    unit: str = ""


def _in_state(state: ActionState) -> Callable[[Standing], int]:
    return lambda found: sum(count for (_, name), count in found.summary.actions.items() if name == state)


def _unhandled(found: Standing) -> int:
    waiting = {kind: count for (kind, state), count in found.summary.actions.items() if state == ActionState.WAITING}
    return sum(count for kind, count in waiting.items() if ActionKind(kind) not in found.handled)


def _age(found: Standing, moment: int | None) -> int | None:
    return None if moment is None else max(found.now - moment, 0) // 1000


# Critical is what a person must decide, and what is not there that should be. What nobody can end by a command (an
# event that can't be read stays) is a warning, or a monitor would be red for ever.
MEASURES: Final = (
    Measure("orders_held", "orders held", lambda found: found.summary.held_orders, critical=0),
    Measure("actions_held", "actions held", _in_state(ActionState.HELD), critical=0),
    Measure("actions_ambiguous", "actions ambiguous", _in_state(ActionState.AMBIGUOUS), critical=0),
    Measure("actions_dead", "actions dead", _in_state(ActionState.DEAD), critical=0),
    Measure(
        "beat_age", "last sign of life of serve or work", lambda found: _age(found, found.last_beat), None, 120, "s"
    ),
    Measure(
        "queue_age",
        "oldest event not yet applied",
        lambda found: _age(found, found.summary.oldest_queued_at) or 0,
        _MINUTE_S,
        15 * _MINUTE_S,
        "s",
    ),
    Measure("orders_overdue", "orders overdue", lambda found: found.summary.overdue_orders, 0),
    Measure("undelivered", "deliveries late", lambda found: found.pressing.undelivered, 0),
    Measure("without_handler", "actions without a handler", _unhandled, 0),
    Measure("alerts_unsent", "alerts not sent", lambda found: found.summary.untold_alerts, 0),
    Measure("events_dead", "events that can't be read", lambda found: found.summary.events.get("dead", 0), 0),
    Measure("rejected_hour", "deliveries rejected within an hour", lambda found: found.pressing.rejected, 100),
    Measure("apis_failing", "suppliers that can't be asked", lambda found: len(found.failing), 0),
)
_LEVELS: Final = (Level.CRITICAL, Level.WARNING)


def needs_a_decision(summary: Summary) -> bool:
    """Say whether something waits until a person decides: held, ambiguous or given up."""
    states = {ActionState.HELD.value, ActionState.AMBIGUOUS.value, ActionState.DEAD.value}
    return summary.held_orders > 0 or any(count and state in states for (_, state), count in summary.actions.items())


def line(found: Standing) -> tuple[Level, str]:
    """Return the level, and the line: what is wrong, the worst first, then every number."""
    told = [*_troubles(found), *_of_room(found)]
    level = max((one for one, _ in told), default=Level.OK)
    said = ", ".join(words for one in _LEVELS for its, words in told if its is one) or _all_well(found.summary)
    data = [*filter(None, (_datum(one, found) for one in MEASURES)), *_datum_of_room(found)]
    return level, status_line(level, said, data)


def status_line(level: Level, said: str, data: Sequence[str] = ()) -> str:
    """Write the line; a bar in what is said would begin the numbers."""
    words = " ".join(printable(said).replace("|", "/").split())
    return f"WEBHOOKCTL {level.name} - {words}" + (f" | {' '.join(data)}" if data else "")


def _troubles(found: Standing) -> Iterator[tuple[Level, str]]:
    for one in MEASURES:
        value = one.value(found)
        if value is None:
            continue
        if one.critical is not None and value > one.critical:
            yield Level.CRITICAL, f"{one.words}: {value}{one.unit}"
        elif one.warning is not None and value > one.warning:
            yield Level.WARNING, f"{one.words}: {value}{one.unit}"


def _of_room(found: Standing) -> Iterator[tuple[Level, str]]:
    if found.room is None:
        return
    free, floor = found.room
    if free < floor:
        yield Level.CRITICAL, f"{free // _MIB} MiB left on the disk: serve answers 503"
    elif free < _NEAR * floor:
        yield Level.WARNING, f"{free // _MIB} MiB left on the disk"


def _all_well(summary: Summary) -> str:
    pending = summary.orders.get("pending", 0) + summary.orders.get("partial", 0)
    return f"{sum(summary.orders.values())} orders, {pending} of them open, nothing waits for a person"


def _datum(one: Measure, found: Standing) -> str:
    value = one.value(found)
    if value is None:
        return ""
    bounds = ";".join("" if bound is None else str(bound) for bound in (one.warning, one.critical))
    return f"{one.label}={value}{one.unit};{bounds};0"


def _datum_of_room(found: Standing) -> Iterator[str]:
    if found.room is not None:
        free, floor = found.room
        yield f"disk_free={free}B;{_NEAR * floor}:;{floor}:;0"
