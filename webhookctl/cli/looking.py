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
            if left_out := opened.left_out:
                context.call_on_close(partial(_tell, str(settings.store.path), left_out))


def _tell(path: str, left_out: tuple[str, ...]) -> None:
    raise StoreError(
        f"The store {path} is damaged: not everything of {', '.join(left_out)} could be read, so that rows may be "
        "missing and counts too low. Nothing was changed. `webhookctl store check` says where the damage is, and "
        "`webhookctl store restore FILE` brings a backup back."
    )


def _is_of_a_row(error: BaseException) -> bool:
    """Say whether a value of the store was none that we write: damage that SQLite can't see."""
    trace, places = error.__traceback__, list[str]()
    while trace is not None:
        places.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return any(_READERS in place for place in places)
