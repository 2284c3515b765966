"""Once an order is pruned: it stays as it ended, nothing of it is delivered again, and news of it are told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
import uuid_utils

from tests.store.shop import CODE, NOW, STATUSES, THEN, Shop
from webhookctl import suppliers
from webhookctl.adapters.cipher_clear import ClearCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.deliveries import Delivery, Verified, Via
from webhookctl.core.errors import UsageError
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
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.flows import decide
from webhookctl.flows.apply import Apply, Supplier
from webhookctl.flows.register import Register
from webhookctl.flows.reveal import reveal

ENDINGS: Final = {
    "fulfilled": ("created", "fulfilled"),
    "failed": ("created", "failed"),
    "refunded": ("created", "refunded"),
    "refunded after delivery": ("created", "fulfilled", "refunded"),
    "fulfilled after failure": ("failed", "fulfilled"),
}


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
