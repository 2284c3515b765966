"""What is stored, what is known already, and when is it known?"""

from collections.abc import Sequence

import pytest

from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import StoreBusyError
from webhookctl.core.outcomes import Duplicate, Stored
from webhookctl.flows.receive import Receive

STORED, DUPLICATE = Stored("acme"), Duplicate("acme")


def a_delivery(body: bytes, event_id: bytes | None = None, supplier: str = "acme") -> Verified:
    return Verified(Delivery(supplier, body, (), 0, bytes(16)), "env:SECRET", event_id)


class Kept:
    """An intake that keeps what it accepts, unless it is locked."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.locked = False

    def accept(self, deliveries: Sequence[Verified]) -> None:
        if self.locked:
            raise StoreBusyError("locked")
        self.batches.append([verified.delivery.body for verified in deliveries])


def test_a_batch_is_one_commit() -> None:
    """All that is new goes to the intake in one call, in order."""
    intake = Kept()

    outcomes = Receive(intake).accept([a_delivery(b"1"), a_delivery(b"2"), a_delivery(b"3")])

    assert (outcomes, intake.batches) == ([STORED] * 3, [[b"1", b"2", b"3"]])


def test_a_repeat_costs_no_row() -> None:
    """The same body is stored once, whether it comes twice in a batch or in a later one."""
    intake = Kept()
    receive = Receive(intake)

    first = receive.accept([a_delivery(b"1"), a_delivery(b"1"), a_delivery(b"2")])
    second = receive.accept([a_delivery(b"2")])

    assert (first, second) == ([STORED, DUPLICATE, STORED], [DUPLICATE])
    assert intake.batches == [[b"1", b"2"]]


def test_what_was_not_committed_is_not_known() -> None:
    """A delivery that the store refused is stored when it comes again, and not counted as a repeat."""
    intake = Kept()
    receive = Receive(intake)
    intake.locked = True
    with pytest.raises(StoreBusyError):
        receive.accept([a_delivery(b"1"), a_delivery(b"1")])
    intake.locked = False

    assert receive.accept([a_delivery(b"1")]) == [STORED]
    assert receive.take_repeats() == {}


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (a_delivery(b"1", b"evt"), a_delivery(b"2", b"evt"), DUPLICATE),
        (a_delivery(b"1", b"evt-1"), a_delivery(b"1", b"evt-2"), STORED),
        (a_delivery(b"evt"), a_delivery(b"2", b"evt"), STORED),
        (a_delivery(b"1"), a_delivery(b"1", supplier="other"), Stored("other")),
        (a_delivery(b"1", b"evt"), a_delivery(b"1", b"evt", supplier="other"), Stored("other")),
        (a_delivery(b"1", b""), a_delivery(b"2", b""), DUPLICATE),
    ],
)
def test_what_makes_two_deliveries_the_same(first: Verified, second: Verified, outcome: Stored | Duplicate) -> None:
    """The signed event id where there is one, else the body; each supplier has its own."""
    receive = Receive(Kept())
    receive.accept([first])

    assert receive.accept([second]) == [outcome]


def test_the_oldest_is_forgotten() -> None:
    """Memory is bounded: the last `remembered` keys are known, and of those before no more than as many again."""
    receive = Receive(Kept(), remembered=2)
    for number in range(1, 8):
        receive.accept([a_delivery(b"%d" % number)])

    assert [receive.accept([a_delivery(b"%d" % number)]) for number in (7, 6, 5)] == [[DUPLICATE]] * 3
    assert [receive.accept([a_delivery(b"%d" % number)]) for number in (1, 2)] == [[STORED]] * 2


def test_repeats_are_counted_and_taken_once() -> None:
    """`take_repeats` gives the count per supplier since it was asked last."""
    receive = Receive(Kept())
    receive.accept([a_delivery(b"1")] * 4 + [a_delivery(b"1", supplier="other")] * 2)

    assert receive.take_repeats() == {"acme": 3, "other": 1}
    assert receive.take_repeats() == {}
