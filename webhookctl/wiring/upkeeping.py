"""The store in an operator's hands: looked at whatever has become of it, checked, restored, brought up to date."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from webhookctl.adapters.store_sqlite import SqliteStore, open_to_look
from webhookctl.core.ports.checks import Depth, Scope
from webhookctl.wiring import StorePlace, cipher, now_ms

if TYPE_CHECKING:
    from webhookctl.adapters.store_sqlite.migrating import Migration
    from webhookctl.adapters.store_sqlite.restoring import Restorable
    from webhookctl.config import Settings


@contextmanager
def looked_at(settings: "Settings | StorePlace", *, whatever: bool = False) -> Iterator[SqliteStore]:
    """Open the store to look at it; of a damaged one what can be read. `whatever`: to be checked, just as it is."""
    opened = open_to_look(settings.store.path, cipher(settings), whatever=whatever)
    try:
        yield opened
    finally:
        opened.close()


def scope(settings: "Settings | StorePlace", depth: Depth) -> Scope:
    """Return what a check of the store goes by."""
    return Scope(depth, now_ms(), clear_is_wanted=settings.store.unencrypted)


@contextmanager
def restorable(settings: "Settings", file: Path, told: Callable[[int], None]) -> Iterator["Restorable"]:
    """Copy and check a backup, and keep everybody from the store until the block ends."""
    from webhookctl.adapters.store_sqlite import restoring  # noqa: PLC0415 - only whoever restores needs it

    checked_by = scope(settings, Depth.USUAL)
    with restoring.restorable(settings.store.path, file, cipher(settings), checked_by, told) as found:
        yield found


def migration(settings: "Settings", *, dry_run: bool) -> "Migration":
    """Say what the store lacks, and bring it unless `dry_run`."""
    from webhookctl.adapters.store_sqlite.migrating import bring_up_to_date  # noqa: PLC0415 - as above

    return bring_up_to_date(settings.store.path, cipher(settings), dry_run=dry_run)
