"""One line of log for each thing that happened: the words, and what may be shown, stand here and nowhere else."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, Final

import structlog

from webhookctl.core import outcomes
from webhookctl.core.errors import told
from webhookctl.core.moments import exact
from webhookctl.core.outcomes import Outcome
from webhookctl.core.redaction import printable

_LONGEST: Final = 400
"""Characters of one value; a signature's header may be as long as its sender likes."""
_QUIET_S: Final = 1.0
"""How long one line of what anybody can cause keeps the next of its kind back."""


@dataclass(frozen=True, slots=True)
class _Line:
    """How an outcome is told."""

    level: int
    words: str
    shown: tuple[str, ...]
    """The outcome's attributes that are shown, by their last name; what is None is left out."""
    limited_by: tuple[str, ...] | None = None
    """Attributes that tell one kind from another, each of which has a line a second; None: each has its line."""
    louder: Callable[[Any], bool] = lambda _: False
    """Is it one that a person should see? Then it is a warning, whatever its level."""


_ACTION: Final = ("action.supplier", "action.subject", "action.kind", "action.id", "action.attempts", "detail")

# What flows and receiver hand out, and the line each becomes. The rule: what can come thousands of times a second is
# told at debug, or is limited; what waits for a person is an error; nothing shown can hold a code or a secret.
_LINES: Final[Mapping[type, _Line]] = {
    outcomes.Stored: _Line(logging.DEBUG, "stored", ("supplier",)),
    outcomes.Duplicate: _Line(logging.DEBUG, "known already", ("supplier",)),
    outcomes.Rejected: _Line(
        logging.WARNING, "rejected", ("supplier", "reason", "detail"), limited_by=("supplier", "reason")
    ),
    outcomes.Challenged: _Line(
        logging.INFO, "asked whether we are there, and answered", ("supplier",), limited_by=("supplier",)
    ),
    outcomes.Unkept: _Line(
        logging.WARNING, "rejected and not kept in the quarantine", ("count", "reason"), limited_by=("reason",)
    ),
    outcomes.TooLarge: _Line(logging.WARNING, "too large", ("supplier", "limit"), limited_by=("supplier",)),
    outcomes.Refused: _Line(logging.WARNING, "refused", ("status", "reason", "client"), limited_by=("reason",)),
    outcomes.NotStored: _Line(
        logging.ERROR, "not stored, answered 503", ("supplier", "reason"), limited_by=("supplier",)
    ),
    outcomes.EventApplied: _Line(
        logging.INFO,
        "applied",
        ("id", "supplier", "type", "reference", "state", "status", "reason", "actions"),
        louder=lambda event: event.state == "dead",
    ),
    outcomes.Delivered: _Line(logging.INFO, "done", _ACTION),
    outcomes.Postponed: _Line(
        logging.INFO, "failed, tried again", (*_ACTION, "next_at"), louder=lambda action: action.alert
    ),
    outcomes.Dead: _Line(logging.ERROR, "given up, a person must look", _ACTION),
    outcomes.Ambiguous: _Line(logging.ERROR, "may have taken effect, a person must look", _ACTION),
    outcomes.PutBack: _Line(logging.INFO, "put back", _ACTION),
    outcomes.Deferred: _Line(logging.DEBUG, "not yet", _ACTION),
    outcomes.LostClaim: _Line(logging.WARNING, "claim lost", _ACTION),
    outcomes.Announced: _Line(
        logging.WARNING,
        "announced",
        ("action.kind", "action.supplier", "action.subject", "action.cause", "action.detail", "action.id"),
    ),
    outcomes.SettingsRead: _Line(
        logging.INFO, "settings read again", ("changed", "restart"), louder=lambda settings: bool(settings.restart)
    ),
    outcomes.SettingsKept: _Line(logging.ERROR, "settings read again and wrong, those of before go on", ("reason",)),
    outcomes.Found: _Line(logging.INFO, "found by asking", ("supplier", "reference", "before", "said")),
    outcomes.StillOpen: _Line(
        logging.DEBUG,
        "asked, still open",
        ("supplier", "reference", "note"),
        louder=lambda order: order.fresh and order.note is not None,
    ),
    outcomes.PersonTold: _Line(logging.ERROR, "a person must look", ("supplier", "reference", "detail")),
    outcomes.NotAnswered: _Line(
        logging.WARNING, "asked without an answer", ("supplier", "reference", "reason"), limited_by=("supplier",)
    ),
    outcomes.PutOff: _Line(logging.DEBUG, "not asked, put off", ("supplier", "reference")),
    outcomes.SupplierNotAsked: _Line(logging.ERROR, "supplier can't be asked", ("supplier", "reason")),
    outcomes.Resumed: _Line(
        logging.WARNING, "back, suppliers are asked about stale orders", ("down_s", "stale_orders")
    ),
    outcomes.MissedWebhooks: _Line(logging.ERROR, "too many webhooks are missed", ("supplier", "detail")),
    outcomes.Noticed: _Line(logging.WARNING, "noticed", ("detail",)),
    outcomes.LookedAfter: _Line(logging.INFO, "looked after the store", ("chore", "detail")),
    outcomes.Hindered: _Line(logging.ERROR, "hindered, tried again", ("where", "reason"), limited_by=("where",)),
}


