"""Do requests that arrive together share one commit, and does nobody hear of it before it is made?"""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import StoreBrokenError, StoreBusyError, StoreError
from webhookctl.server.batcher import Batcher


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
        futures = [batcher.submit(a_delivery(number)) for number in range(5)]
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
        first = batcher.submit(a_delivery(0))
        await gate.entered.wait()
        others = [batcher.submit(a_delivery(number)) for number in range(1, 50)]
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
        await asyncio.gather(*(batcher.submit(a_delivery(number)) for number in range(10)))
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
        futures = [batcher.submit(a_delivery(number)) for number in range(6)]

        assert await asyncio.gather(*futures, return_exceptions=True) == [0, 1, error, error, 4, 5]
        await batcher.close()

    asyncio.run(scene())


def test_a_waiter_that_left_harms_nobody() -> None:
    """Cancelled in the running commit it is stored unheard; cancelled before, it is left out."""

    async def scene() -> None:
        gate = Gate()
        batcher = Batcher(gate)
        running, stays = batcher.submit(a_delivery(0)), batcher.submit(a_delivery(1))
        await gate.entered.wait()
        queued, last = batcher.submit(a_delivery(2)), batcher.submit(a_delivery(3))
        running.cancel()
        queued.cancel()
        gate.open()

        assert (await stays, await last) == (1, 3)
        assert gate.batches == [[0, 1], [3]]
        await batcher.close()

    asyncio.run(scene())


def test_close_commits_what_waits_and_takes_nothing_more() -> None:
    """Whatever was submitted before `close` is answered; whatever comes after it fails."""

    async def scene() -> None:
        gate = Gate()
        gate.open()
        batcher = Batcher(gate, max_batch=1)
        futures = [batcher.submit(a_delivery(number)) for number in range(3)]
        await batcher.close()

        assert [future.result() for future in futures] == [0, 1, 2]
        with pytest.raises(StoreError, match="stopping"):
            await batcher.submit(a_delivery(3))

    asyncio.run(scene())


def test_close_of_an_idle_batcher_returns() -> None:
    """There is nothing to wait for where nothing ever came, nor after all was answered."""

    async def scene() -> None:
        unused, used = Batcher(lambda batch: batch), Batcher(lambda batch: batch)
        await used.submit(a_delivery(0))

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
        futures = [batcher.submit(a_delivery(number)) for number in range(3)]

        assert await asyncio.gather(*futures, return_exceptions=True) == [broken] * 3
        with pytest.raises(StoreBrokenError):
            await batcher.submit(a_delivery(3))
        await batcher.close()
        assert (gate.batches, told, batcher.broken) == ([[0]], [broken], broken)

    asyncio.run(scene())
