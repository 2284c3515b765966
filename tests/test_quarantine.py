"""From rejected deliveries to the quarantine, and from there to orders."""

import hmac
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.store.building import NOW, delivery_id
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.admission import admit
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import Reason
from webhookctl.core.events import EventState
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import ActionKind, OrderStatus, Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.quarantine import Bounds, Rejection
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.quarantine import ROWS_A_TURN, Reverify, WaitingRoom
from webhookctl.server.receiver import SupplierDoor
from webhookctl.suppliers import preset

WRONG, RIGHT = b"the secret that was wrong for an hour", b"the secret that the supplier has got"
GENERIC = preset("generic")
SCHEME = Scheme.parse({key: value for key, value in GENERIC.items() if key in Scheme.KEYS})
EVERYTHING = RejectedQuery(limit=1_000_000)
HOUR = 3_600_000


def door(*secrets: bytes, **keys: Any) -> SupplierDoor:  # noqa: ANN401 - a door's own fields
    named = [Secret(secret, f"env:{'RIGHT' if secret == RIGHT else 'WRONG'}") for secret in secrets or (RIGHT,)]
    return SupplierDoor("acme", SCHEME, SCHEME.keys(named), **keys)


def delivery(number: int, body: bytes = b"{}", *, secret: bytes = RIGHT, at: int = NOW) -> Delivery:
    signature = hmac.digest(secret, body, "sha256").hex().encode()
    return Delivery("acme", body, ((b"x-webhook-signature", signature),), at + number, delivery_id(number).bytes)


def rejection(number: int, body: bytes = b"{}", *, sender: str = "203.0.113.7", secret: bytes = RIGHT) -> Rejection:
    return Rejection(delivery(number, body, secret=secret), sender, Reason.MISMATCH, "no")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=True)) as opened:
        yield opened


def said(kind: str, reference: int) -> bytes:
    code = {"items": [{"sku": "steam-20", "code": f"CODE-{reference}"}]} if kind == "fulfilled" else {}
    status = "pending" if kind == "created" else kind
    data = {"order_id": f"SUP-{reference}", "reference": f"ORD-{reference}", "status": status} | code
    return json.dumps({"event": f"order.{kind}", "data": data}).encode()


@dataclass
class Shop:
    """A store, and the supplier whose deliveries go into it."""

    store: SqliteStore
    count: int = 0

    def reject(self, *bodies: bytes) -> None:
        rejections = [rejection(self._next(), body) for body in bodies]
        for at in range(0, len(rejections), ROWS_A_TURN):
            self.store.quarantine.keep(rejections[at : at + ROWS_A_TURN], Bounds(), now=NOW)

    def receive(self, *bodies: bytes) -> None:
        came = [delivery(self._next(), body, at=NOW + HOUR) for body in bodies]
        proven = [admit(one, door(), sender="", presented=None, now=one.received_at) for one in came]
        self.store.intake.accept(proven)

    def apply(self) -> None:
        apply = Apply(self.store.events, self.store.orders, {"acme": Supplier(Mapping.parse(GENERIC["map"]), Policy())})
        while apply.run(now=NOW + 2 * HOUR, limit=500):
            pass

    def heal(self, *secrets: bytes) -> int:
        return Reverify(self.store.quarantine, {"acme": door(*secrets)}, EVERYTHING).heal()

    def _next(self) -> int:
        self.count += 1
        return self.count


def test_five_thousand_are_healed(store: SqliteStore) -> None:
    """Half of them came again later, some orders were refunded since: each ends where it should, one delivery each."""
    shop = Shop(store)
    orders = range(2_500)
    shop.reject(*(said(kind, number) for number in orders for kind in ("created", "fulfilled")))
    shop.receive(*(said(kind, number) for number in orders[::2] for kind in ("fulfilled", "created")))
    shop.receive(*(said("refunded", number) for number in orders[::100]))
    shop.apply()

    assert shop.heal() == 5_000
    shop.apply()

    refunded = {f"ORD-{number}" for number in orders[::100]}
    found = store.orders.find(OrderQuery(limit=5_000))
    assert {one.reference for one in found} == {f"ORD-{number}" for number in orders}
    assert {one.reference for one in found if one.status is not OrderStatus.FULFILLED} == refunded
    assert {one.status for one in found} == {OrderStatus.FULFILLED, OrderStatus.REFUNDED}
    delivered = Counter(one.subject for one in store.outbox.find(ActionQuery(kind=ActionKind.DELIVER, limit=5_000)))
    assert set(delivered.values()) == {1}
    assert delivered.keys() == {one.reference for one in found}
    states = Counter(one.state for one in store.events.find(EventQuery(limit=10_000)))
    assert states == {EventState.DONE: 5_025, EventState.DUPLICATE: 2_500}
    assert store.quarantine.find(RejectedQuery()) == []
    assert shop.heal() == 0


def test_a_plan_changes_nothing(store: SqliteStore) -> None:
    """It says how many verify now, of each supplier and reason, and why the others stay."""
    forged = [rejection(number, secret=b"a forger's own idea of our secret") for number in range(3)]
    others = [
        rejection(number)._replace(delivery=delivery(number)._replace(supplier="gone")) for number in range(10, 12)
    ]
    late = [rejection(20)._replace(reason=Reason.TOO_OLD)]
    store.quarantine.keep([*forged, *others, *late, rejection(21)], Bounds(), now=NOW)
    before = store.quarantine.walk(EVERYTHING)

    plan = Reverify(store.quarantine, {"acme": door()}, EVERYTHING).plan()

    assert plan.verifying == 2
    assert [tuple(row.values()) for row in plan.rows()] == [
        ("acme", "mismatch", 4, 1),
        ("acme", "too_old", 1, 1),
        ("gone", "mismatch", 2, 0),
    ]
    assert [tuple(row.values()) for row in plan.still_rows()] == [
        ("acme", "rejected for mismatch", 3),
        ("gone", "the supplier is not in the settings", 2),
    ]
    assert store.quarantine.walk(EVERYTHING) == before
    assert store.events.find(EventQuery()) == []


