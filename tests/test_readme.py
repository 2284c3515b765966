"""The README's tables say what the program does."""

import re
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

from webhookctl.config.api_settings import ApiSettings
from webhookctl.config.door_settings import DoorSettings
from webhookctl.config.settings import keys_of
from webhookctl.core.events import EventType
from webhookctl.core.orders import TABLE, Cell
from webhookctl.core.ports.replays import ReplayState
from webhookctl.core.signatures import Scheme
from webhookctl.wiring.resending import AS_RECEIVED, FRESH

README = Path(__file__).parent.parent / "README.md"


def test_the_table_of_orders_is_the_programs() -> None:
    """Each cell of the README's table is printed from `TABLE`."""
    section = README.read_text().split("<!-- table of orders", 1)[1]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    types = [EventType(f"order.{word}") for word in cells(rows[0])[1:]]

    expected = [[str(status or "(unknown)"), *(told(row[type_]) for type_ in types)] for status, row in TABLE.items()]

    assert sorted(cells(row) for row in rows[1:7]) == sorted(expected)


def rows_under(mark: str) -> list[list[str]]:
    """Return the rows of the table under a mark, without its head."""
    lines = README.read_text().split(f"<!-- {mark}", 1)[1].splitlines()[1:]
    table = list(takewhile(lambda line: line.startswith("|"), lines))
    return [cells(line) for line in table[2:]]


def test_the_table_of_scheme_keys_is_whole() -> None:
    """Every key of a scheme stands in the README's table, and no other."""
    told_keys = [key for row in rows_under("table of scheme keys") for key in re.findall("`([a-z_]+)`", row[0])]

    assert sorted(told_keys) == sorted(Scheme.KEYS)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def told(cell: Cell) -> str:
    return "; ".join(filter(None, (cell.to or "\N{EN DASH}", ", ".join(cell.duties))))


def test_the_commands_of_tests_are_there() -> None:
    """Each `python -m tests.…` of the README is a module that can be run."""
    named = set(re.findall(r"python -m (tests\.[a-z._]+)", README.read_text("utf-8")))

    assert {"tests.benchmarks.ingest", "tests.chaos.kill"} <= named
    assert [name for name in named if find_spec(name) is None] == []


def test_the_table_of_the_api_is_the_programs() -> None:
    """Each key of `[suppliers.NAME.api]` stands in the README, and none that is not there."""
    section = README.read_text().split("<!-- table of api", 1)[1].split("\n\n", 1)[0]
    rows = [cells(line)[0].strip("`") for line in section.splitlines() if line.startswith("| `")]

    assert sorted(rows) == sorted(keys_of(ApiSettings))


def test_the_first_two_blocks_are_one_command_each() -> None:
    """A fresh machine needs two lines: one runs the main job, one passes the tests."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)[:2]

    assert [len(block.splitlines()) for block in blocks] == [1, 1]
    assert "webhookctl serve" in blocks[0]
    assert "pytest" in blocks[1]


def test_the_table_of_doors_is_the_programs() -> None:
    """Every key that says how a supplier comes in is explained, and no other."""
    section = README.read_text().split("<!-- table of doors", 1)[1].split("\n\n", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert {key for row in rows for key in re.findall(r"`(\w+)`", cells(row)[0])} == set(DoorSettings.model_fields)


def test_the_tables_of_sending_elsewhere_are_the_programs() -> None:
    """The ways to sign that have a name, and each verdict that a line can show."""
    ways = {key for row in rows_under("table of signing") for key in re.findall("`([a-z-]+)`", row[0])}
    section = README.read_text().split("| verdict | means", 1)[1].split("\n\n", 1)[0]
    verdicts = {cells(line)[0].strip("`") for line in section.splitlines() if line.startswith("| `")}

    assert ways == {AS_RECEIVED, FRESH}
    assert verdicts == set(ReplayState) - {ReplayState.WAITING, ReplayState.SENDING}
