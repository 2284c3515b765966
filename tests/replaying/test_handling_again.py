"""Handling again, over the real store."""

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.replaying.scene import EVERYTHING, GENERIC, Shop, counted, said, shop_at
from webhookctl.core.events import EventState, StoredEvent
from webhookctl.core.mapping import Mapping
from webhookctl.core.orders import ActionKind, OrderStatus, Policy
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows.apply import Supplier
from webhookctl.flows.replay import ALONE, LIVE, Pace, Tally, selected
from webhookctl.suppliers import preset

STORY = (
    said("created", "R1"),
    said("fulfilled", "R1"),
    said("failed", "R2"),
    said("fulfilled", "R2"),
    said("fulfilled", "R3"),
    said("refunded", "R3"),
    said("fulfilled", "R3", "OTHER"),
    said("partial", "R4"),
    said("failed", "R1"),
)
"""Orders on which events contradict each other, so that people are told and things are held."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shop_at(tmp_path / "shop.db") as found:
        yield found


def test_what_was_handled_is_not_done_twice_nor_told_twice(shop: Shop) -> None:
    """Everything once more: no order moves, nothing is asked for, and nothing is written at all."""
    shop.arrive(*STORY)
    shop.apply()
    shop.deliver()
    before, states = shop.asked(), shop.states()
    changes = shop.store.connection._raw.total_changes  # noqa: SLF001 - what was written, which no port tells

    plan, done = shop.plan(), shop.run()

    assert plan == done == {"already_applied": 9, "already_delivered": 1, "asked_before": 3}
    assert (shop.asked(), shop.states()) == (before, states)
    assert shop.store.connection._raw.total_changes == changes  # noqa: SLF001 - as above


def test_what_nobody_could_apply_is_applied(shop: Shop) -> None:
    """The supplier was not in the settings: the plan says what becomes of its events, and then it does."""
    shop.supplier = None
    shop.arrive(*STORY)
    shop.apply()
    assert set(shop.states()) == {"dead"}
    shop.supplier = GENERIC

    plan = shop.plan(missing=True)
    assert set(shop.states()) == {"dead"}
    done = shop.run(missing=True)

    expected = {"apply": 9, "deliver": 3, "refund": 1, "notify": 1}
    assert plan == done
    assert {name: plan[name] for name in expected} == expected
    assert shop.statuses() == {"R1": "fulfilled", "R2": "fulfilled", "R3": "refunded", "R4": "partial"}
    assert shop.plan(missing=True) == {}


def test_it_comes_to_the_same_as_handling_on_the_day(tmp_path: Path) -> None:
    """Orders and what they ask for are those of a shop in which nothing went wrong."""
    with shop_at(tmp_path / "well.db") as well, shop_at(tmp_path / "late.db") as late:
        well.arrive(*STORY)
        well.apply()
        late.supplier = None
        late.arrive(*STORY)
        late.apply()
        late.supplier = GENERIC
        late.run()

        asked = [one for one in late.asked() if one[1]]  # without the alert that something can't be read
        assert (asked, late.statuses()) == (well.asked(), well.statuses())


def test_what_waits_in_the_queue_is_missing_too(shop: Shop) -> None:
    """Without a worker: queued and dead ones are handled in order of arrival, queued ones without a claim."""
    shop.supplier = None
    shop.arrive(said("created", "R1"))
    shop.apply()
    shop.supplier = GENERIC
    shop.arrive(said("fulfilled", "R1"), said("created", "R2"))

    assert shop.run(missing=True) == {"apply": 3, "deliver": 1}
    assert shop.states() == ["done"] * 3


def test_what_a_worker_holds_is_left_to_it(shop: Shop) -> None:
    """It may be in the middle of it."""
    shop.arrive(said("created", "R1"), said("created", "R2"))
    shop.store.events.claim(now=shop.now, limit=1, lease_ms=60_000)

    assert shop.run(missing=True) == {"apply": 1, "elsewhere": 1}
    shop.now += 60_000
    assert shop.run(missing=True) == {"apply": 1}


def test_a_mended_mapping_finds_the_codes(shop: Shop) -> None:
    """The code stood elsewhere than the settings said: nothing moved, and then the order is delivered, once."""
    table = {"code": "/voucher"}
    shop.arrive({"event": "order.fulfilled", "data": {"reference": "R1", "items": [{"sku": "a", "voucher": "V-1"}]}})
    shop.apply()
    held = shop.asked()
    shop.supplier = Supplier(Mapping.parse(_generic_with(table)), Policy())

    done = shop.run()

    assert held == [("alert", "R1", "waiting")]
    assert done == {"apply": 1, "deliver": 1}
    assert shop.statuses() == {"R1": "fulfilled"}
    assert shop.run() == {"already_applied": 1, "asked_before": 1}


def _generic_with(table: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = preset("generic")["map"] | table
    return found


def test_wrong_settings_undo_nothing(shop: Shop) -> None:
    """What was handled stays so though nobody could read it now; and nobody is alerted."""
    shop.arrive(said("created", "R1"), said("fulfilled", "R1"))
    shop.apply()
    before = shop.asked()
    shop.supplier = None

    assert shop.plan() == shop.run() == {"unchanged": 2}
    assert (shop.states(), shop.asked()) == (["done", "done"], before)


def test_what_can_not_be_read_stays_dead_and_is_told_once(shop: Shop) -> None:
    """Whoever handles it again sees it: the alert of its day is enough."""
    shop.arrive(b"no JSON")
    shop.apply()
    alerts = shop.asked()
    shop.now += 86_400_000

    assert shop.run(missing=True) == {"dead": 1}
    assert shop.asked() == alerts


def test_duplicates_stay_what_they_are(shop: Shop) -> None:
    """A repeat of what is done moves nothing; a repeat of what was dead is a duplicate of it once that is done."""
    shop.supplier = None
    shop.arrive(said("created", "R1"), said("created", "R1"))
    shop.apply()
    assert shop.states() == ["dead", "dead"]
    shop.supplier = GENERIC

    plan = shop.plan()

    assert plan == shop.run() == {"apply": 1, "duplicate": 1}
    assert shop.states() == ["done", "duplicate"]
    assert shop.run() == {"already_applied": 1, "duplicate": 1}


def test_a_repeat_among_those_that_wait_is_counted_once(shop: Shop) -> None:
    """Neither has its key written down yet: the plan knows all the same."""
    shop.arrive(said("fulfilled", "R1"), said("fulfilled", "R1"))

    assert shop.plan() == {"apply": 1, "deliver": 1, "duplicate": 1}
    assert shop.run() == {"apply": 1, "deliver": 1, "duplicate": 1}


def test_an_old_balance_tops_nothing_up(shop: Shop) -> None:
    """Its cooldown is long over: it would ask for another top-up, were it handled as if it were new."""
    shop.set(low_balance=Decimal(100))
    shop.arrive({"event": "balance.low", "data": {"balance": "3"}})
    shop.apply()
    shop.deliver()
    before = shop.asked()
    shop.now += 86_400_000

    assert shop.run() == {"already_applied": 1}
    assert (len(before), shop.asked()) == (2, before)


def test_a_delivery_that_speaks_of_several_orders(shop: Shop) -> None:
    """Each of them has had its say: the one that was delivered since is not said to have failed after that."""
    places = {
        "each": "/orders/*",
        "reference": "/ref",
        "status": "/status",
        "statuses": {"open": "pending", "bad": "failed"},
    }
    shop.supplier = Supplier(Mapping.parse(places), Policy())
    shop.arrive({"orders": [{"ref": "A", "status": "open"}, {"ref": "B", "status": "bad"}]})
    shop.apply()
    shop.supplier = GENERIC
    shop.arrive(said("fulfilled", "B"))
    shop.apply()
    before = shop.asked()
    shop.supplier = Supplier(Mapping.parse(places), Policy())

    assert shop.run(EventQuery(until=shop.now - 1, limit=1)) == {"already_applied": 1}
    assert shop.asked() == before


def test_an_order_that_was_lost_is_made_again(shop: Shop) -> None:
    """The order's row is gone, its delivery is not: the order is there again, and nothing is delivered twice."""
    shop.arrive(said("fulfilled", "R1"))
    shop.apply()
    shop.deliver()
    with shop.store.connection.writing() as raw:
        raw.execute("DELETE FROM orders")

    assert shop.plan() == shop.run() == {"apply": 1, "already_delivered": 1}
    assert shop.statuses() == {"R1": "fulfilled"}
    assert shop.asked() == [("deliver", "R1", "done")]