def test_what_does_not_verify_stays(store: SqliteStore) -> None:
    """Healing takes what is meant and proven, and nothing else; a supplier that was deleted loses nothing."""
    shop = Shop(store)
    shop.reject(said("created", 1))
    store.quarantine.keep([rejection(50, secret=b"a forger's own idea of our secret")], Bounds(), now=NOW)

    assert shop.heal(WRONG) == 0
    assert Reverify(store.quarantine, {}, EVERYTHING).heal() == 0
    assert len(store.quarantine.find(RejectedQuery())) == 2
    assert shop.heal(WRONG, RIGHT) == 1
    assert [one.received_at for one in store.quarantine.find(RejectedQuery())] == [NOW + 50]


def test_the_clock_is_that_of_the_arrival(store: SqliteStore) -> None:
    """What was fresh when it came is fresh when it is healed; what was a replay then is one for ever."""
    scheme = Scheme.parse(
        {"signature_header": "x-sig", "timestamp_header": "x-time", "signed": "{timestamp}.{body}", "tolerance": "5m"}
    )

    def timed(number: int, sent_at: int) -> Rejection:
        time = str(sent_at // 1000).encode()
        signature = hmac.digest(RIGHT, time + b".{}", "sha256").hex().encode()
        came = delivery(number)._replace(headers=((b"x-sig", signature), (b"x-time", time)))
        return Rejection(came, "203.0.113.7", Reason.MISMATCH, "no")

    store.quarantine.keep([timed(1, NOW), timed(2, NOW - HOUR), timed(3, NOW + HOUR)], Bounds(), now=NOW)
    doors = {"acme": replace(door(), scheme=scheme, keys=scheme.keys([Secret(RIGHT, "env:RIGHT")]))}
    again = Reverify(store.quarantine, doors, EVERYTHING)

    assert again.plan().still == {("acme", "rejected for too_old"): 1, ("acme", "rejected for in_future"): 1}
    assert again.heal() == 1
    assert [one.received_at for one in store.events.find(EventQuery())] == [NOW + 1]


def test_addresses_and_paths_are_judged_again(store: SqliteStore) -> None:
    """An address that was forgotten in allow_ips is mended like a secret; one that is not named now stays outside."""
    path = Secret(b"new-path-secret-0123", "env:PATH_SECRET")
    wrong = rejection(2)._replace(presented=b"guessed")
    store.quarantine.keep(
        [rejection(1)._replace(presented=path.value), wrong, rejection(3, sender="198.51.100.1")], Bounds(), now=NOW
    )

    def verifying(**keys: Any) -> int:  # noqa: ANN401 - a door's own fields
        return Reverify(store.quarantine, {"acme": door(**keys)}, EVERYTHING).plan().verifying

    assert verifying(allowed=(ip_network("192.0.2.0/24"),)) == 0
    assert verifying(allowed=(ip_network("203.0.113.0/24"),)) == 2
    assert verifying(path_secrets=(path,)) == 1
    assert verifying(path_secrets=(path,), allowed=(ip_network("198.51.100.0/24"),)) == 0


def test_a_page_that_was_healed_meanwhile_is_no_harm(store: SqliteStore) -> None:
    """Two people heal at once: each delivery becomes one event."""
    shop = Shop(store)
    shop.reject(*(said("created", number) for number in range(600)))
    healed = list[int]()

    def somebody_else(_: int) -> None:
        if not healed:
            healed.append(shop.heal())

    first = Reverify(store.quarantine, {"acme": door()}, EVERYTHING).heal(somebody_else)

    assert (first, healed) == (250, [350])
    assert len(store.events.find(EventQuery(limit=1_000))) == 600


def test_a_flood_gets_no_more_of_a_turn_than_others() -> None:
    """Of a hundred rows a turn each source has the same part; what nobody else needs, the flood may have."""
    room = WaitingRoom()
    for number in range(5_000):
        room.put(rejection(number, sender="198.51.100.66"))
        if number % 200 == 0:
            room.put(rejection(number, sender="203.0.113.7"))

    first, second = room.take(), room.take()

    assert Counter(one.sender for one in first) == {"203.0.113.7": 25, "198.51.100.66": 75}
    assert Counter(one.sender for one in second) == {"198.51.100.66": 100}
    assert len(room) + 200 + room.take_unkept() == 5_025
    assert room.take_unkept() == 0


def test_what_waits_is_bounded() -> None:
    """In rows, in bytes and in senders: a flood of large bodies, or from a thousand places, costs no more memory."""
    many, large = WaitingRoom(), WaitingRoom()
    for number in range(3_000):
        many.put(rejection(number, sender=f"198.51.{number // 250}.{number % 250}"))
    body = b"x" * (1 << 20)
    for number in range(100):
        large.put(rejection(number, body))

    assert len(many) == 256
    assert 10 <= len(large) <= 16
    assert many.take_unkept() == 3_000 - 256
    assert len(large.take()) == 3  # of what is allowed to a turn


def test_what_is_larger_than_a_turn_is_kept_all_the_same() -> None:
    """One at least is taken, however large it is."""
    room = WaitingRoom()
    room.put(rejection(1, b"x" * (5 << 20)))
    room.put(rejection(2))

    assert [one.delivery.received_at for one in room.take()] == [NOW + 1]
    assert [one.delivery.received_at for one in room.take()] == [NOW + 2]
    assert room.take() == []
