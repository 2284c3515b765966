"""Values of the command line that are made without typer's own machinery: the same values, and the same refusals."""

from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer import core

from tests.cli.test_completing import parameters
from webhookctl.cli import app, values
from webhookctl.core.orders import OrderStatus

ARGUMENTS = st.binary(max_size=12).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
NUMBERS = st.integers(-3, 200_000).map(str) | st.from_regex(r"[+-]?0{0,3}[0-9_]{0,12}(\.0)?", fullmatch=True)
COMMAND = typer.main.get_command(app)


def kinds() -> dict[str, Any]:
    """Return a parameter of each kind that any command has."""
    found = dict[tuple[object, ...], tuple[str, Any]]()
    for command, one in parameters(COMMAND):
        about = one.type_descriptor.parameter_info
        bounds = (about.min, about.max, about.exists, about.file_okay, about.dir_okay, about.parser)
        kind = (one.type_descriptor.annotation, one.nargs, one.multiple, one.required, repr(one.default), bounds)
        if one.callback is None:
            found.setdefault(kind, (f"{command} {one.opts[0]}", one))
    return dict(found.values())


ALL = kinds()


def outcome(make: Any, parameter: Any, written: object) -> object:  # noqa: ANN401 - typer hides click's own class
    """Return what `written` becomes, with its type, or the words in which it is refused."""
    context = typer.Context(COMMAND)
    try:
        made = make(parameter, context, written)
    except Exception as refused:  # noqa: BLE001 - whatever typer raises
        return type(refused), str(refused)
    return type(made), made


@pytest.mark.parametrize("parameter", ALL.values(), ids=ALL.keys())
def test_a_value_is_as_typer_makes_it(parameter: core.TyperOption | core.TyperArgument, tmp_path: Path) -> None:
    """For each kind of option: what was left out, its default, words, numbers at the bounds, files."""
    unreadable = tmp_path / "away"
    unreadable.symlink_to(tmp_path / "nowhere")
    words = [
        "",
        "ORD-1",
        "a b",
        "50",
        "0",
        "1",
        "007",
        "100000",
        "100001",
        "-1",
        "1.0",
        "\u0661",
        "ü",
        "\udcff",
        "pending",
    ]
    written = [None, parameter.default, *words, ".", "a//b/../c", str(tmp_path), str(unreadable)]
    if parameter.nargs != 1 or parameter.multiple:
        written = [[one] for one in words]

    found = [outcome(values.value_of, parameter, one) for one in written]

    assert [outcome(values.by_typer, parameter, one) for one in written] == found


@given(ARGUMENTS | NUMBERS, st.sampled_from([one for one in ALL.values() if one.nargs == 1 and not one.multiple]))
def test_whatever_is_written(written: str, parameter: core.TyperOption | core.TyperArgument) -> None:
    """Bytes that are no text, numbers in forms that only some read: typer has the last word."""
    assert outcome(values.by_typer, parameter, written) == outcome(values.value_of, parameter, written)


def test_a_choice_that_is_a_default_stays_itself() -> None:
    """It is one of the choices already."""
    (status,) = [one for command, one in parameters(COMMAND) if (command, one.opts[0]) == ("orders list", "--status")]

    assert outcome(values.value_of, status, OrderStatus.PENDING) == (OrderStatus, OrderStatus.PENDING)
    assert outcome(values.value_of, status, "pending") == (OrderStatus, OrderStatus.PENDING)
