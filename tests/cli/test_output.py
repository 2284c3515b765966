"""Tables for people: whole words, however narrow the terminal is."""

import re
import sys
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from webhookctl.cli import output

COLUMNS = ("ID", "Received", "Supplier", "Type", "Reference", "State", "Via", "Reason")
REASON = "the status 'shipped' at /data/status is not known, so that nothing moves"
ROWS = [
    (str(number), "2026-11-25 01:20:33+00:00", "kinguin-eu", "order.fulfilled", f"ORD-2026-000{number}", *rest)
    for number, rest in ((1, ("done", "webhook", "-")), (2, ("ignored", "webhook", REASON)))
]


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    output.table(COLUMNS, ROWS)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


@pytest.mark.parametrize("width", [36, 40, 60, 80, 100, 132, 200])
def test_no_word_is_broken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A reference can be copied from the screen, and no line is longer than the terminal."""
    text = shown(capsys, monkeypatch, width)

    assert {"ORD-2026-0001", "ORD-2026-0002", "order.fulfilled", "kinguin-eu", "/data/status"} <= set(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_a_block_for_each_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table does not fit, each row is a block of names and values, and long values go on below."""
    text = shown(capsys, monkeypatch, 40)

    first, second = text.split("\n\n")
    assert first.splitlines() == [
        "ID         1",
        "Received   2026-11-25 01:20:33+00:00",
        "Supplier   kinguin-eu",
        "Type       order.fulfilled",
        "Reference  ORD-2026-0001",
        "State      done",
        "Via        webhook",
        "Reason     -",
    ]
    assert second.splitlines()[7:9] == [
        "Reason     the status 'shipped' at",
        "           /data/status is not known, so",
    ]


def test_a_table_where_there_is_room(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One heading, one rule, and a line for each row."""
    lines = shown(capsys, monkeypatch, 220).strip().splitlines()

    assert lines[0].split() == list(COLUMNS)
    assert len(lines) == 4


def test_a_heading_of_two_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands above the rule as a whole, and the widest column gives way first."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "24")

    output.table(("Table", "About bytes"), [("one two three", "17"), ("漢 four", "1")])

    assert re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines() == [
        "",
        " Table        About",
        "              bytes",
        f" {'─' * 23}",
        " one two      17",
        " three",
        " 漢 four      1",
    ]


def test_a_list_of_many_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes little more memory than its text: a hundred thousand rows may be asked for."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "130")
    rows = [(str(number), *ROWS[1][1:]) for number in range(5_000)]
    tracemalloc.start()

    output.table(COLUMNS, rows)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert capsys.readouterr().out.count("order.fulfilled") == 5_000
    assert most < 15_000_000


def test_a_wide_alphabet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that take two cells are counted as two."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")

    wide = "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 10

    output.table(("A", "B"), [(wide, "x" * 10)])

    assert capsys.readouterr().out.splitlines() == [f"A  {wide}", f"B  {'x' * 10}"]


def test_a_paragraph(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in a pipe; on a terminal cut at blanks, what follows from it on lines of its own."""
    output.paragraph("must fix: the key is gone", "Restore it.")
    piped = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    output.paragraph("must fix: the key is gone", "Restore it.")

    assert piped == "must fix: the key is gone Restore it.\n"
    assert capsys.readouterr().out.splitlines() == ["must fix: the key is", "    gone", "    Restore it."]


def test_a_word_longer_than_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is written in one piece, so that it can be copied as one."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "24")

    output.table(("ID", "Empty"), [("01a2104b-896a-724e-a060-8c67fff78148", "")])

    assert capsys.readouterr().out.splitlines() == ["ID     01a2104b-896a-724e-a060-8c67fff78148", "Empty"]


def test_a_row_as_it_comes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes on below where the terminal is too narrow, and whoever reads or copies a reference gets it in one piece."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")

    output.row(("2026-11-25 03:56:17", "17", "ORD-2026-0001", "no JSON: it ends too early"), (20, 6, 9))

    assert capsys.readouterr().out.splitlines() == [
        "2026-11-25 03:56:17   17",
        "    ORD-2026-0001  no JSON: it ends too",
        "    early",
    ]


def test_names_and_values(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal a long value goes on below itself, in a pipe it stays one line."""
    pairs = [("store", "shop.db"), ("acme", "of 20 orders 3 were found by asking")]
    output.fields(pairs)
    piped = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    output.fields(pairs)

    assert piped == "store  shop.db\nacme   of 20 orders 3 were found by asking\n"
    assert capsys.readouterr().out == "store  shop.db\nacme   of 20 orders 3 were\n       found by asking\n"


@pytest.mark.parametrize("moment", [None, ""])
def test_a_time_that_no_calendar_has(moment: str | None) -> None:
    """A dash, so that one odd row does not hide the whole list."""
    assert output.when(moment) == "-"


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("zone", "moment", "shown"),
    [
        ("XST5", "0001-01-01T00:00:00+00:00", "0001-01-01 00:00:00+00:00"),
        ("XST-9", "9999-12-31T23:59:59+00:00", "9999-12-31 23:59:59+00:00"),
        ("XST-9", "2026-11-25T01:20:33+00:00", "2026-11-25 10:20:33+09:00"),
    ],
    indirect=["zone"],
)
def test_a_time_that_the_local_calendar_lacks_is_shown_as_it_came(moment: str, shown: str) -> None:
    """Some suppliers say the first second of year 1 where they have no time."""
    assert output.when(moment) == shown
