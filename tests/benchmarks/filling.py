"""A store that has been in use for long."""

import time
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Final

from uuid_utils import uuid7

from tests.benchmarks.served import KEY
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.deliveries import Delivery, Verified

_BATCH: Final = 256
_HANDLED_OF: Final = 1_000
"""One in so many still waits; the others count as applied, and stand in all the indexes that `apply` fills."""
_APPLIED: Final = """
    UPDATE events SET state = 'done', type = 'order.fulfilled', reference = 'R' || id, order_id = 'S' || id
    WHERE id % ?"""


def fill(path: Path, rows: int) -> None:
    """Make a store with so many events of the usual size."""
    numbers = islice(count(), rows)
    with closing(open_store(path, AesGcmCipher([KEY]), create=True)) as store:
        while batch := [_delivery(number) for number in islice(numbers, _BATCH)]:
            store.intake.accept(batch)
        with store.connection.writing() as raw:
            raw.execute(_APPLIED, (_HANDLED_OF,))


def _delivery(number: int) -> Verified:
    body = b'{"event":"order.fulfilled","data":{"reference":"R%d"},"padding":"' % number
    headers = ((b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"x-webhook-signature", b"0" * 64))
    delivery = Delivery("acme", body.ljust(598, b"x") + b'"}', headers, time.time_ns() // 1_000_000, uuid7().bytes)
    return Verified(delivery, "env:ACME_SECRET")
