"""Which schema has the store, and what would bring it to the present one?"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from webhookctl.adapters.store_sqlite import locking
from webhookctl.adapters.store_sqlite.connection import BUSY_MS, Connection
from webhookctl.adapters.store_sqlite.place import prepare
from webhookctl.adapters.store_sqlite.schema import migrate, pending, refuse_wrong_key
from webhookctl.adapters.store_sqlite.soundness import refuse_damage, refuse_lost
from webhookctl.core.ports.cipher import Cipher


@dataclass(frozen=True, slots=True)
class Migration:
    """Where a store stands."""

    version: str
    """The last migration that it has had."""
    pending: tuple[str, ...]
    """Those that it lacked when it was looked at."""


def bring_up_to_date(path: Path, cipher: Cipher, *, dry_run: bool) -> Migration:
    """Say what the store lacks, and bring it, in one transaction, unless `dry_run`; raises as `open_store`."""
    prepare(path, create=False)
    with (
        closing(locking.share(path, busy_ms=BUSY_MS, alone=lambda: refuse_lost(path))),
        closing(Connection(path, busy_ms=BUSY_MS)) as connection,
    ):
        refuse_damage(connection)
        applied, lacking = pending(connection)
        refuse_wrong_key(connection, cipher)
        if not dry_run:
            migrate(connection, create=False)
    return Migration(applied[-1], tuple(lacking))
