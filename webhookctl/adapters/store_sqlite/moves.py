"""What is written of one move: the order, what is held or let go, what must be done, and who decided it."""

from typing import TYPE_CHECKING

from webhookctl.adapters.store_sqlite.action_rows import add, let_go, restrain
from webhookctl.adapters.store_sqlite.endings import note_ending
from webhookctl.adapters.store_sqlite.intervention_rows import write_down
from webhookctl.adapters.store_sqlite.order_rows import save
from webhookctl.core.orders import Move
from webhookctl.core.ports.cipher import Cipher

if TYPE_CHECKING:
    import sqlite3


def write_move(raw: "sqlite3.Connection", cipher: Cipher, move: Move, key: tuple[str, str] | None, *, now: int) -> bool:
    """Write `move` of the order of `key` (None: of no order); False, and nothing written, where it is stale."""
    if move.order is not None and not save(raw, cipher, move.order):
        return False
    if move.order is not None:
        note_ending(raw, move.order, now=now)
    if key is not None:
        for restraint in move.restraints:
            restrain(raw, key, restraint, now=now)
        for kind in move.releases:
            let_go(raw, key, kind, now=now)
        if move.intervention is not None:
            write_down(raw, key, move.intervention)
    for action in move.actions:
        add(raw, action, now=now)
    return True
