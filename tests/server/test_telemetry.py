"""Is each thing that happens one line of log, without what may not be shown?"""

import dataclasses
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from webhookctl.adapters import telemetry
from webhookctl.adapters.telemetry import configure_logging, record
from webhookctl.core import outcomes
from webhookctl.core.errors import Reason
from webhookctl.core.orders import Action, ActionKind, ActionState
from webhookctl.core.outcomes import Dead, Duplicate, EventApplied, Hindered, Postponed, Rejected, Stored

AN_ACTION = Action(
    "0190", "acme", "REF-1", ActionKind.DELIVER, "order", 0, ActionState.RUNNING, "", 0, 2, None, None, None
)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The process's log is as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    telemetry._log = None  # noqa: SLF001 - there is no other way to stop telling


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "timestamp"} for line in lines(capsys)]


def test_every_outcome_has_its_words() -> None:
    """Whoever adds an outcome to the core is told here to give it a line."""
    made = {
        each
        for each in vars(outcomes).values()
        if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__ == outcomes.__name__
    }

    assert set(telemetry._LINES) == made - {outcomes.ActionOutcome}  # noqa: SLF001 - the table is what is tested


def test_an_outcome_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: level, time, words and values; what is None is left out."""
    configure_logging()

    record(EventApplied(7, "done", "order.fulfilled", "acme", "REF-1", "fulfilled", None, 1))

    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "applied",
        "id": 7,
        "supplier": "acme",
        "type": "order.fulfilled",
        "reference": "REF-1",
        "state": "done",
        "status": "fulfilled",
        "actions": 1,
    }


def test_a_time_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    """When it is tried again is read beside the line's own time, and in the same form."""
    configure_logging()

    record(Postponed(AN_ACTION, 1_795_580_000_000, "answered 500", 1_795_580_682_351, alert=False))

    (line,) = lines(capsys)
    assert line["next_at"] == "2026-11-25T04:24:42.351Z"


def test_what_waits_for_a_person_is_louder(capsys: pytest.CaptureFixture[str]) -> None:
    """A dead event and an alerted failure are warnings, a dead action is an error."""
    configure_logging()

    record(EventApplied(7, "dead", None, "acme", None, None, "no JSON", 0))
    record(Postponed(AN_ACTION, 0, "The shop answered 404.", 5, alert=True))
    record(Postponed(AN_ACTION, 0, "The shop answered 503.", 5, alert=False))
    record(Dead(AN_ACTION, 0, "The shop answered 410."))

    assert [line["level"] for line in lines(capsys)] == ["warning", "warning", "info", "error"]


def test_successes_are_told_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """A line per delivery is for `--verbose`."""
    configure_logging()
    record(Stored("acme"))
    configure_logging(verbose=True)
    record(Duplicate("acme"))

    assert told(capsys) == [{"level": "debug", "event": "known already", "supplier": "acme"}]


def test_a_flood_is_a_line_a_second(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each supplier and reason one line is written, and the next one counts those between."""
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    configure_logging()
    for _ in range(1000):
        record(Rejected("acme", Reason.MISMATCH, "no"))
        record(Rejected("acme", Reason.TOO_OLD, "late"))
    clock[0] += 1
    record(Rejected("acme", Reason.MISMATCH, "no"))

    mismatch = {"level": "warning", "event": "rejected", "supplier": "acme", "reason": "mismatch", "detail": "no"}
    assert told(capsys) == [
        mismatch,
        mismatch | {"reason": "too_old", "detail": "late"},
        mismatch | {"suppressed": 999},
    ]


def test_a_sender_can_not_write_lines_of_his_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are made visible, and no value is longer than 400 characters."""
    configure_logging()

    record(Rejected("acme", Reason.MALFORMED, "x\n\x1b[2J\u202e" + "y" * 10_000))

    (line,) = lines(capsys)
    assert line["detail"].startswith("x\\n\\x1b[2J\\u202eyyy")
    assert len(line["detail"]) < 420


def test_a_library_can_not_tell_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Of what a library logs only the first line is shown, and of its exception only kind and place."""
    configure_logging()
    try:
        int("CODE-1234")
    except ValueError:
        logging.getLogger("asyncio").exception("Task failed\nfuture: CODE-1234")
    logging.getLogger("asyncio").info("chatter")

    (line,) = told(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("Task failed", "asyncio", "error")
    assert line["error"].startswith("ValueError at test_telemetry.py:")


def test_unconfigured_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that has not asked for a log has none."""
    record(Hindered("apply", "locked"))

    assert lines(capsys) == []


def test_a_closed_stderr_stops_nothing() -> None:
    """Nobody reads the log any more: outcomes are still taken."""
    script = (
        "import os, sys\n"
        "from webhookctl.adapters.telemetry import configure_logging, record\n"
        "from webhookctl.core.outcomes import Hindered\n"
        "configure_logging()\n"
        "os.close(2)\n"
        "record(Hindered('apply', 'locked'))\n"
        "os.write(1, b'goes on')\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own

    assert done.stdout == b"goes on"


def test_a_terminal_shows_words() -> None:
    """On a terminal a line is for people: no JSON, and no colour where NO_COLOR is set."""
    script = (
        "import io, os, sys\n"
        "os.environ['NO_COLOR'] = '1'\n"
        "class Terminal(io.StringIO):\n"
        "    def isatty(self): return True\n"
        "sys.stderr = Terminal()\n"
        "from webhookctl.adapters.telemetry import configure_logging, record\n"
        "from webhookctl.core.outcomes import Hindered\n"
        "configure_logging()\n"
        "record(Hindered('apply', 'the store is locked'))\n"
        "sys.stdout.write(sys.stderr.getvalue())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603

    assert "hindered, tried again" in done.stdout
    assert "reason='the store is locked'" in done.stdout or "reason=the store is locked" in done.stdout
    assert "\x1b" not in done.stdout
