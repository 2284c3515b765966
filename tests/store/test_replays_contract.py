"""What is sent elsewhere: a row for each event, whoever dies in between."""

import pytest

from tests.store.building import HEADERS, NOW, Store, arrive, verified
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import Parcel, ReplayState, Verdict

URL = "http://127.0.0.1:1/in"
LOOK = Reveal(NOW, "ada", "why")


@pytest.fixture
def replay(store: Store) -> int:
    """Return a replay of three events, claimed as "c"."""
    store.intake.accept([verified(number) for number in (1, 2, 3)])
    number = store.replays.begin(URL, "fresh", LOOK)
    store.replays.add(number, [1, 2, 3], LOOK)
    store.replays.complete(number)
    assert store.replays.claim(number, "c", now=NOW, until=NOW + 10) is None
    return number


def verdict(number: int, state: ReplayState) -> Verdict:
    return Verdict(number, str(number), state, None, 1, "so")


def taken(parcels: list[Parcel]) -> list[tuple[int, int]]:
    return [(one.number, one.tries) for one in parcels]


def test_a_replay_is_found_again(store: Store, replay: int) -> None:
    """By its number, or as the newest that is not at its end; one that is not whole is only found by its number."""
    broken_off = store.replays.begin(URL, "fresh", LOOK)
    found = store.replays.get(None)

    assert found == store.replays.get(replay)
    assert found is not None
    assert (found.id, found.target, found.sign, found.look, found.is_whole) == (replay, URL, "fresh", LOOK, True)
    unfinished = store.replays.get(broken_off)
    assert unfinished is not None
    assert not unfinished.is_whole
    assert store.replays.get(99) is None


def test_adding_is_seen_at_each_event(store: Store, replay: int) -> None:
    """Whoever asks who has seen an event is told of it; an event that is gone is not in the way."""
    store.replays.add(replay, [77], LOOK)

    assert [store.events.reveals(number) for number in (1, 3)] == [[LOOK], [LOOK]]


def test_taking_begins_in_order_and_once(store: Store, replay: int) -> None:
    """With headers and body as they came; what was begun is not begun again."""
    first, second = store.replays.take(replay, "c", 2), store.replays.take(replay, "c", 2)

    assert (taken(first), taken(second)) == ([(1, 1), (2, 1)], [(3, 1)])
    assert store.replays.take(replay, "c", 2) == []
    assert (first[0].headers, first[0].body, first[0].supplier) == (HEADERS, verified(1).delivery.body, "acme")
    assert store.replays.counts(replay) == {ReplayState.SENDING: 3, ReplayState.TAKEN: 0}


def test_only_the_holder_takes_and_settles(store: Store, replay: int) -> None:
    """Whoever lost the claim gets nothing and writes nothing."""
    store.replays.take(replay, "c", 1)
    ends = store.replays.claim(replay, "d", now=NOW + 5, until=NOW + 15)
    late = store.replays.claim(replay, "d", now=NOW + 10, until=NOW + 20)

    assert (ends, late) == (NOW + 10, None)
    assert store.replays.take(replay, "c", 5) == []
    assert not store.replays.settle(replay, "c", [verdict(1, ReplayState.TAKEN)], now=NOW)
    assert not store.replays.renew(replay, "c", until=NOW + 99)
    store.replays.release(replay, "c")
    assert store.replays.claim(replay, "e", now=NOW + 11, until=NOW + 21) == NOW + 20
    assert store.replays.settle(replay, "d", [verdict(1, ReplayState.TAKEN)], now=NOW)
    assert store.replays.counts(replay)[ReplayState.TAKEN] == 1


def test_what_is_put_back_was_not_tried(store: Store, replay: int) -> None:
    """It waits on, and is not counted as begun."""
    store.replays.take(replay, "c", 1)
    store.replays.settle(replay, "c", [verdict(1, ReplayState.WAITING)], now=NOW)

    assert taken(store.replays.take(replay, "c", 1)) == [(1, 1)]


def test_reopening_puts_what_failed_behind_the_untried(store: Store, replay: int) -> None:
    """Failed, unknown, begun and never settled: all but what was taken waits again, seen once more."""
    store.replays.take(replay, "c", 2)
    store.replays.settle(replay, "c", [verdict(1, ReplayState.REFUSED), verdict(2, ReplayState.UNKNOWN)], now=NOW)
    again = Reveal(NOW + 1, "bob", "again")
    last = store.replays.reopen(replay, again, after=0, limit=2)
    end = store.replays.reopen(replay, again, after=last or 0, limit=2)

    assert (last, end) == (2, 3)
    assert store.replays.reopen(replay, again, after=3, limit=2) is None
    assert taken(store.replays.take(replay, "c", 9)) == [(2, 2), (3, 1), (1, 2)]
    assert store.events.reveals(1) == [LOOK, again]


def test_at_its_end_nothing_is_open(store: Store, replay: int) -> None:
    """A replay all of which was taken is not the newest that can go on."""
    store.replays.take(replay, "c", 3)
    store.replays.settle(replay, "c", [verdict(number, ReplayState.TAKEN) for number in (1, 2, 3)], now=NOW)

    assert store.replays.get(None) is None
    assert store.replays.reopen(replay, LOOK, after=0, limit=9) is None


def test_an_event_that_is_gone_says_so(store: Store, replay: int) -> None:
    """It is taken with its fault, so that it gets a verdict."""
    arrive(store, 4)
    store.replays.add(replay, [88], LOOK)

    assert [one.fault for one in store.replays.take(replay, "c", 9)] == [None] * 3 + [
        "it is not in the store any more."
    ]
