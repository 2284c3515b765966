"""A backup of the store, from the place that it goes to, to what is removed for it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webhookctl.adapters import backup_place
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.core.errors import StoreError, UsageError
from webhookctl.core.ports.chores import ChoreName
from webhookctl.wiring import now_ms


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was made, and what went for it."""

    path: Path
    bytes: int
    removed: tuple[Path, ...]
    broken: tuple[Path, ...]
    """Older backups that are not whole; they stay, and don't count."""

    def as_json(self) -> dict[str, Any]:
        """Say the same for a program."""
        names = {"removed": self.removed, "not_whole": self.broken}
        return {"file": str(self.path), "bytes": self.bytes} | {
            name: [str(path) for path in paths] for name, paths in names.items()
        }


def size_of(store: SqliteStore) -> int:
    """Return about how many bytes a copy needs."""
    path = store.connection.path
    wal = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def back_up(
    store: SqliteStore, named: str, *, keep: int | None, force: bool, advance: Callable[[int], None]
) -> BackedUp:
    """Make a backup in the folder or file `named`, and then have only the newest `keep` of a folder stay."""
    path = store.connection.path
    target = backup_place.target(named, path, now=now_ms())
    if keep is not None and target.series is None:
        raise UsageError(f"--keep is for a folder of backups: `webhookctl store backup {named}/ --keep {keep}`.")
    backup_place.check(target, path, force=force, size=size_of(store))
    with backup_place.making(target) as partial:
        size = store.upkeep.backup(partial, advance)
    removed, broken = backup_place.forget_old(target, keep) if keep is not None else ([], [])
    return BackedUp(target.path, size, tuple(removed), tuple(broken))


def note(store: SqliteStore, done: BackedUp) -> None:
    """Write down for `status` that there is a backup; it is as good where the store itself can't be written to."""
    with suppress(StoreError):
        store.chores.end(ChoreName.BACKUP, done=True, detail=str(done.path.absolute()), now=now_ms())
