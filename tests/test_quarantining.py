"""What was rejected is written beside the intake, and nothing about it can stop the intake."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.store.building import NOW, rejection
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.errors import StoreBrokenError, StoreBusyError
from webhookctl.core.outcomes import Unkept
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds, Rejection
from webhookctl.wiring import quarantining
from webhookctl.wiring.quarantining import Quarantining

PATIENCE_S = 30


@dataclass
class Store:
    """A quarantine that notes its turns; `errors` stand for what can be wrong with a disk."""

    turns: list[int] = field(default_factory=list)
    sweeps: int = 0
    errors: list[Exception] = field(default_factory=list)

    def keep(self, rejections: Sequence[Rejection], _bounds: Bounds, *, now: int) -> int:
        assert now > NOW
        if self.errors:
            raise self.errors.pop(0)
        self.turns.append(len(rejections))
        return 0

    def forget_old(self, *, before: int) -> int:
        assert before > 0
        self.sweeps += 1
        return 0


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantining, "_TURN_S", 0.01)
    monkeypatch.setattr(quarantining, "_TURNS_PER_SWEEP", 3)


def tried(store: Any, *, is_full: bool = False) -> tuple[Quarantining, list[Unkept]]:  # noqa: ANN401 - part of the port
    outcomes = list[Unkept]()
    return Quarantining(store, Bounds, outcomes.append, lambda: is_full), outcomes


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main(asyncio.Event())

    asyncio.run(bounded())


async def wait(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for knows no event loop
        await asyncio.sleep(0.005)


def test_a_turn_is_a_hundred_rows() -> None:
    """One commit a turn; what does not fit waits, and at the end one turn more is kept, and the rest counted."""
    store = Store()
    keeper, outcomes = tried(store)

    async def main(until: asyncio.Event) -> None:
        for number in range(250):
            keeper.put(rejection(number))
        running = asyncio.create_task(keeper.run(until))
        await wait(lambda: len(store.turns) == 3)
        await wait(lambda: store.sweeps > 0)
        until.set()
        await running
        for number in range(250):
            keeper.put(rejection(number))
        await keeper.finish()

    run(main)
    assert store.turns == [100, 100, 50, 100]
    assert outcomes == [Unkept(150, "too many came at once")]


def test_what_can_not_be_kept_is_counted() -> None:
    """A store that is locked costs what was rejected and nothing else; it goes on afterwards."""
    store = Store(errors=[StoreBusyError("The store was locked.")])
    keeper, outcomes = tried(store)

    async def main(until: asyncio.Event) -> None:
        keeper.put(rejection(1))
        running = asyncio.create_task(keeper.run(until))
        await wait(lambda: bool(outcomes))
        keeper.put(rejection(2))
        await wait(lambda: store.turns == [1])
        until.set()
        await running

    run(main)
    assert outcomes == [Unkept(1, "The store was locked.")]


def test_a_full_disk_is_not_filled_further() -> None:
    """The little room that is left is for events."""
    store = Store()
    keeper, outcomes = tried(store, is_full=True)

    async def main(_: asyncio.Event) -> None:
        keeper.put(rejection(1))
        await keeper.finish()

    run(main)
    assert (store.turns, outcomes) == ([], [Unkept(1, "there is hardly any space left on the disk")])


def test_a_broken_store_ends_the_process() -> None:
    """As for the intake: only a new start knows what is there."""
    keeper, outcomes = tried(Store(errors=[StoreBrokenError("The disk failed.")]))

    async def main(until: asyncio.Event) -> None:
        keeper.put(rejection(1))
        await keeper.run(until)
        assert until.is_set()

    run(main)
    assert str(keeper.broken) == "The disk failed."
    assert outcomes == [Unkept(1, "The disk failed.")]


def test_the_bounds_are_those_of_now(tmp_path: Path) -> None:
    """Settings that were read again hold from the next turn on."""
    bounds = [Bounds(rows=100, per_sender=100, keep_ms=1 << 60)]
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=True)) as store:
        keeper = Quarantining(store.quarantine, lambda: bounds[-1], lambda _: None, lambda: False)

        async def main(_: asyncio.Event) -> None:
            for number in range(20):
                keeper.put(rejection(number))
            await keeper.finish()
            bounds.append(Bounds(rows=100, per_sender=5, keep_ms=1 << 60))
            keeper.put(rejection(21))
            await keeper.finish()

        run(main)
        assert len(store.quarantine.find(RejectedQuery())) == 5
