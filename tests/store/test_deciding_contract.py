"""Every store's `Outbox` writes down what a person says of actions."""

from dataclasses import replace

import pytest

from tests.store.building import LEASE, NOW, Store, action, claim_actions, order, put, restrain, write
from webhookctl.core.orders import Action, ActionKind, ActionState, Intervention, Move
from webhookctl.core.ports.outbox import ActionQuery, Settlement

BY = Intervention(NOW, "ann", "said to be done", "asked the shop")


def ambiguous(store: Store) -> str:
    """Have a delivery begin and its worker die."""
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)
    claim_actions(store, ActionKind.NOTIFY, now=NOW + LEASE)
    return claimed.action.id


def only(store: Store) -> Action:
    (found,) = store.outbox.find(ActionQuery(kind=ActionKind.DELIVER))
    return found


def test_a_person_says_that_it_took_effect(store: Store) -> None:
    """Done, with no error left, and the order's story says who knew."""
    action_id = ambiguous(store)

    after = store.outbox.resolve(action_id, ActionState.DONE, by=BY, now=NOW + 1)

    assert (after, only(store).error, only(store).finished_at) == (ActionState.DONE, None, NOW + 1)
    story = store.orders.story("acme", "ORD-1")
    assert story is not None
    assert story.interventions == store.outbox.interventions(action_id) == [replace(BY, action_id=action_id)]


def test_a_person_has_it_tried_again(store: Store) -> None:
    """Due at once, under the same id."""
    action_id = ambiguous(store)

    after = store.outbox.resolve(action_id, ActionState.WAITING, by=BY, now=NOW + 1)

    assert after is ActionState.WAITING
    assert [one.action.id for one in claim_actions(store, ActionKind.DELIVER, now=NOW + 1)] == [action_id]


@pytest.mark.parametrize("restraint", [ActionState.CANCELLED, ActionState.HELD])
def test_what_came_meanwhile_counts_when_it_is_tried_again(store: Store, restraint: ActionState) -> None:
    """The order was refunded, or held, while nobody knew: the delivery does not begin again."""
    action_id = ambiguous(store)
    restrain(store, ActionKind.DELIVER, restraint)

    after = store.outbox.resolve(action_id, ActionState.WAITING, by=BY, now=NOW + 1)

    assert after is only(store).state is restraint
    assert claim_actions(store, ActionKind.DELIVER, now=NOW + LEASE) == []


@pytest.mark.parametrize("restraint", [ActionState.CANCELLED, ActionState.HELD])
@pytest.mark.parametrize("ending", ["the worker dies", "the attempt ends so"])
def test_what_came_during_the_attempt_counts_when_it_is_tried_again(
    store: Store, restraint: ActionState, ending: str
) -> None:
    """A refund that reached a delivery under way stays in force over its unknown end."""
    put(store)
    (claimed,) = claim_actions(store, ActionKind.DELIVER)
    store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)
    restrain(store, ActionKind.DELIVER, restraint)
    if ending == "the worker dies":
        claim_actions(store, ActionKind.NOTIFY, now=NOW + LEASE)
    else:
        unknown = Settlement(claimed.action.id, claimed.claim, ActionState.AMBIGUOUS, "no answer came")
        assert store.outbox.settle([unknown], now=NOW) == [True]
    assert only(store).state is ActionState.AMBIGUOUS

    after = store.outbox.resolve(claimed.action.id, ActionState.WAITING, by=BY, now=NOW + 1)

    assert after is only(store).state is restraint
    assert claim_actions(store, ActionKind.DELIVER, now=NOW + LEASE) == []


def test_only_what_is_ambiguous_is_resolved(store: Store) -> None:
    """Whatever else it is, it stays, and nobody is said to have done anything."""
    put(store)
    action_id = only(store).id

    after = store.outbox.resolve(action_id, ActionState.DONE, by=BY, now=NOW)

    assert after is only(store).state is ActionState.WAITING
    assert store.outbox.interventions(action_id) == []
    assert store.outbox.resolve("0000", ActionState.DONE, by=BY, now=NOW) is None


def test_a_retry_is_kept_with_the_order(store: Store) -> None:
    """Who had a dead action tried again is in its story."""
    put(store)
    action_id = only(store).id

    store.outbox.retry(action_id, now=NOW, by=BY)

    assert store.outbox.interventions(action_id) == [replace(BY, action_id=action_id)]


def given_up(store: Store, *references: str) -> None:
    for reference in references:
        write(store, Move(order(reference), (action(of=order(reference)),)))
    held = claim_actions(store, limit=100)
    store.outbox.settle([Settlement(one.action.id, one.claim, ActionState.DEAD, "410") for one in held], now=NOW)


def test_what_was_given_up_is_counted_and_tried_again(store: Store) -> None:
    """Some at a time, under the ids that they have; who wanted it is kept with each order."""
    given_up(store, "ORD-1", "ORD-2", "ORD-3")
    by = Intervention(NOW + 5, "ann", "tried again", "")
    chosen = ActionQuery(supplier="acme")

    counted = store.outbox.count_dead(chosen, until=by.at)
    steps = [store.outbox.retry_dead(chosen, until=by.at, by=by, limit=2) for _ in range(3)]

    assert dict(counted) == {ActionKind.DELIVER: 3}
    assert [sum(step.values()) for step in steps] == [2, 1, 0]
    found = store.outbox.find(ActionQuery())
    assert {(one.state, one.next_at) for one in found} == {(ActionState.WAITING, NOW + 5)}
    assert all(store.outbox.interventions(one.id) == [replace(by, action_id=one.id)] for one in found)


def test_filters_choose_what_is_tried_again(store: Store) -> None:
    """By order, and by time; what is given up after that is none of it."""
    given_up(store, "ORD-1", "ORD-2")
    by = Intervention(NOW + 5, "ann", "tried again", "")

    assert dict(store.outbox.count_dead(ActionQuery(), until=NOW)) == {}
    assert dict(store.outbox.count_dead(ActionQuery(since=NOW + 1), until=by.at)) == {}
    assert sum(store.outbox.retry_dead(ActionQuery(reference="ORD-2"), until=by.at, by=by, limit=9).values()) == 1
    assert [one.subject for one in store.outbox.find(ActionQuery(state=ActionState.DEAD))] == ["ORD-1"]
