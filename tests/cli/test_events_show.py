"""`events show` and `events list` as an operator meets them: all that is known of one event."""

import json
from typing import Any

import pytest

from tests.cli.event_files import Place
from tests.store.building import NOW
from tests.test_quarantine import said
from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.ports.orders import Reveal


def page(place: Place, event_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(place.run("show", event_id, "--json").stdout)
    return shown


def test_all_of_an_event_is_told(place: Place) -> None:
    """The secret that matched, the order and how it stands, what it caused, who repeated it, and who has seen it."""
    place.shop.receive(said("fulfilled", 0))
    place.shop.apply()
    place.store.events.record_reveal(4, Reveal(NOW, "ada", "case 47"))

    first, again = page(place, "4"), page(place, "6")
    lines = place.run("show", "4").stdout

    assert (first["signature"], first["matched_secret"], first["attempts"]) == ("verified on arrival", "env:RIGHT", 1)
    assert first["order_statuses"] == [{"supplier": "acme", "reference": "ORD-0", "status": "fulfilled"}]
    assert [one["kind"] for one in first["caused"]] == ["deliver"]
    assert (first["repeated_by"], [one["who"] for one in first["reveals"]]) == ([6], ["ada"])
    assert (again["duplicate_of"], again["caused"], again["state"]) == (4, [], "duplicate")
    assert "order ORD-0 is fulfilled now" in lines
    assert "caused deliver" in lines
    assert "repeated by event 6" in lines
    assert "CODE-0" not in lines


def test_an_action_belongs_to_the_event_that_caused_it(place: Place) -> None:
    """Of two events applied together, of one order or of several, each has its own."""
    place.shop.receive(said("created", 8), said("fulfilled", 8), said("fulfilled", 9))
    place.shop.apply()

    kinds = [[one["kind"] for one in page(place, number)["caused"]] for number in ("6", "7", "8")]

    assert kinds == [[], ["deliver"], ["deliver"]]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("99", "the newest is 5, and `webhookctl events list` shows those there are."),
        ("ORD-0", "there is such an order: did you mean `webhookctl orders show ORD-0`?"),
        ("x\u202e", "the newest is 5"),
        (" #05.", "There is no event ' #05.'; did you mean 5?"),
        ("05x", "the newest is 5"),
        ("\ud800", "the newest is 5"),
    ],
)
def test_an_unknown_id_says_what_to_do(place: Place, name: str, hint: str) -> None:
    """It may be an order's reference, or an action's id."""
    failed = place.run("show", name)

    assert isinstance(failed.exception, NotFoundError)
    assert hint in str(failed.exception)


def test_a_slip_in_a_delivery_id(place: Place) -> None:
    """Whatever follows upon what is right: the one event that begins so is named."""
    delivery_id = page(place, "4")["delivery_id"]
    last = "0" if delivery_id[-1] != "0" else "1"

    wrong = (delivery_id[:-1] + last, f"{delivery_id[:24]}zzz-zzz", f"{delivery_id[:8]}zzz")
    slips = [place.run("show", one) for one in wrong]

    told = [str(one.exception) for one in slips]
    assert all(isinstance(one.exception, NotFoundError) for one in slips)
    assert [f"did you mean {delivery_id}, event 4?" in one for one in told] == [True, True, False]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "4", "--raw", "--json", "--reason", "case 47"], "leave out --json"),
        (["show", "4", "--reason", "case 47"], "--reason is for --raw"),
        (["export", "--reason", "case 47"], "--reason is for --reveal"),
        (["import", "-", "--reason", "case 47"], "--reason is for --unsigned"),
    ],
)
def test_what_would_be_passed_over_is_refused(place: Place, words: list[str], told: str) -> None:
    """What was said and has no part in what was asked: something else was meant. Nothing is shown or written down."""
    failed = place.run(*words)

    assert isinstance(failed.exception, UsageError)
    assert told in str(failed.exception)
    assert (failed.stdout, place.store.events.reveals(4)) == ("", [])


def test_an_action_is_no_event(place: Place) -> None:
    """Its id is recognised."""
    (action, *_) = page(place, "4")["caused"]

    failed = place.run("show", action["id"])

    assert f"`webhookctl actions show {action['id']}`" in str(failed.exception)


def test_the_list_by_way_and_supplier(place: Place) -> None:
    """By how it was learned; a supplier that never was is asked about."""
    found = json.loads(place.run("list", "--via", "webhook", "--limit", "2", "--json").stdout)

    assert [one["id"] for one in found] == [5, 4]
    assert json.loads(place.run("list", "--via", "import", "--json").stdout) == []
    failed = place.run("list", "--supplier", "acne")
    assert isinstance(failed.exception, UsageError)
    assert "did you mean acme?" in str(failed.exception)
