"""What the store's file needs now and then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhookctl.adapters.store_sqlite import backing_up, pruning, rekeying
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.ports.cipher import Cipher
from webhookctl.core.ports.upkeep import Pruned, PruneMark, Rekeyed, RekeyMark

_DAY_MS: Final = 86_400_000
_COUNT: Final = """
    INSERT INTO repeats (supplier, day, n) VALUES (?, ?, ?)
    ON CONFLICT (supplier, day) DO UPDATE SET n = n + excluded.n"""


@dataclass(frozen=True, slots=True)
class SqliteUpkeep:
    """Keeping the store whole."""

    connection: Connection
    cipher: Cipher

    def count_sealed(self) -> int:
        return rekeying.count_rows(self.connection)

    def rekey(self, after: RekeyMark | None, *, limit: int) -> Rekeyed:
        return rekeying.rekey(self.connection, self.cipher, after, limit)

    def prune(self, after: PruneMark | None, *, before: int, now: int, limit: int, plan: bool = False) -> Pruned:
        return pruning.prune(self.connection, after, pruning.Span(before, now, limit), plan=plan)

    def reclaim(self, *, pages: int) -> int:
        return pruning.reclaim(self.connection, pages)

    def backup(self, target: Path, advance: Callable[[int], None]) -> int:
        return backing_up.copy(self.connection, self.cipher, target, advance)

    def count_repeats(self, repeats: Mapping[str, int], *, now: int) -> None:
        if repeats:
            with self.connection.writing() as raw:
                raw.executemany(_COUNT, [(supplier, now // _DAY_MS, n) for supplier, n in repeats.items()])
