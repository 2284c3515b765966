"""The store for those who only look: what can't be read of a damaged one is said at the end, with exit code 5."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from webhookctl.core.errors import StoreError

if TYPE_CHECKING:
    from webhookctl.adapters.store_sqlite import SqliteStore
    from webhookctl.config import Settings
    from webhookctl.wiring import StorePlace

_READERS: Final = "store_sqlite"
_MISREAD: Final = (ValueError, KeyError, TypeError)
_NAMED: Final = 10
"""Odd rows at most; `store check` counts them all."""


@contextmanager
def store(context: typer.Context, settings: "Settings | StorePlace") -> "Iterator[SqliteStore]":
    """Open the store; what was read is shown before the sentence that something was left out."""
    from webhookctl.wiring import upkeeping

    with upkeeping.looked_at(settings) as opened:
        try:
            yield opened
        except _MISREAD as error:
            if not _is_of_a_row(error):
                raise
            raise StoreError(
                f"The store {settings.store.path} holds a row that can't be read: `webhookctl store check` names it."
            ) from None
        finally:
            if said := _left_out(str(settings.store.path), opened):
                context.call_on_close(partial(_tell, said))


def _left_out(path: str, opened: "SqliteStore") -> str:
    """Say what was left out; empty where nothing was."""
    said = list[str]()
    if opened.left_out:
        said.append(
            f"The store {path} is damaged: not everything of {', '.join(opened.left_out)} could be read, so that rows "
            "may be missing and counts too low. Nothing was changed. `webhookctl store check` says where the damage "
            "is, and `webhookctl store restore FILE` brings a backup back."
        )
    if odd := opened.odd:
        named = ", ".join(odd[:_NAMED]) + (f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else "")
        said.append(
            f"Left out is what can't be read, as it holds what no webhookctl of this version writes: {named}. "
            f"`webhookctl store check` says more about the store {path}."
        )
    return " ".join(said)


def _tell(said: str) -> None:
    raise StoreError(said)


def _is_of_a_row(error: BaseException) -> bool:
    """Say whether a value of the store was none that we write: damage that SQLite can't see."""
    trace, places = error.__traceback__, list[str]()
    while trace is not None:
        places.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return any(_READERS in place for place in places)