def test_an_order_that_moves_meanwhile_is_read_again(shop: Shop) -> None:
    """A refund arrives between our look at the order and our writing: the order ends refunded."""
    shop.supplier = None
    shop.arrive(said("fulfilled", "R1"))
    shop.apply()
    shop.supplier = GENERIC
    raced = shop.replay()
    _refund_before_writing(shop, raced)
    tally = Tally()

    events = selected(shop.store.events, EVERYTHING, newest=1)
    pace = Pace(shop.store.feed.newest, lambda _: None)
    raced.run(events, tally, clock=lambda: shop.now, pace=pace, advance=shop.told.append)

    assert counted(tally)["apply"] == 1
    assert shop.statuses() == {"R1": "refunded"}
    assert all(one.state.value == "cancelled" for one in shop.actions(kind=ActionKind.DELIVER))


def _refund_before_writing(shop: Shop, replay: object) -> None:
    events = replay.events  # type: ignore[attr-defined]  # a Replay, whose ports are put another in place of

    class Racing:
        def apply(self, applications: list[object], *, now: int) -> object:
            object.__setattr__(replay, "events", events)
            shop.arrive(said("refunded", "R1"))
            shop.apply()
            return events.apply(applications, now=now)

    object.__setattr__(replay, "events", Racing())


