"""Pruning: what ended long ago goes, its codes with it, and nothing of it is ever delivered again."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
import uuid_utils

from tests.store.building import rejection
from webhookctl import suppliers
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.errors import StoreBusyError, StoreFullError, UsageError
from webhookctl.core.events import EventState
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import (
    ActionKind,
    ActionState,
    ConfirmRule,
    Intervention,
    OrderStatus,
    Policy,
    Registered,
    Registration,
    paid,
)
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import OrderQuery, Reveal
from webhookctl.core.ports.outbox import ActionQuery, ClaimedAction, Settlement
from webhookctl.core.ports.upkeep import Pruned, PruneMark
from webhookctl.core.quarantine import Bounds
from webhookctl.flows import decide, prune
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.prune import Prune, Total
from webhookctl.flows.register import Register
from webhookctl.flows.reveal import reveal

DAY: Final = 86_400_000
THEN: Final = 1_700_000_000_000
NOW: Final = THEN + 500 * DAY
BEFORE: Final = NOW - 400 * DAY
CODE: Final = "CANARY-AAAA-BBBB"
STATUSES: Final = {"created": "pending"}
ENDINGS: Final = {
    "fulfilled": ("created", "fulfilled"),
    "failed": ("created", "failed"),
    "refunded": ("created", "refunded"),
    "refunded after delivery": ("created", "fulfilled", "refunded"),
    "fulfilled after failure": ("failed", "fulfilled"),
}


class Shop:
    """A store, and what supplier, worker and operator do with it."""

    def __init__(self, store: SqliteStore, confirm: ConfirmRule = ConfirmRule.NONE) -> None:
        self.store = store
        self.at = THEN
        self.policy = Policy(can_ask=confirm is ConfirmRule.POLL, confirm=confirm)

    def said(self, word: str, reference: str = "R1", *, code: str = CODE, salt: str = "") -> bytes:
        items = [{"sku": "a", "code": code}] if word == "fulfilled" else []
        data = {
            "reference": reference,
            "order_id": f"S-{reference}",
            "status": STATUSES.get(word, word),
            "items": items,
        }
        return json.dumps({"event": f"order.{word}", "data": data, "salt": salt}).encode()

    def arrive(self, *bodies: bytes, via: Via = Via.WEBHOOK, at: int = THEN, supplier: str = "acme") -> None:
        """Take deliveries in and apply them."""
        deliveries = [Delivery(supplier, body, (), at, uuid_utils.uuid7().bytes, via) for body in bodies]
        self.store.intake.accept([Verified(delivery, "env:S") for delivery in deliveries])
        mapping = Mapping.parse(suppliers.preset("generic")["map"])
        Apply(self.store.events, self.store.orders, {"acme": Supplier(mapping, self.policy)}).run(now=at)

    def claim(self, *, at: int = THEN) -> list[ClaimedAction]:
        return self.store.outbox.claim(tuple(ActionKind), now=at, limit=100, lease_ms=60_000)

    def act(self, state: ActionState = ActionState.DONE, *, at: int = THEN) -> list[ActionKind]:
        """Carry out all that is due; returns which kinds that were."""
        claimed = self.claim(at=at)
        self.store.outbox.settle([Settlement(one.action.id, one.claim, state, "", at) for one in claimed], now=at)
        return [one.action.kind for one in claimed]

    def end(self, *words: str, reference: str = "R1") -> None:
        """Have an order come all the way to its end."""
        self.at += 1
        for word in words:
            self.arrive(self.said(word, reference), at=self.at)
            for held in self.store.outbox.find(ActionQuery(state=ActionState.HELD)):
                by = Intervention(self.at, "ann", "released", "the customer waits")
                decide.release_order(
                    self.store.orders, (held.supplier, held.subject), by, refund=False, although_refunded=True
                )
            self.act(at=self.at)

    def prune(self, *, limit: int = 100) -> Total:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prune, "BATCH", limit)
            return Prune(self.store.upkeep, BEFORE, NOW, rest=lambda _: None).run()

    def order(self, reference: str = "R1") -> tuple[OrderStatus, bool]:
        found = self.store.orders.get([("acme", reference)])["acme", reference]
        return found.status, found.pruned_at is not None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def shop(path: Path) -> Iterator[Shop]:
    """In clear, so that what is in the file can be looked for."""
    store = open_store(path, ClearCipher(), create=True)
    yield Shop(store)
    store.close()


def polled(word: str, code: str) -> bytes:
    said = {"version": 1, "reference": "R1", "order_id": "S-R1", "status": word, "updated_at": THEN}
    return json.dumps(said | {"items": [{"sku": "a", "code": code}] if word == "fulfilled" else []}).encode()


@pytest.mark.parametrize("words", ENDINGS.values(), ids=ENDINGS)
def test_nothing_is_delivered_again(shop: Shop, words: Sequence[str]) -> None:
    """Whatever of a pruned order is sent again, by whichever way and with whichever id and code, it stays as it ended.

    Neither a `deliver` nor a `refund` or a `notify` comes of it; at most a person is told of what is new.
    """
    captured = [shop.said(word) for word in words]
    shop.end(*words)
    before, _ = shop.order()
    shop.prune()
    assert shop.store.outbox.find(ActionQuery()) == []

    for via in (Via.WEBHOOK, Via.IMPORT, Via.REVERIFY):
        shop.arrive(*captured, via=via, at=NOW)
    for word in ("created", "partial", "failed", "fulfilled", "refunded"):
        for code in (CODE, "OTHER-CODE-1"):
            shop.arrive(shop.said(word, code=code, salt=f"another event, {code}"), at=NOW)
            shop.arrive(polled(STATUSES.get(word, word), code), via=Via.POLL, at=NOW)

    assert shop.order() == (before, True)
    assert set(shop.act(at=NOW)) <= {ActionKind.ALERT}
    assert {one.kind for one in shop.store.outbox.find(ActionQuery())} <= {ActionKind.ALERT}
    assert shop.store.orders.get([("acme", "R1")])["acme", "R1"].items == ()


def test_a_captured_delivery_is_known_for_ever(shop: Shop) -> None:
    """The key of a pruned event stays, and so does the number of the event that had it first."""
    captured = shop.said("fulfilled")
    shop.end("created", "fulfilled")
    assert shop.prune().events == 2

    shop.arrive(captured, at=NOW)

    (event,) = shop.store.events.find(EventQuery())
    assert (event.state, event.duplicate_of) == (EventState.DUPLICATE, 2)


@pytest.mark.parametrize(
    ("ended", "news", "alerts"),
    [("fulfilled", "refunded", 1), ("failed", "fulfilled", 1), ("fulfilled", "created", 0), ("refunded", "failed", 0)],
)
def test_news_of_a_pruned_order_are_told(shop: Shop, ended: str, news: str, alerts: int) -> None:
    """A person hears, once, what would have moved the order, and that nothing was done about it."""
    shop.end("created", ended)
    shop.prune()

    for number in range(2):
        shop.arrive(shop.said(news, salt=str(number)), at=NOW)

    told = shop.store.outbox.find(ActionQuery(kind=ActionKind.ALERT))
    assert len(told) == alerts
    assert all(f"had ended as {ended} and was pruned; now it is said to be {news}" in one.detail for one in told)
    assert "stays so" in (shop.store.events.find(EventQuery())[0].error or "")


def test_a_supplier_that_gives_only_its_own_id_is_understood(shop: Shop) -> None:
    """The order id of a pruned order still leads to it, so that no event waits for it for ever."""
    shop.end("created", "fulfilled")
    shop.prune()

    body = {"event": "order.fulfilled", "data": {"order_id": "S-R1", "items": [{"sku": "a", "code": CODE}]}}
    shop.arrive(json.dumps(body).encode(), at=NOW)

    (event,) = shop.store.events.find(EventQuery())
    assert (event.state, event.reference) == (EventState.DONE, "R1")
    assert shop.store.outbox.find(ActionQuery()) == []


def test_a_hint_has_nobody_asked_about_a_pruned_order(path: Path) -> None:
    """Anybody could send hints: about what was pruned they cause nothing."""
    store = open_store(path, ClearCipher(), create=True)
    shop = Shop(store)
    shop.end("created", "fulfilled")
    shop.prune()

    Shop(store, ConfirmRule.POLL).arrive(shop.said("refunded"), at=NOW)

    assert store.orders.get([("acme", "R1")])["acme", "R1"].ask_at is None
    assert store.outbox.find(ActionQuery()) == []
    store.close()


def test_the_same_reference_at_another_supplier_is_held(shop: Shop) -> None:
    """Pruned or not, the reference is taken."""
    shop.end("created", "fulfilled")
    shop.prune()
    mapping = Mapping.parse(suppliers.preset("generic")["map"])
    body = shop.said("fulfilled", code="OTHER-CODE-2")
    delivery = Delivery("other", body, (), NOW, uuid_utils.uuid7().bytes, Via.WEBHOOK)
    shop.store.intake.accept([Verified(delivery, "env:S")])

    Apply(shop.store.events, shop.store.orders, {"other": Supplier(mapping, Policy())}).run(now=NOW)

    (deliver,) = shop.store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    assert deliver.state is ActionState.HELD


def test_registering_a_pruned_order_again(shop: Shop) -> None:
    """The same order is known; another one of its reference is refused by telling a person, as it would never come."""
    shop.end("created", "fulfilled")
    shop.prune()
    register = Register(shop.store.orders, {"acme": shop.policy})

    same = register.run([Registration("acme", "R1", "S-R1", ("a", "b"), paid("5.00", "EUR"))], now=NOW)
    other = register.run([Registration("acme", "R1", "S-2")], now=NOW)

    assert [one.state for one in (*same, *other)] == [Registered.KNOWN, Registered.HELD]
    (alert,) = shop.store.outbox.find(ActionQuery())
    assert "an older order of this reference was pruned" in alert.detail
    assert shop.order() == (OrderStatus.FULFILLED, True)


def test_what_people_can_not_do_with_a_pruned_order(shop: Shop) -> None:
    """To hold, release or reveal it is refused with the day it was pruned."""
    shop.end("created", "fulfilled")
    shop.prune()
    by = Intervention(NOW, "ann", "held", "why")
    orders = shop.store.orders

    with pytest.raises(UsageError, match=r"was pruned at 2025-.*nothing that could be held"):
        decide.hold_order(orders, ("acme", "R1"), by)
    with pytest.raises(UsageError, match="nothing that could be released"):
        decide.release_order(orders, ("acme", "R1"), by, refund=True, although_refunded=True)
    with pytest.raises(UsageError, match="nothing that could be revealed"):
        reveal(orders, "acme", "R1", Reveal(NOW, "ann", "why"))


def test_what_remains(shop: Shop) -> None:
    """How the order ended, what was done under which id, who looked at its codes and at its webhooks as they came."""
    shop.end("created", "fulfilled")
    (deliver,) = shop.store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    shop.store.orders.record_reveal("acme", "R1", Reveal(THEN, "ann", "a look"))
    shop.store.events.record_reveal(2, Reveal(THEN, "bob", "another"))

    shop.prune()

    story = shop.store.orders.story("acme", "R1")
    assert story is not None
    assert story.order.remains == f"deliver done, webhook-id {deliver.id}"
    assert (story.order.status, story.order.order_id) == (OrderStatus.FULFILLED, "S-R1")
    assert [(one.who, one.reason) for one in story.reveals] == [
        ("ann", "a look"),
        ("bob", "event 2 as it came: another"),
    ]
    assert (list(story.events), list(story.actions), list(story.attempts)) == ([], [], [])


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
    ticks, rests = itertools.count(), list[float]()

    Prune(shop.store.upkeep, BEFORE, NOW, rest=rests.append, clock=lambda: next(ticks) / 4).run()

    steps_and_what_they_freed = 2
    assert rests[:steps_and_what_they_freed] == [0.75, 0.25]
    assert set(rests) == {0.75, 0.25}


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
