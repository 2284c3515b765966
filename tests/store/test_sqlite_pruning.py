"""Pruning: what ended long ago goes, its codes with it, and what is not over stays."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import uuid_utils

from tests.store.building import rejection
from tests.store.shop import BEFORE, CODE, DAY, NOW, THEN, Shop
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.errors import StoreBusyError, StoreFullError
from webhookctl.core.events import EventState
from webhookctl.core.orders import ActionState
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.ports.upkeep import Pruned, PruneMark
from webhookctl.core.quarantine import Bounds
from webhookctl.flows import prune
from webhookctl.flows.prune import Prune


def dead(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"))
    shop.act(ActionState.DEAD)


def ambiguous(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"))
    shop.act(ActionState.AMBIGUOUS)


def waiting(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"))


def running(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"))
    shop.claim()


def held(shop: Shop) -> None:
    shop.end("created", "fulfilled")
    shop.arrive(shop.said("fulfilled").replace(b"S-R1", b"S-R2"))
    shop.act()


def held_deliver(shop: Shop) -> None:
    shop.end("failed")
    shop.arrive(shop.said("fulfilled"))
    shop.act()


def pending(shop: Shop) -> None:
    shop.end("created", reference="pending")


def partial_(shop: Shop) -> None:
    shop.end("partial")


def unknown(shop: Shop) -> None:
    shop.arrive(b'{"event": "order.fulfilled", "data": {"order_id": "S-9", "items": [{"sku": "a", "code": "X-1"}]}}')
    shop.act()


def unreadable(shop: Shop) -> None:
    shop.arrive(b"no JSON")
    shop.act()


def young(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"), at=BEFORE + 1)
    shop.act(at=BEFORE + 1)


def delivered_late(shop: Shop) -> None:
    shop.arrive(shop.said("fulfilled"))
    shop.act(at=BEFORE)


def queued(shop: Shop) -> None:
    delivery = Delivery("acme", shop.said("created"), (), THEN, uuid_utils.uuid7().bytes, Via.WEBHOOK)
    shop.store.intake.accept([Verified(delivery, "env:S")])


@pytest.mark.parametrize(
    "unfinished",
    [dead, ambiguous, waiting, running, held, held_deliver, pending, partial_, young, delivered_late, queued],
)
def test_what_is_not_over_stays_whole(shop: Shop, unfinished: Callable[[Shop], None]) -> None:
    """Undelivered, dead, held, ambiguous, waiting, pending, partial, or younger: nothing of it is touched."""
    unfinished(shop)
    before = contents(shop)

    planned = Prune(shop.store.upkeep, BEFORE, NOW).plan()
    took = shop.prune()

    assert (planned.rows, took.rows) == (0, 0)
    assert contents(shop) == before


@pytest.mark.parametrize("set_aside", [unknown, unreadable])
def test_an_event_that_waits_for_somebody_stays(shop: Shop, set_aside: Callable[[Shop], None]) -> None:
    """What waits for its order, and what could not be read, is kept until somebody has dealt with it."""
    set_aside(shop)

    shop.prune()

    (event,) = shop.store.events.find(EventQuery())
    assert event.state is EventState.DEAD


def contents(shop: Shop) -> dict[str, list[object]]:
    with shop.store.connection.reading() as raw:
        tables = ("events", "event_keys", "event_orders", "orders", "items", "actions", "attempts")
        return {
            table: raw.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own words
            for table in tables
        }


def test_a_dead_event_keeps_its_order(shop: Shop) -> None:
    """Somebody may yet have it handled again: then the order's story must be there."""
    shop.end("created", "fulfilled")
    shop.arrive(shop.said("refunded"))
    shop.act()
    with shop.store.connection.writing() as raw:
        raw.execute("UPDATE events SET state = 'dead' WHERE id = 3")

    assert shop.prune().orders == 0


def test_a_webhook_of_several_orders_goes_with_the_last(shop: Shop) -> None:
    """As long as one of them is not over, the webhook stays; which orders it named goes with it."""
    shop.end("created", "fulfilled")
    shop.end("created", reference="R2")
    spoken = [
        (4, 0, "acme", "done", "order.fulfilled", "R1", "S-R1"),
        (4, 1, "acme", "done", "order.created", "R2", "S-R2"),
    ]
    shop.arrive(b'{"event": "ping"}')
    with shop.store.connection.writing() as raw:
        raw.execute("UPDATE events SET state = 'done' WHERE id = 4")
        raw.executemany(
            "INSERT INTO event_orders (event_id, position, supplier, state, type, reference, order_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            spoken,
        )

    shop.prune()
    first = [event.id for event in shop.store.events.find(EventQuery())]
    shop.end("fulfilled", reference="R2")
    shop.prune()

    assert first == [3, 4]
    assert shop.store.events.find(EventQuery()) == []


def test_the_codes_are_gone_from_the_file(shop: Shop, path: Path) -> None:
    """Not even in what was freed: the room itself is overwritten, and goes back to the disk."""
    for number in range(60):
        shop.end("created", "fulfilled", reference=f"R{number}")
    shop.arrive(*[shop.said("created", "R1", salt=f"{number} {' ' * 9_000}") for number in range(60)])
    shop.store.connection.checkpoint()
    before, size = path.read_bytes(), path.stat().st_size

    took = shop.prune()
    shop.store.close()

    assert CODE.encode() in before
    assert CODE.encode() not in path.read_bytes()
    assert not path.with_name("shop.db-wal").exists()
    assert path.stat().st_size < size / 2
    assert took.bytes > 0


