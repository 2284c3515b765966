"""kill -9 of `serve` under load, at random moments: `python -m tests.chaos.kill --rounds N`."""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scene import Scene, scene
from tests.chaos.supplier import events_of

EARLIEST_S, LATEST_S = 0.05, 0.6
_ORDERS_A_ROUND = 150


@dataclass(frozen=True)
class Report:
    """How a campaign ended."""

    rounds: int
    seed: int
    orders: int
    acknowledged: int
    calls: int
    seconds: float
    faults: list[str]

    def __str__(self) -> str:
        found = "\n".join(self.faults[:20]) or (
            "No event lost, no order delivered under two ids: "
            f"fewer than {3 / self.rounds:.2%} of kills do harm, at 95 % (3/n, n = {self.rounds})."
        )
        return (
            f"{self.rounds} kills in {self.seconds:.0f} s (seed {self.seed}): {self.acknowledged} events acknowledged, "
            f"{self.orders} orders, {self.calls} calls at the shop.\n{found}"
        )


def campaign(folder: Path, rounds: int, seed: int, told: Callable[[str], None]) -> Report:
    """Kill and start again `rounds` times on one store, then let it come to rest, and look at what is left."""
    began = time.monotonic()
    chance = random.Random(seed)  # noqa: S311 - dice, to be thrown again alike
    orders = 0
    with scene(folder, seed=seed) as stage:
        for number in range(1, rounds + 1):
            if len(stage.supplier.waiting) < 2 * _ORDERS_A_ROUND:
                stage.supplier.waiting.extend(events_of(range(orders, orders + _ORDERS_A_ROUND)))
                orders += _ORDERS_A_ROUND
            before = stage.supplier.ledger.count
            after_s = chance.uniform(EARLIEST_S, LATEST_S)
            _kill_under_load(stage, after_s)
            told(f"{number}: killed after {after_s:.3f} s and {stage.supplier.ledger.count - before} acknowledged")
        stage.drain()
        acknowledged, calls = stage.supplier.ledger.count, stage.shop.calls
        return Report(rounds, seed, orders, acknowledged, calls, time.monotonic() - began, stage.faults(orders))


def _kill_under_load(stage: Scene, after_s: float) -> None:
    dead = threading.Event()
    with stage.program().serve() as serving:
        posting = threading.Thread(target=stage.supplier.post_until, args=(dead.is_set,))
        before = stage.supplier.ledger.count
        posting.start()
        while stage.supplier.ledger.count == before:
            time.sleep(0.001)
        time.sleep(after_s)
        serving.process.kill()
        dead.set()
        serving.process.wait()
        posting.join()


def main() -> int:
    """Run a campaign and say how it went; 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = campaign(Path(folder), asked.rounds, asked.seed, print)
    sys.stdout.write(f"{report}\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
