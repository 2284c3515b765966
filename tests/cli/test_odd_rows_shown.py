"""A row that somebody has damaged: lists show all others, name it, and end with 5."""

import json
from dataclasses import dataclass

import pytest

from tests.cli.event_files import Place
from tests.store.building import NOW, rejection
from tests.store.damaging import mistype
from webhookctl.core.errors import ExitCode, RowError, StoreError
from webhookctl.core.quarantine import Bounds


@dataclass(frozen=True)
class Odd:
    """A row of a list, and how it is spoilt."""

    list: str
    change: str
    named: str
    others: int
    """That the list shows all the same."""

    @property
    def table(self) -> str:
        return self.change.split()[1]


ODD = (
    Odd("events", "UPDATE events SET state = 'HUSH' WHERE id = 2", "event 2 (its state)", 4),
    Odd("events", "UPDATE events SET delivery_id = x'00' WHERE id = 2", "event 2 (its delivery_id)", 4),
    Odd("events", "UPDATE events SET received_at = 'HUSH' WHERE id = 2", "event 2 (its received_at)", 4),
    Odd("events", "UPDATE events SET reference = x'07' WHERE id = 2", "event 2 (its reference)", 4),
    Odd("orders", "UPDATE orders SET status = 'HUSH' WHERE reference = 'ORD-1'", "order ORD-1 (its status)", 2),
    Odd("orders", "UPDATE orders SET updated_at = x'48' WHERE reference = 'ORD-1'", "order ORD-1 (its updated_at)", 2),
    Odd("orders", "UPDATE orders SET order_id = x'07' WHERE reference = 'ORD-1'", "order ORD-1 (its order_id)", 2),
    Odd("actions", "UPDATE actions SET kind = 'HUSH' WHERE subject = 'ORD-1'", "(its kind)", 1),
    Odd("actions", "UPDATE actions SET attempts = 'HUSH' WHERE subject = 'ORD-1'", "(its attempts)", 1),
    Odd("rejected", "UPDATE rejected SET reason = 'HUSH' WHERE id = 1", "rejected delivery 1 (its reason)", 1),
    Odd("rejected", "UPDATE rejected SET detail = x'07' WHERE id = 1", "rejected delivery 1 (its detail)", 1),
)


@pytest.fixture
def spoilt(place: Place, odd: Odd) -> Place:
    place.store.quarantine.keep([rejection(1), rejection(2)], Bounds(), now=NOW)
    mistype(place.folder / "shop.db", odd.table, odd.change)
    return place


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.change)
def test_a_list_shows_all_rows_but_the_odd_one_which_it_names(spoilt: Place, odd: Odd) -> None:
    """With what is wrong and where to look, and never with what stands there: it may be anything, even a code."""
    listed, plain = spoilt.webhookctl(odd.list, "list", "--json"), spoilt.webhookctl(odd.list, "list")

    for shown in (listed, plain):
        assert isinstance(shown.exception, StoreError)
        assert shown.exception.exit_code is ExitCode.STORE
        assert odd.named in str(shown.exception)
        assert "store check" in str(shown.exception)
        assert "HUSH" not in str(shown.exception) + shown.output
    assert len(json.loads(listed.stdout)) == odd.others
    assert len(plain.stdout.splitlines()) == 1 + odd.others


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.change)
def test_the_check_that_it_points_to_finds_it(spoilt: Place, odd: Odd) -> None:
    """Whatever is wrong with the row."""
    checked = spoilt.webhookctl("store", "check", "--deep")

    assert isinstance(checked.exception, StoreError)
    assert odd.table in checked.output


@pytest.mark.parametrize("odd", ODD[4:5], ids=["order"])
def test_who_asks_for_the_odd_row_alone_hears_what_is_wrong(spoilt: Place, odd: Odd) -> None:
    """Nothing of it can be shown."""
    asked = spoilt.webhookctl("orders", "show", "ORD-1")

    assert isinstance(asked.exception, RowError)
    assert odd.named == asked.exception.row


@pytest.mark.parametrize("odd", [ODD[0], ODD[7]], ids=["event", "action"])
def test_the_story_of_an_order_is_told_without_what_is_odd(spoilt: Place, odd: Odd) -> None:
    """The order, its codes and the rest of its story are as good as ever."""
    asked = spoilt.webhookctl("orders", "show", "ORD-1", "--json")

    assert json.loads(asked.stdout)["reference"] == "ORD-1"
    assert odd.named in str(asked.exception)


def test_many_odd_rows_are_counted(place: Place) -> None:
    """A line that names a hundred would be read by nobody."""
    for _ in range(5):
        place.store.quarantine.keep([rejection(number) for number in range(3)], Bounds(), now=NOW)
    with place.store.connection.writing() as raw:
        raw.execute("UPDATE rejected SET reason = 'HUSH'")

    shown = place.webhookctl("rejected", "list")

    assert " and 5 more. " in str(shown.exception)
