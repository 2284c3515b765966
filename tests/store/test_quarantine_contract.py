"""Every store's `Quarantine` does what its port says."""

from dataclasses import replace
from itertools import groupby

from tests.store.building import NOW, Store, claim_events, delivery_id, rejection
from webhookctl.core.deliveries import Verified, Via
from webhookctl.core.errors import Reason
from webhookctl.core.events import EventState
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds, Rejected, Rejection

BOUNDS = Bounds()
EVERYTHING = RejectedQuery(limit=100_000)


def keep(store: Store, *rejections: Rejection, bounds: Bounds = BOUNDS, now: int = NOW) -> int:
    return store.quarantine.keep(rejections, bounds, now=now)


def kept(store: Store) -> list[Rejected]:
    return store.quarantine.walk(EVERYTHING)


def numbers(found: list[Rejected]) -> list[int]:
    """Say which of the rejections made by `rejection(number)` these are."""
    return [one.received_at - NOW for one in found]


def by_sender(store: Store) -> dict[str, list[int]]:
    found = sorted(kept(store), key=lambda one: one.sender)
    return {sender: numbers(list(ones)) for sender, ones in groupby(found, key=lambda one: one.sender)}


def test_what_is_kept_comes_back_as_it_came(store: Store) -> None:
    """Body and headers to the byte, who sent it, when, why it was rejected, what stood in its path."""
    one = rejection(1, body=b"\x00\xff", reason=Reason.TOO_OLD)._replace(presented=b"path-part")

    assert keep(store, one) == 0

    (found,) = kept(store)
    assert found == store.quarantine.get(found.id)
    assert (found.delivery, found.presented, found.unreadable) == (one.delivery, b"path-part", None)
    assert (found.supplier, found.sender, found.reason, found.detail) == ("acme", one.sender, Reason.TOO_OLD, "no 1")
    assert (found.received_at, found.delivery_id) == (NOW + 1, str(delivery_id(1)))
    assert found.size > len(one.delivery.body)


def test_nothing_in_the_path_is_not_an_empty_secret(store: Store) -> None:
    """A supplier without a secret in its path, and a request that left it out, are told apart."""
    keep(store, rejection(1), rejection(2)._replace(presented=b""))

    assert [one.presented for one in kept(store)] == [None, b""]


def test_a_list_is_newest_first_and_shows_no_bodies(store: Store) -> None:
    """Filtered by supplier, reason and time, up to the limit."""
    keep(store, *(rejection(number, supplier=("acme", "other")[number % 2]) for number in range(6)))
    keep(store, rejection(6, reason=Reason.TOO_OLD))

    def listed(**query: object) -> list[int]:
        found = store.quarantine.find(replace(RejectedQuery(), **query))  # type: ignore[arg-type]  # as the test says
        assert all(one.delivery is None for one in found)
        return numbers(found)

    assert listed() == [6, 5, 4, 3, 2, 1, 0]
    assert listed(limit=2) == [6, 5]
    assert listed(supplier="other") == [5, 3, 1]
    assert listed(reason=Reason.TOO_OLD) == [6]
    assert listed(supplier="acme", reason=Reason.MISMATCH) == [4, 2, 0]
    assert listed(since=NOW + 2, until=NOW + 4) == [3, 2]
    assert listed(supplier="nobody") == []


def test_a_walk_sees_each_once_in_the_order_of_arrival(store: Store) -> None:
    """Page by page, with the same filters, whatever is moved out or comes in meanwhile."""
    keep(store, *(rejection(number, supplier=("acme", "other")[number % 2]) for number in range(10)))
    query = RejectedQuery(supplier="acme", since=NOW + 2, limit=2)
    pages = list[list[Rejected]]()
    after = 0
    while page := store.quarantine.walk(query, after=after):
        pages.append(page)
        after = page[-1].id
        store.quarantine.admit([(page[0].id, _proven(page[0]))])
        if len(pages) == 1:
            keep(store, rejection(12))

    assert [numbers(page) for page in pages] == [[2, 4], [6, 8], [12]]


def test_of_a_sender_the_oldest_go(store: Store) -> None:
    """No sender has more than its quota, though there is room."""
    bounds = Bounds(rows=100, per_sender=3)

    assert keep(store, *(rejection(number) for number in range(5)), bounds=bounds) == 2
    assert keep(store, rejection(5), bounds=bounds) == 1

    assert numbers(kept(store)) == [3, 4, 5]


def test_a_flood_pushes_nobody_out(store: Store) -> None:
    """When there is no room for all, the largest sender's oldest go, and a small one keeps everything."""
    bounds = Bounds(rows=10, per_sender=8)
    small, middle, flood = "198.51.100.1", "198.51.100.2", "203.0.113.7"
    keep(store, *(rejection(number, sender=small) for number in range(2)), bounds=bounds)
    keep(store, *(rejection(number, sender=middle) for number in range(10, 14)), bounds=bounds)
    for at in range(100, 200, 10):
        keep(store, *(rejection(at + number, sender=flood) for number in range(10)), bounds=bounds)

    assert by_sender(store) == {small: [0, 1], middle: [10, 11, 12, 13], flood: [196, 197, 198, 199]}


