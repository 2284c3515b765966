"""A webhook and an answer to asking reach the same order at the same moment, round after round.

python -m tests.chaos.poll_race --rounds 1000
"""

import argparse
import json
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import uuid_utils

from tests.polling.asking import SUPPLIER, apply, arrive, now_ms, said
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core import answers
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.events import Event, EventType, Item
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.redaction import Code
from webhookctl.flows.apply import Apply


def opened(file: Path, *, create: bool = False) -> SqliteStore:
    return open_store(file, AesGcmCipher([bytes(range(32))]), create=create)


def race(file: Path, rounds: int) -> list[str]:
    """Have two threads, each with its own store, apply the two events of one order after the other; raises theirs.

    Returns the references that were delivered, in the order of the store.
    """
    failures, barrier = list[BaseException](), threading.Barrier(2, timeout=60)

    def side() -> None:
        try:
            with closing(opened(file)) as mine:
                flow = Apply(mine.events, mine.orders, {"acme": SUPPLIER})
                for _ in range(rounds):
                    barrier.wait()
                    flow.run(now=now_ms(), limit=1)  # the other has the other event of this order
        except BaseException as error:
            failures.append(error)
            barrier.abort()
            raise

    with closing(opened(file)) as store:
        arrive(store, *range(rounds))
        store.intake.accept([one(number) for number in range(rounds) for one in (_webhook, _poll)])
        threads = [threading.Thread(target=side) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        apply(store)
        return [one.subject for one in store.outbox.find(ActionQuery(limit=10 * rounds)) if one.kind.value == "deliver"]


def _webhook(number: int) -> Verified:
    body = json.dumps(said(f"S-{number}", "done", f"CODE-{number}")).encode()
    return Verified(Delivery("acme", body, (), now_ms(), uuid_utils.uuid7().bytes), "env:ACME_SECRET", None)


def _poll(number: int) -> Verified:
    items = (Item(code=Code(f"CODE-{number}")),)
    event = Event("acme", EventType.FULFILLED, f"R-{number}", f"S-{number}", items=items, via=Via.POLL)
    return answers.delivery_of(event, now=now_ms(), delivery_id=uuid_utils.uuid7().bytes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.db"
        opened(file, create=True).close()
        delivered = race(file, rounds)
    once = len(delivered) == len(set(delivered)) == rounds
    counts = f"{rounds} orders, {len(set(delivered))} delivered by {len(delivered)} deliveries"
    sys.stdout.write(f"{counts}: {'well' if once else 'WRONG'}\n")
    raise SystemExit(0 if once else 1)


if __name__ == "__main__":
    main()
