"""Pruning of the store, with the room that it needs on a full disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from webhookctl.adapters.free_space import is_low
from webhookctl.adapters.reserve import Reserve
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.config import Settings
from webhookctl.core.ports.chores import ChoreName
from webhookctl.flows.prune import Prune, Total
from webhookctl.wiring import now_ms, store

_MIB: Final = 1 << 20
_LONG_REST_S: Final = 0.1


@contextmanager
def store_in_need(settings: Settings, *, only_planned: bool) -> Iterator[SqliteStore]:
    """Open the store, and on a full disk give its reserve back first; once there is room again, it is made anew.

    A plan makes no room, and leaves the reserve to whoever does.
    """
    reserve = Reserve(settings.store.path)
    if not only_planned and is_low(settings.store.path.parent):
        reserve.give_back()
    with store(settings) as opened:
        yield opened
        if not only_planned:
            reserve.keep()


def prune_of(opened: SqliteStore, *, older_than: int) -> Prune:
    """Join what is needed to prune what ended `older_than` milliseconds ago."""
    now = now_ms()
    return Prune(opened.upkeep, now - older_than, now, Reserve(opened.connection.path).give_back)


def prune_beside(opened: SqliteStore, *, older_than: int, goes_on: Callable[[], bool]) -> Prune:
    """Join the same for a process that has better things to do: it takes its time."""
    return replace(prune_of(opened, older_than=older_than), goes_on=goes_on, rest_s=_LONG_REST_S)


def note(opened: SqliteStore, took: Total) -> None:
    """Write down for `status` what was pruned."""
    opened.chores.end(ChoreName.PRUNE, done=True, detail=told(took), now=now_ms())


def told(total: Total) -> str:
    """Say how much that is."""
    return (
        f"{total.events} events, {total.orders} orders, {total.actions} actions and {total.rejected} rejected "
        f"deliveries, about {total.bytes / _MIB:.1f} MiB"
    )
