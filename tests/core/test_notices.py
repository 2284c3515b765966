"""What notices say: grouped, worded by the operator, without any code."""

from dataclasses import replace

import pytest

from webhookctl.core.errors import SettingsError
from webhookctl.core.events import Item
from webhookctl.core.notices import FIELDS, Wording, template
from webhookctl.core.orders import Action, ActionKind, ActionState, Order, OrderStatus
from webhookctl.core.ports.handler import Task
from webhookctl.core.redaction import Code

CODE = "ABCD-EFGH-1234-5678"
START = 1_790_000_000_000


def task(number: int = 1, cause: str = "dead", detail: str = "It is dead.", supplier: str = "acme") -> Task:
    action = Action(
        f"0199aa00-0000-7000-8000-{number:012}",
        supplier,
        f"ORD-{number}",
        ActionKind.ALERT,
        f"{cause}:0199aa00-0000-7000-8000-{number:012}",
        1,
        ActionState.RUNNING,
        detail,
        START + number,
        1,
        None,
        None,
        None,
    )
    status, items = OrderStatus.FULFILLED, (Item("GC", Code(CODE)),)
    return Task(action, b"", Order(supplier, f"ORD-{number}", status, START, START, order_id="A-1", items=items))


def test_one_alert() -> None:
    """A single one is told with its order, cause and sentence."""
    assert Wording().of([task()]) == ("webhookctl: 1 alert (acme)", "dead, acme, ORD-1 (1): It is dead.")


def test_what_has_one_cause_is_one_line() -> None:
    """Two hundred failures of a kind are one line with the first ten references; another kind is another line."""
    title, text = Wording().of([task(number) for number in range(1, 201)] + [task(7, "sla", "Late.", "other")])

    first, second = text.splitlines()
    references = ", ".join(f"ORD-{number}" for number in range(1, 11))
    assert title == "webhookctl: 201 alerts (acme, other)"
    assert first == f"dead, acme, {references} and 190 more (200): It is dead."
    assert second == "sla, other, ORD-7 (1): Late."


def test_many_kinds_are_cut() -> None:
    """Of very many kinds the first twenty are told, and how many more there are."""
    _, text = Wording().of([task(number, f"cause{number}") for number in range(1, 31)])

    assert len(text.splitlines()) == 21
    assert text.endswith("… and 10 more: `webhookctl actions list` shows them.")


def test_the_operators_own_words() -> None:
    """Every field can be used, and a $ is written $$."""
    all_fields = " | ".join(f"${name}" for name in FIELDS)
    wording = Wording(template("$$ $what"), template(f"{all_fields}\n${{kind}}s"))

    title, text = wording.of([task()])

    assert title == "$ 1 alert"
    assert text == (
        "1 alert | 1 | alert | acme | ORD-1 | A-1 | fulfilled | dead | It is dead. | 2026-09-21T14:13:20Z\nalerts"
    )


def test_no_code_is_in_a_notice() -> None:
    """Not even where a sentence holds one, however it is spelled, or what is called like one."""
    said = [f"got {CODE}", f"got {CODE.replace('-', '').lower()}", '{"pin": "9917"}']
    _, text = Wording().of([task(number, f"c{number}", detail) for number, detail in enumerate(said, 1)])

    assert text.splitlines() == [
        "c1, acme, ORD-1 (1): got •••••",
        "c2, acme, ORD-2 (1): got •••••",
        'c3, acme, ORD-3 (1): {"pin": "•••••"}',
    ]


def test_what_a_supplier_writes_can_not_act() -> None:
    """A reference of control characters is shown escaped, on the line where it belongs."""
    found = task()
    odd = replace(found, action=replace(found.action, subject="X\u202e\n\x1b[2J"))

    _, text = Wording().of([odd])

    assert text == "dead, acme, X\\u202e\n\\x1b[2J (1): It is dead."


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("$referense", r"has a field \$referense, which there is not; did you mean \$reference\?"),
        ("$zzz", r"there are \$what, \$count"),
        ("100 $", r"has a \$ that begins no field's name: write \$\$"),
        ("", "must be a text in quotes"),
        (7, "must be a text in quotes"),
    ],
)
def test_a_wrong_template_is_refused_in_words(written: object, words: str) -> None:
    """When the settings are read, not when the first alert is due."""
    with pytest.raises(SettingsError, match=words):
        template(written)
