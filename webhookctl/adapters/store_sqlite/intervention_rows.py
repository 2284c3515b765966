"""Rows of what people did, written and read back."""

from typing import TYPE_CHECKING, Final

from webhookctl.core.orders import Intervention

if TYPE_CHECKING:
    import sqlite3

_COLUMNS: Final = "at, who, what, reason, action_id"
_WRITE: Final = f"""
    INSERT INTO interventions (supplier, reference, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"""  # noqa: S608 - our own
_OF_ORDER: Final = f"""
    SELECT {_COLUMNS} FROM interventions WHERE supplier = ? AND reference = ? ORDER BY at, id"""  # noqa: S608 - our own
_OF_ACTION: Final = f"""
    SELECT {_COLUMNS} FROM interventions WHERE action_id = ? ORDER BY at, id"""  # noqa: S608 - our own words


def write_down(raw: "sqlite3.Connection", key: tuple[str, str], intervention: Intervention) -> None:
    """Write what was done about the order of this (supplier, reference), or about an action of it."""
    done = intervention
    raw.execute(_WRITE, (*key, done.at, done.who, done.what, done.reason, done.action_id))


def of_order(raw: "sqlite3.Connection", key: tuple[str, str]) -> list[Intervention]:
    """Return what people did about an order and its actions, oldest first."""
    return [Intervention(*row) for row in raw.execute(_OF_ORDER, key)]


def of_action(raw: "sqlite3.Connection", action_id: str) -> list[Intervention]:
    """Return what people did about an action, oldest first."""
    return [Intervention(*row) for row in raw.execute(_OF_ACTION, (action_id,))]
