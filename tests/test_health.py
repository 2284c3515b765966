"""What a monitor is told: a level, a line, and numbers that it can plot."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from webhookctl.core.orders import ActionKind
from webhookctl.core.ports.reports import Pressing, Summary
from webhookctl.flows.health import Level, Standing, line, needs_a_decision, status_line

NOW = 1_790_000_000_000
EMPTY = Summary({"pending": 2, "fulfilled": 7}, {}, {}, 0, 0, 0, 0, None, None, "wal")
WELL = Standing(EMPTY, Pressing(0, 0), frozenset({ActionKind.DELIVER}), (), NOW - 5_000, (10**12, 64 << 20), NOW)
# Of the guidelines: 'label'=value[UOM];[warn];[crit];[min];[max], a range being 10, 10:, :10 or 5:10.
DATUM = re.compile(r"[a-z_]+=[0-9]+(s|B)?;[0-9]*:?;[0-9]*:?;0")


def summary(**changes: object) -> Standing:
    return replace(WELL, summary=replace(EMPTY, **changes))  # type: ignore[arg-type] # what each test names


def actions(**states: int) -> Standing:
    return summary(actions={("deliver", state): count for state, count in states.items()})


def test_all_is_well() -> None:
    """One line, by which a person sees that there is life, and numbers in the form of the guidelines."""
    level, said = line(WELL)

    words, _, data = said.partition(" | ")
    assert (level, int(level)) == (Level.OK, 0)
    assert words == "WEBHOOKCTL OK - 9 orders, 2 of them open, nothing waits for a person"
    assert len(data.split()) == 14
    assert all(map(DATUM.fullmatch, data.split())), data


@pytest.mark.parametrize(
    ("standing", "level", "words"),
    [
        (summary(held_orders=2), Level.CRITICAL, "orders held: 2"),
        (actions(held=1), Level.CRITICAL, "actions held: 1"),
        (actions(ambiguous=3), Level.CRITICAL, "actions ambiguous: 3"),
        (actions(dead=1), Level.CRITICAL, "actions dead: 1"),
        (actions(done=9, waiting=4), Level.OK, ""),
        (replace(WELL, last_beat=NOW - 121_000), Level.CRITICAL, "last sign of life of serve or work: 121s"),
        (replace(WELL, last_beat=NOW - 119_000), Level.OK, ""),
        (replace(WELL, last_beat=None), Level.OK, ""),
        (replace(WELL, last_beat=NOW + 90_000_000), Level.OK, ""),
        (summary(oldest_queued_at=NOW - 61_000), Level.WARNING, "oldest event not yet applied: 61s"),
        (summary(oldest_queued_at=NOW - 901_000), Level.CRITICAL, "oldest event not yet applied: 901s"),
        (summary(overdue_orders=1), Level.WARNING, "orders overdue: 1"),
        (summary(untold_alerts=1), Level.WARNING, "alerts not sent: 1"),
        (summary(events={"dead": 1, "done": 9}), Level.WARNING, "events that can't be read: 1"),
        (summary(actions={("refund", "waiting"): 2}), Level.WARNING, "actions without a handler: 2"),
        (replace(WELL, pressing=Pressing(1, 0)), Level.WARNING, "deliveries late: 1"),
        (replace(WELL, pressing=Pressing(0, 100)), Level.OK, ""),
        (replace(WELL, pressing=Pressing(0, 101)), Level.WARNING, "deliveries rejected within an hour: 101"),
        (replace(WELL, failing=("acme",)), Level.WARNING, "suppliers that can't be asked: 1"),
        (replace(WELL, room=(63 << 20, 64 << 20)), Level.CRITICAL, "serve answers 503"),
        (replace(WELL, room=(200 << 20, 64 << 20)), Level.WARNING, "200 MiB left"),
        (replace(WELL, room=None), Level.OK, ""),
    ],
)
def test_what_is_a_trouble(standing: Standing, level: Level, words: str) -> None:
    """Critical is what a person must decide, and what is not there that should be; the rest is a warning."""
    found, said = line(standing)

    assert (found, words in said) == (level, True), said
    assert said.startswith(f"WEBHOOKCTL {level.name} - ")


def test_the_worst_is_told_first() -> None:
    """And the level is that of the worst."""
    level, said = line(replace(summary(overdue_orders=4), room=(0, 64 << 20)))

    assert level is Level.CRITICAL
    assert said.index("MiB left") < said.index("overdue")


def test_a_line_stays_one() -> None:
    """A bar would begin the numbers, a line's end the long text, and nothing may act on a terminal."""
    said = status_line(Level.UNKNOWN, "a | b\nc \x1b[31m")

    assert said.count("|") == 0
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("actions", "held", "wanted"),
    [
        ({}, 0, False),
        ({("deliver", "waiting"): 1, ("deliver", "done"): 5, ("deliver", "cancelled"): 1}, 0, False),
        ({("deliver", "held"): 1}, 0, True),
        ({("refund", "ambiguous"): 1}, 0, True),
        ({("alert", "dead"): 1}, 0, True),
        ({}, 1, True),
    ],
)
def test_what_a_person_must_decide(actions: Mapping[tuple[str, str], int], held: int, *, wanted: bool) -> None:
    """What is held, ambiguous or given up waits for ever unless somebody does something."""
    assert needs_a_decision(replace(EMPTY, actions=actions, held_orders=held)) is wanted
