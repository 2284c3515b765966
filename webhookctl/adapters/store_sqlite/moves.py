"""What is written of moves: orders, what is held or let go, what must be done, and who decided it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from webhookctl.adapters.store_sqlite.action_rows import add, add_plain, let_go, restrain
from webhookctl.adapters.store_sqlite.endings import note_endings
from webhookctl.adapters.store_sqlite.intervention_rows import write_down
from webhookctl.adapters.store_sqlite.order_rows import save_moved
from webhookctl.core.orders import Move, NewAction
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3

Moved: TypeAlias = tuple[Move, tuple[str, str] | None]
"""A move, and the (supplier, reference) of the order that it is about; None: of no order."""


def write_moves(raw: "sqlite3.Connection", cipher: Cipher, moves: Sequence[Moved], *, now: int) -> bool:
    """Write `moves`, later ones of an order after earlier ones.

    False where an order has moved on since it was read: of a single move nothing was written then; of several, undo
    what was.
    """
    if not save_moved(raw, cipher, [move for move, _ in moves if move.order is not None]):
        return False
    note_endings(raw, [move.order for move, _ in moves if move.order is not None], now=now)
    plain = list[NewAction]()
    for move, key in moves:
        if key is not None and (move.restraints or move.releases or move.intervention):
            _flush(raw, plain, now)
            _write_decisions(raw, move, key, now)
        for action in move.actions:
            if action.cooldown_ms or action.about is not None:
                _flush(raw, plain, now)
                add(raw, action, now=now)
            else:
                plain.append(action)
    _flush(raw, plain, now)
    return True


def _flush(raw: "sqlite3.Connection", plain: list[NewAction], now: int) -> None:
    """Add what has gathered: one statement for all, before anything that looks at what is there."""
    add_plain(raw, plain, now=now)
    plain.clear()


def _write_decisions(raw: "sqlite3.Connection", move: Move, key: tuple[str, str], now: int) -> None:
    for restraint in move.restraints:
        restrain(raw, key, restraint, now=now)
    for kind in move.releases:
        let_go(raw, key, kind, now=now)
    if move.intervention is not None:
        write_down(raw, key, move.intervention)