@dataclass(slots=True)
class _Limiter:
    """Lets one line of each kind through a second, and counts the others for the next."""

    _next: dict[tuple[Any, ...], float] = field(default_factory=dict)
    _suppressed: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def admit(self, kind: tuple[Any, ...], now: float) -> int | None:
        """Return how many were suppressed since the last one, or None: suppress this one too."""
        if now < self._next.get(kind, now):
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return None
        self._next[kind] = now + _QUIET_S
        return self._suppressed.pop(kind, 0)


_limiter = _Limiter()
_log: Any = None  # bound by configure_logging; without it nothing is told


def configure_logging(*, verbose: bool = False) -> None:
    """Tell everything on stderr from now on: JSON lines, or words where it is a terminal; `verbose` shows debug too."""
    global _log, _limiter  # noqa: PLW0603 - a process has one log
    terminal = sys.stderr.isatty()
    colours = terminal and not os.environ.get("NO_COLOR")
    render = structlog.dev.ConsoleRenderer(colors=colours) if terminal else structlog.processors.JSONRenderer()
    _limiter = _Limiter()
    _log = structlog.wrap_logger(
        _Stderr(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not terminal),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()
    logging.basicConfig(handlers=[_FromLibraries(logging.WARNING)], level=logging.WARNING, force=True)


def record(outcome: Outcome) -> None:
    """Write the line of `outcome`, if its level is shown and its kind is not too loud; never raises."""
    line = _LINES.get(type(outcome))
    if _log is None or line is None:
        return
    level = max(line.level, logging.WARNING) if line.louder(outcome) else line.level
    if not _log.is_enabled_for(level):
        return
    suppressed = 0
    if line.limited_by is not None:
        kind = (type(outcome), *(getattr(outcome, name) for name in line.limited_by))
        admitted = _limiter.admit(kind, time.monotonic())
        if admitted is None:
            return
        suppressed = admitted
    _log.log(level, line.words, **_values(outcome, line), **({"suppressed": suppressed} if suppressed else {}))


def _values(outcome: Outcome, line: _Line) -> dict[str, object]:
    found = {name.rpartition(".")[2]: attrgetter(name)(outcome) for name in line.shown}
    return {
        name: exact(value) if name.endswith("_at") else _shown(value)
        for name, value in found.items()
        if value is not None and value != ""
    }


def _shown(value: object) -> object:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int):
        return value
    if isinstance(value, tuple):
        value = ", ".join(value) or "nothing"
    return printable(str(value)[:_LONGEST])


class _Stderr:
    """Writes a line in one piece; that nobody reads it any more is no reason to stop receiving."""

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


class _FromLibraries(logging.Handler):
    """Tells what a library logs: its first line, and an exception's kind and place, as its text may hold a code."""

    def emit(self, record: logging.LogRecord) -> None:
        told_by = record.getMessage().partition("\n")[0]
        error = record.exc_info[1] if record.exc_info else None
        values = {"logger": record.name, "error": told(error) if error else None}
        _log.log(record.levelno, _shown(told_by), **{name: _shown(value) for name, value in values.items() if value})
