"""What does a proof cost, and does its time tell anything? `python -m tests.benchmarks.verification [--seconds 20]`.

First `verify` of a delivery as the receiver gets it, against a bare `hmac.digest` of the same body. Then how long
`verify` takes to refuse a signature whose first wrong byte stands at the beginning or at the end: in random order, of
fresh objects each time, the slowest tenth of each batch and the tenth of batches at either end (when the machine did
something else) left out; and the same of a loop that compares byte by byte, which shows what would be seen if there
were anything.
"""

import argparse
import gc
import hmac
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from timeit import repeat
from typing import Final, NamedTuple, TypeAlias

from tests.core.supplier import NOW, SECRET, secrets_for
from webhookctl import suppliers
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Scheme, sign, verify

_HEADERS: Final = (
    (b"host", b"shop.example"),
    (b"user-agent", b"acme-webhooks/1.0"),
    (b"content-type", b"application/json"),
    (b"content-length", b"1024"),
    (b"x-forwarded-for", b"203.0.113.7"),
    (b"x-forwarded-proto", b"https"),
    (b"accept", b"*/*"),
)
_BODY: Final = b'{"event":"order.created","data":{"reference":"R-1"},"padding":"%s"}' % (b"x" * 960)
_PRESETS: Final = ("github", "generic", "shopify", "stripe", "slack", "paddle", "standard-webhooks")
_CALLS: Final = 2_000
_MOST_US: Final = 15.0
_BATCH: Final = 2_000
_KEPT: Final = 0.9
_MOST_NS: Final = 2.0
_LEAST_NS: Final = 100.0
"""What the loop must show for the measurement to be worth anything."""

Refuse: TypeAlias = Callable[[str], Callable[[], object]]
"""From a wrong signature (64 hex digits) to the call that refuses it."""


def best_us(call: Callable[[], object]) -> float:
    return min(repeat(call, number=_CALLS, repeat=7)) / _CALLS * 1e6


def cost(name: str) -> float:
    """Return what `verify` takes more than the digest alone, in microseconds, and print it."""
    scheme = Scheme.parse(suppliers.scheme_of(name))
    ours, theirs = secrets_for(scheme)
    keys = scheme.keys([theirs])
    signed = sign(scheme, scheme.signing_key(ours), body=_BODY, now=NOW, message_id="msg_1")
    headers = tuple((name.lower().encode(), value.encode()) for name, value in signed.headers.items())
    received = Delivery("acme", _BODY, _HEADERS + headers, NOW, b"")
    bare = best_us(lambda: hmac.digest(keys[0].value, _BODY, "sha256"))
    whole = best_us(lambda: verify(received, scheme, keys, now=NOW))
    print(f"{name:20} {bare:7.2f} {whole:7.2f} {whole - bare:+7.2f}")
    return whole - bare


class Seen(NamedTuple):
    """How much longer the late wrong byte takes, in nanoseconds, and how sure that is."""

    difference: float
    error: float

    def __str__(self) -> str:
        return f"{self.difference:+.2f} ns ± {self.error:.2f}"


_SCHEME: Final = Scheme.parse(suppliers.scheme_of("github"))
_KEYS: Final = _SCHEME.keys([SECRET])


def by_verify(signature: str) -> Callable[[], object]:
    headers = (*_HEADERS, (b"x-hub-signature-256", b"sha256=" + signature.encode()))
    received = Delivery("acme", bytes(bytearray(b"{}")), headers, NOW, b"")

    def refused() -> None:
        with suppress(SignatureError):
            verify(received, _SCHEME, _KEYS, now=NOW)

    return refused


def by_loop(signature: str) -> Callable[[], object]:
    expected = hmac.digest(SECRET.value, b"{}", "sha256")
    given = bytes.fromhex(signature)
    return lambda: all(ours == theirs for ours, theirs in zip(expected, given, strict=True))


def watched(refuse: Refuse, seconds: float) -> Seen:
    """Time early and late wrong bytes in random order, batch by batch; each batch is one observation."""
    right = hmac.digest(SECRET.value, b"{}", "sha256").hex()
    wrong = (_other(right[0]) + right[1:], right[:-1] + _other(right[-1]))
    differences = list[float]()
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(differences) < 3:
        classes = [*range(2)] * (_BATCH // 2)
        random.shuffle(classes)
        calls = [refuse(wrong[late]) for late in classes]
        differences.append(_difference(classes, _timed(calls)))
    edge = len(differences) // 10
    kept = sorted(differences)[edge : len(differences) - edge]
    return Seen(statistics.mean(kept), statistics.stdev(kept) / math.sqrt(len(kept)))


def _other(digit: str) -> str:
    return "0" if digit != "0" else "1"


def _timed(calls: Sequence[Callable[[], object]]) -> list[int]:
    taken = list[int]()
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()
    for call in calls:
        begun = clock()
        call()
        taken.append(clock() - begun)
    gc.enable()
    return taken


def _difference(classes: list[int], taken: list[int]) -> float:
    means = [
        statistics.mean(sorted(ns for late, ns in zip(classes, taken, strict=True) if late == which)[: _kept(classes)])
        for which in range(2)
    ]
    return means[1] - means[0]


def _kept(classes: list[int]) -> int:
    return int(len(classes) / 2 * _KEPT)


def main() -> int:
    """Print the tables; exit 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of watching each comparison")
    seconds = parser.parse_args().seconds
    print(f"{'µs of a 1 KiB body':20} {'digest':>7} {'verify':>7} {'more':>7}")
    dearest = max(cost(name) for name in _PRESETS)
    print(f"at most {_MOST_US:g} µs more: {'yes' if dearest <= _MOST_US else 'NO'}\n")
    print("the last byte wrong instead of the first:")
    loop, ours = watched(by_loop, seconds / 4), watched(by_verify, seconds)
    print(f"  a loop    {loop}   (more than {_LEAST_NS:g} ns: {'yes' if loop.difference > _LEAST_NS else 'NO'})")
    hidden = abs(ours.difference) < _MOST_NS
    print(f"  verify    {ours}   (less than {_MOST_NS:g} ns: {'yes' if hidden else 'NO'})")
    return 0 if dearest <= _MOST_US and hidden and loop.difference > _LEAST_NS else 1


if __name__ == "__main__":
    sys.exit(main())