def test_two_replays_at_once_do_it_once(tmp_path: Path) -> None:
    """Both have planned and read the same: whoever comes second writes nothing of it."""
    with shop_at(tmp_path / "shop.db") as first, shop_at(tmp_path / "shop.db") as second:
        first.supplier = None
        first.arrive(*(said(word, f"R{n}") for n in range(30) for word in ("created", "fulfilled")))
        first.apply()
        first.supplier = GENERIC
        late = list(selected(second.store.events, EVERYTHING, newest=60, missing=True))

        assert first.run()["apply"] == 60
        tally = Tally()
        second.replay().run(
            late, tally, clock=lambda: first.now, pace=Pace(lambda: 60, lambda _: None), advance=lambda _: None
        )

        assert counted(tally)["elsewhere"] == 60
        assert len(first.actions(kind=ActionKind.DELIVER)) == 30


def test_broken_off_and_begun_again_is_right(shop: Shop) -> None:
    """Ctrl-C between any two events, as often as you like: in the end each order is delivered once."""
    shop.supplier = None
    shop.arrive(*(said(word, f"R{n}") for n in range(20) for word in ("created", "fulfilled")))
    shop.apply()
    shop.supplier = GENERIC
    chance = random.Random(8)  # noqa: S311 - dice, to be thrown again alike

    for _ in range(10):
        stop_after = chance.randrange(1, 12)
        events = selected(shop.store.events, EVERYTHING, newest=40, missing=True)
        with pytest.raises(KeyboardInterrupt):
            shop.replay().run(
                (_interrupted(number, one, stop_after) for number, one in enumerate(events)),
                Tally(),
                clock=lambda: shop.now,
                pace=Pace(lambda: 0, lambda _: None),
                advance=lambda _: None,
            )
    shop.run(missing=True)

    assert shop.states() == ["done"] * 40
    delivers = [one.subject for one in shop.actions(kind=ActionKind.DELIVER)]
    assert sorted(delivers) == sorted(f"R{n}" for n in range(20))


def _interrupted(number: int, event: StoredEvent, stop_after: int) -> StoredEvent:
    if number == stop_after:
        raise KeyboardInterrupt
    return event


def test_filters_and_words_choose(shop: Shop) -> None:
    """A state that is not missing leaves nothing of what is missing; a reference finds its own."""
    shop.arrive(said("created", "R1"), said("created", "R2"))
    shop.apply()

    assert shop.plan(EventQuery(reference="R2", limit=9)) == {"already_applied": 1}
    assert shop.plan(EventQuery(state=EventState.DONE, limit=9), missing=True) == {}
    assert shop.plan(EventQuery(limit=1)) == {"already_applied": 1}


def test_what_arrives_while_it_runs_is_not_its_business(shop: Shop) -> None:
    """The walk ends where it stood when it began."""
    shop.arrive(said("created", "R1"))
    newest = shop.store.feed.newest()
    shop.arrive(*(said("created", f"L{n}") for n in range(3)))

    assert [one.id for one in selected(shop.store.events, EVERYTHING, newest=newest)] == [1]


def test_live_work_goes_first() -> None:
    """Little at a time, with rests as long as several such works, from the first batch until it is quiet again."""
    newest, now, rests = [5], [100.0], list[float]()
    pace = Pace(lambda: newest[0], rests.append, lambda: now[0])

    sizes = [pace.size()]
    pace.after(0.01)
    now[0] += 1
    sizes.append(pace.size())
    pace.after(0.01)
    newest[0] += 1
    sizes.append(pace.size())
    pace.after(0.01)
    now[0] += 60
    sizes.append(pace.size())

    assert sizes == [LIVE, ALONE, LIVE, ALONE]
    assert len(rests) == 2
    assert min(rests) >= 0.02


def test_a_status_is_reached_by_the_ladder_alone(shop: Shop) -> None:
    """Everything again after a person's decisions: what was released and refunded stays so."""
    shop.arrive(*STORY)
    shop.apply()
    shop.deliver()
    before = shop.statuses()
    shop.run()

    assert shop.statuses() == before
    assert OrderStatus(before["R3"]) is OrderStatus.REFUNDED