def test_long_bodies_go_a_few_at_a_time(shop: Shop, path: Path) -> None:
    """What goes is overwritten by way of the journal: on a full disk that has no more room than the reserve."""
    for number in range(30):
        shop.end("created", "fulfilled", reference=f"R{number}")
        shop.arrive(shop.said("created", f"R{number}", salt=" " * 700_000), at=THEN + number)
    shop.store.connection.checkpoint()
    planned = Prune(shop.store.upkeep, BEFORE, NOW).plan()

    took = shop.prune(limit=prune.BATCH)

    assert (planned.events, took.events) == (90, 90)
    assert path.with_name("shop.db-wal").stat().st_size < 8 << 20


@pytest.mark.parametrize("limit", [1, 7])
def test_plan_and_pruning_agree(shop: Shop, limit: int) -> None:
    """The plan counts what is taken, in steps of whatever size; a second run finds nothing."""
    for number in range(10):
        shop.end("created", "fulfilled" if number % 3 else "failed", reference=f"R{number}")
    pending(shop)
    shop.store.quarantine.keep([rejection()], Bounds(10, 1 << 20, 10, 600 * DAY), now=THEN)
    with shop.store.connection.writing() as raw:
        raw.execute("UPDATE rejected SET received_at = ?", (THEN,))

    planned = Prune(shop.store.upkeep, BEFORE, NOW).plan()
    took, again = shop.prune(limit=limit), shop.prune(limit=limit)

    assert (planned.orders, planned.events, planned.rejected) == (10, 20, 1)
    assert (took.orders, took.events, took.actions, took.rejected) == (
        planned.orders,
        planned.events,
        planned.actions,
        planned.rejected,
    )
    assert again.rows == 0


def test_broken_off_it_is_begun_again(shop: Shop) -> None:
    """After each step the store is whole; whatever the moment, a second run takes the rest."""
    for number in range(6):
        shop.end("created", "fulfilled", reference=f"R{number}")
    steps = iter([True, True, False])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prune, "BATCH", 1)
        first = Prune(shop.store.upkeep, BEFORE, NOW, goes_on=lambda: next(steps, False), rest=lambda _: None).run()
    shop.arrive(*[shop.said("fulfilled", f"R{number}", salt="again") for number in range(6)], at=NOW)
    assert shop.store.outbox.find(ActionQuery(state=ActionState.WAITING)) == []
    shop.prune()

    assert 0 < first.orders < 6
    assert all(order.pruned_at for order in shop.store.orders.find(OrderQuery()))


def test_an_event_that_was_applied_meanwhile_finds_a_pruned_order(shop: Shop) -> None:
    """A worker that had read the order before it was pruned writes nothing by what it read."""
    shop.end("created", "fulfilled")
    order = shop.store.orders.get([("acme", "R1")])["acme", "R1"]
    shop.prune()

    assert shop.store.orders.get([("acme", "R1")])["acme", "R1"].version == order.version + 1


def test_a_step_that_took_long_is_followed_by_a_long_rest(shop: Shop) -> None:
    """After each that wrote: SQLite's lock is no queue, and on a slow disk others would hardly ever get it."""
    shop.end("created", "fulfilled")
    ticks, rests, steps = itertools.count(), list[float](), list[int]()

    Prune(shop.store.upkeep, BEFORE, NOW, rest=rests.append, clock=lambda: next(ticks) / 4).run(steps.append)

    assert set(rests) == {0.25}
    assert len(rests) > 2 * sum(rows > 0 for rows in steps)  # after what was taken, and after what that gave back


class Troubled:
    """An upkeep that fails now and then."""

    def __init__(self, shop: Shop, *errors: Exception) -> None:
        self.errors = list(errors)
        self.upkeep = shop.store.upkeep

    def prune(self, after: PruneMark | None, *, before: int, now: int, limit: int, plan: bool = False) -> Pruned:
        if self.errors:
            raise self.errors.pop(0)
        return self.upkeep.prune(after, before=before, now=now, limit=limit, plan=plan)

    def __getattr__(self, name: str) -> object:
        return getattr(self.upkeep, name)


def test_a_full_disk_is_given_its_reserve(shop: Shop) -> None:
    """Deleting needs room too: the reserve is given back once, and then it goes on; without one it says so."""
    shop.end("created", "fulfilled")
    reserves = [True]
    give_back = lambda: bool(reserves) and reserves.pop()  # noqa: E731 - a reserve that can be given back once

    full = Troubled(shop, StoreFullError("full"), StoreFullError("full"))
    with pytest.raises(StoreFullError):
        Prune(full, BEFORE, NOW, give_back, rest=lambda _: None).run()  # type: ignore[arg-type]  # half a port
    reserves.append(True)
    once = Troubled(shop, StoreFullError("full"), StoreBusyError("busy"))
    took = Prune(once, BEFORE, NOW, give_back, rest=lambda _: None).run()  # type: ignore[arg-type]  # half a port

    assert took.orders == 1
