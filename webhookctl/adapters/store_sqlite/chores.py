"""When the store was looked after last."""

from dataclasses import dataclass
from typing import Final

from webhookctl.adapters.store_sqlite.action_rows import add
from webhookctl.adapters.store_sqlite.connection import Connection
from webhookctl.core.moments import to_the_second
from webhookctl.core.orders import ActionKind, NewAction
from webhookctl.core.ports.chores import Chore, ChoreName

# A clock that was set back must not put a chore off until it has caught up: what lies ahead of it does not count.
_IS_RECENT: Final = """
    (done_at > :now - :every AND done_at <= :now) OR (tried_at > :now - :again_after AND tried_at <= :now)"""
_IS_DUE: Final = f"""
    SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM chores WHERE name = :name AND ({_IS_RECENT}))"""  # noqa: S608 - our own words
_BEGIN: Final = f"""
    INSERT INTO chores (name, tried_at) VALUES (:name, :now)
    ON CONFLICT (name) DO UPDATE SET tried_at = :now WHERE ({_IS_RECENT}) IS NOT TRUE"""  # noqa: S608 - as above
_DONE: Final = """
    INSERT INTO chores (name, tried_at, done_at, detail) VALUES (:name, :now, :now, :detail)
    ON CONFLICT (name) DO UPDATE SET done_at = :now, failing_since = NULL, detail = :detail"""
_FAILED: Final = """
    INSERT INTO chores (name, tried_at, failing_since, detail) VALUES (:name, :now, :now, :detail)
    ON CONFLICT (name) DO UPDATE SET failing_since = coalesce(failing_since, :now), detail = :detail
    RETURNING failing_since = :now"""
_ALL: Final = "SELECT name, done_at, failing_since, detail FROM chores"


@dataclass(frozen=True, slots=True)
class SqliteChores:
    """What is done now and then."""

    connection: Connection

    def begin(self, name: ChoreName, *, every: int, again_after: int, now: int) -> bool:
        names = {"name": name, "every": every, "again_after": again_after, "now": now}
        if not self._is_due(names):  # asked every few seconds: not worth the lock that intake needs
            return False
        with self.connection.writing() as raw:
            return raw.execute(_BEGIN, names).rowcount == 1

    def _is_due(self, names: dict[str, object]) -> bool:
        with self.connection.reading() as raw:
            return raw.execute(_IS_DUE, names).fetchone() is not None

    def end(self, name: ChoreName, *, done: bool, detail: str, now: int) -> bool:
        names = {"name": name, "detail": detail, "now": now}
        with self.connection.writing() as raw:
            if done:
                raw.execute(_DONE, names)
                return False
            ((begins,),) = raw.execute(_FAILED, names).fetchall()
            if begins:
                alert = f"The store's {name} fails: {detail}"
                cause = f"{name} fails since {to_the_second(now)}"
                add(raw, NewAction("", "", ActionKind.ALERT, cause, detail=alert), now=now)
            return bool(begins)

    def all(self) -> dict[ChoreName, Chore]:
        with self.connection.reading() as raw:
            found = [Chore(ChoreName(row[0]), *row[1:]) for row in raw.execute(_ALL)]
        return {chore.name: chore for chore in found}