def test_one_with_a_network_of_its_own_is_one_sender(store: Store) -> None:
    """Who has one address of IPv6 has 2^64 of them; of IPv4 each is a sender, and suppliers are told apart too."""
    bounds = Bounds(rows=100, per_sender=2)
    keep(store, *(rejection(number, sender=f"2001:db8::{number}") for number in range(5)), bounds=bounds)
    keep(store, *(rejection(number, sender=f"192.0.2.{number}") for number in range(5)), bounds=bounds)
    keep(store, *(rejection(number, supplier="other", sender="2001:db8::9") for number in range(3)), bounds=bounds)

    assert len(store.quarantine.find(replace(EVERYTHING, supplier="acme"))) == 2 + 5
    assert len(store.quarantine.find(replace(EVERYTHING, supplier="other"))) == 2


def test_bytes_are_bounded_too(store: Store) -> None:
    """Of bytes a sender has the same share as of rows; what would take more than that alone is not kept at all."""
    bounds = Bounds(rows=100, per_sender=50, bytes=20_000)
    keep(store, *(rejection(number, body=b"x" * 3_000) for number in range(5)), bounds=bounds)

    assert numbers(kept(store)) == [2, 3, 4]
    assert sum(one.size for one in kept(store)) <= bounds.bytes_per_sender

    for sender, first in (("198.51.100.1", 10), ("198.51.100.2", 20)):
        large = [rejection(first + number, sender=sender, body=b"x" * 4_000) for number in range(4)]
        keep(store, *large, bounds=bounds)

    assert sum(one.size for one in kept(store)) <= bounds.bytes
    assert by_sender(store) == {"198.51.100.1": [13], "198.51.100.2": [23], "203.0.113.7": [3, 4]}
    keep(store, rejection(30, sender="198.51.100.3", body=b"x" * 10_001), bounds=bounds)
    assert "198.51.100.3" not in by_sender(store)


def test_what_is_too_old_is_forgotten(store: Store) -> None:
    """With whatever is kept next, and when asked to."""
    bounds = Bounds(keep_ms=1000)
    keep(store, rejection(0), rejection(500), bounds=bounds)

    assert keep(store, rejection(1400), bounds=bounds, now=NOW + 1400) == 1
    assert numbers(kept(store)) == [500, 1400]
    assert store.quarantine.forget_old(before=NOW + 500) == 0
    assert store.quarantine.forget_old(before=NOW + 501) == 1
    assert numbers(kept(store)) == [1400]


def _proven(one: Rejected) -> Verified:
    assert one.delivery
    return Verified(one.delivery._replace(via=Via.REVERIFY), "env:ACME_SECRET", b"evt-1")


def test_what_is_proven_moves_into_the_event_log(store: Store) -> None:
    """With its id and its time of arrival, marked for what it is, queued as any other; the rest stays."""
    keep(store, rejection(1), rejection(2))
    first, second = kept(store)

    assert store.quarantine.admit([(first.id, _proven(first))]) == [True]

    assert kept(store) == [second]
    (claimed,) = claim_events(store)
    assert claimed.event.delivery_id == first.delivery_id
    assert (claimed.event.received_at, claimed.event.via) == (NOW + 1, Via.REVERIFY)
    assert (claimed.event.matched, claimed.event.event_id) == ("env:ACME_SECRET", b"evt-1")
    assert first.delivery
    assert (claimed.event.headers, claimed.event.body) == (first.delivery.headers, first.delivery.body)


def test_nobody_moves_the_same_twice(store: Store) -> None:
    """Of two who heal at once the second is told, and no event is made twice."""
    keep(store, *(rejection(number) for number in range(300)))
    everything = kept(store)
    proven = [(one.id, _proven(one)) for one in everything]

    assert store.quarantine.admit(proven[:10]) == [True] * 10
    assert store.quarantine.admit(proven) == [False] * 10 + [True] * 290
    assert store.quarantine.admit([]) == []

    assert kept(store) == []
    assert len(store.events.find(EventQuery(state=EventState.QUEUED, limit=1000))) == 300


def test_an_unknown_number_is_nothing(store: Store) -> None:
    """There is no such rejection, and a number is never used again."""
    keep(store, rejection(1))
    (one,) = kept(store)
    store.quarantine.admit([(one.id, _proven(one))])
    keep(store, rejection(2))

    assert store.quarantine.get(one.id) is None
    assert [again.id for again in kept(store)] == [one.id + 1]
