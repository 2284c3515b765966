"""Do requests that arrive together share one commit, and does nobody hear of it before it is made?"""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import StoreBrokenError, StoreBusyError, StoreError
from webhookctl.server.batcher import Batcher


def submitted(batcher: Batcher[int], number: int) -> "asyncio.Future[int]":
    """Submit one delivery; what becomes of it becomes of the future."""
    future = asyncio.get_running_loop().create_future()

    def done(outcome: int | BaseException) -> None:
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    batcher.submit(a_delivery(number), done)
    return future


def a_delivery(number: int) -> Verified:
    return Verified(Delivery("acme", b"%d" % number, (), 0, bytes(16)), "env:SECRET")


class Gate:
    """An `accept` that commits batch by batch, when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.fails: dict[int, Exception] = {}
        self.entered = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._go = threading.Semaphore(0)

    def __call__(self, batch: Sequence[Verified]) -> list[int]:
        numbers = [int(verified.delivery.body) for verified in batch]
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self._go.acquire(timeout=10)
        self.batches.append(numbers)
        if error := self.fails.get(len(self.batches) - 1):
            raise error
        return numbers

    def open(self, times: int = 1000) -> None:
        self._go.release(times)


def test_a_future_is_resolved_only_when_its_batch_is_committed() -> None:
    """While `accept` runs nobody is told anything; then each gets its own outcome."""

    async def scene() -> None:
        gate = Gate()
        batcher = Batcher(gate)
        futures = [submitted(batcher, number) for number in range(5)]
        await gate.entered.wait()
        assert not any(future.done() for future in futures)

        gate.open()

        assert await asyncio.gather(*futures) == [0, 1, 2, 3, 4]
        await batcher.close()

    asyncio.run(scene())


def test_what_arrives_during_a_commit_shares_the_next() -> None:
    """One commit runs, forty-nine requests come: two commits in all."""

    async def scene() -> None:
        gate = Gate()
        batcher = Batcher(gate)
        first = submitted(batcher, 0)
        await gate.entered.wait()
        others = [submitted(batcher, number) for number in range(1, 50)]
        gate.open()
        await asyncio.gather(first, *others)
        await batcher.close()

        assert gate.batches == [[0], list(range(1, 50))]

    asyncio.run(scene())


def test_a_batch_has_a_most() -> None:
    """More than `max_batch` go in several commits, in the order of arrival."""

    async def scene() -> None:
        gate = Gate()
        gate.open()
        batcher = Batcher(gate, max_batch=4)
        await asyncio.gather(*(submitted(batcher, number) for number in range(10)))
        await batcher.close()

        assert gate.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    asyncio.run(scene())


@pytest.mark.parametrize("error", [StoreBusyError("locked"), RuntimeError("a bug"), MemoryError()])
def test_an_error_reaches_its_own_batch_and_no_other(error: Exception) -> None:
    """The batch that `accept` raised for fails whole; those before and after it succeed."""

    async def scene() -> None:
        gate = Gate()
        gate.fails[1] = error
        gate.open()
        batcher = Batcher(gate, max_batch=2)
        futures = [submitted(batcher, number) for number in range(6)]

        assert await asyncio.gather(*futures, return_exceptions=True) == [0, 1, error, error, 4, 5]
        await batcher.close()

    asyncio.run(scene())


def test_who_waits_too_long_is_told() -> None:
    """In the running commit it may be stored all the same, unheard; what had not begun by then is left out."""

    async def scene() -> None:
        gate = Gate()
        batcher = Batcher(gate, timeout_s=0.05)
        running, queued = submitted(batcher, 0), submitted(batcher, 1)
        await gate.entered.wait()
        late = submitted(batcher, 2)
        for future in (running, queued, late):
            with pytest.raises(TimeoutError):
                await future
        gate.open()
        after = submitted(batcher, 3)

        assert await after == 3
        assert gate.batches == [[0, 1], [3]]
        await batcher.close()

    asyncio.run(scene())


def test_each_has_its_own_time() -> None:
    """Whoever came later is given up later, and one that is answered in time is not."""

    async def scene() -> None:
        gate = Gate()
        batcher = Batcher(gate, max_batch=1, timeout_s=0.4)
        first = submitted(batcher, 0)
        await gate.entered.wait()
        await asyncio.sleep(0.2)
        second = submitted(batcher, 1)
        with pytest.raises(TimeoutError):
            await first
        assert not second.done()
        gate.open()

        assert await second == 1
        await batcher.close()

    asyncio.run(scene())


def test_close_commits_what_waits_and_takes_nothing_more() -> None:
    """Whatever was submitted before `close` is answered; whatever comes after it fails."""

    async def scene() -> None:
        gate = Gate()
        gate.open()
        batcher = Batcher(gate, max_batch=1)
        futures = [submitted(batcher, number) for number in range(3)]
        await batcher.close()

        assert [future.result() for future in futures] == [0, 1, 2]
        with pytest.raises(StoreError, match="stopping"):
            await submitted(batcher, 3)

    asyncio.run(scene())


def test_close_of_an_idle_batcher_returns() -> None:
    """There is nothing to wait for where nothing ever came, nor after all was answered."""

    async def scene() -> None:
        unused, used = (Batcher[int](lambda batch: [int(one.delivery.body) for one in batch]) for _ in range(2))
        await submitted(used, 0)

        closed = await asyncio.wait_for(asyncio.gather(unused.close(), used.close()), 5)

        assert list(closed) == [None, None]

    asyncio.run(scene())


def test_a_broken_store_is_told_once_and_never_tried_again() -> None:
    """After a failed fsync everything that waits fails, `on_broken` is called, and `accept` is left alone."""

    async def scene() -> None:
        told = list[StoreBrokenError]()
        broken = StoreBrokenError("fsync failed")
        gate = Gate()
        gate.fails[0] = broken
        gate.open()
        batcher = Batcher(gate, max_batch=1, on_broken=told.append)
        futures = [submitted(batcher, number) for number in range(3)]

        assert await asyncio.gather(*futures, return_exceptions=True) == [broken] * 3
        with pytest.raises(StoreBrokenError):
            await submitted(batcher, 3)
        await batcher.close()
        assert (gate.batches, told, batcher.broken) == ([[0]], [broken], broken)

    asyncio.run(scene())
