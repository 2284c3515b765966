"""What the store says, in rows that a table or JSON can show: codes masked, times in RFC 3339."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, assert_never

from webhookctl.core import jsontext, moments
from webhookctl.core.deliveries import Headers, Via
from webhookctl.core.events import Item, Spoken, StoredEvent
from webhookctl.core.jsontext import Pointer
from webhookctl.core.mapping import BodyForm, codes_in, form_of
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.orders import (
    Action,
    ActionKind,
    ActionState,
    Attempt,
    Intervention,
    Order,
    OrderStatus,
    return_until,
)
from webhookctl.core.ports.leases import Endings, Standing
from webhookctl.core.ports.orders import Reveal, Story
from webhookctl.core.ports.reports import Effects, Summary
from webhookctl.core.quarantine import Rejected
from webhookctl.core.redaction import Code, mask, redact, redact_header

Row: TypeAlias = dict[str, Any]


def event_row(event: StoredEvent) -> Row:
    """Say what is known of an event, without headers and body."""
    return {
        "id": event.id,
        "delivery_id": event.delivery_id,
        "received_at": moments.on_page(event.received_at),
        "supplier": event.supplier,
        "via": event.via.value,
        "type": event.type,
        "reference": event.reference,
        "order_id": event.order_id,
        "occurred_at": moments.on_page(event.occurred_at),
        "state": event.state.value,
        "attempts": event.attempts,
        "reason": event.error,
        "duplicate_of": event.duplicate_of,
        "matched_secret": event.matched,
    }


def spoken_rows(event: StoredEvent) -> Row:
    """Say what was said of each order, where a delivery speaks of several."""
    return {"orders": [_spoken_row(one) for one in event.orders]} if event.orders else {}


def _spoken_row(one: Spoken) -> Row:
    return {
        "reference": one.reference,
        "order_id": one.order_id,
        "type": one.type,
        "state": one.state.value,
        "reason": one.reason,
    }


class Proof(NamedTuple):
    """Where a supplier's signature or token stands, whatever that is called: nobody is shown it."""

    headers: frozenset[bytes] = frozenset()
    """Their names in lower case."""
    member: Pointer | None = None
    """In the body."""


def event_page(
    event: StoredEvent, mapping: Places | None, proof: Proof, looks: Sequence[Reveal], effects: Effects
) -> Row:
    """Say all of an event, and who has seen it as it came: whatever is worth money or opens a door is masked."""
    more = {"reveals": _looks(looks), "headers": _headers(event.headers, proof)}
    known = event_row(event) | {"signature": _signature(event)} | spoken_rows(event)
    return known | _effects(effects) | more | _body(event, mapping, proof)


def _signature(event: StoredEvent) -> str:
    """Say on what ground the event came in."""
    match event.via:
        case Via.WEBHOOK:
            return "verified on arrival"
        case Via.REVERIFY:
            return "rejected on arrival, verified later"
        case Via.POLL:
            return "none: the supplier was asked"
        case Via.IMPORT:
            return "of a file; what vouches for it is named as the secret"
        case _:
            assert_never(event.via)


def _effects(effects: Effects) -> Row:
    return {
        "order_statuses": [
            {"supplier": supplier, "reference": reference, "status": status}
            for supplier, reference, status in effects.orders
        ],
        "caused": [
            {"id": one.id, "kind": one.kind.value, "state": one.state.value, "detail": one.detail or None}
            for one in effects.actions
        ],
        "repeated_by": list(effects.repeats),
    }


def _looks(looks: Sequence[Reveal]) -> list[Row]:
    return [{"at": moments.on_page(one.at), "who": one.who, "reason": one.reason} for one in looks]


def _headers(headers: Headers, proof: Proof) -> list[list[str]]:
    return [[name.decode("latin-1"), redact_header(name, value, proof.headers)] for name, value in headers]


def rejected_row(rejected: Rejected) -> Row:
    """Say what is known of a rejection, without what was sent."""
    return {
        "id": rejected.id,
        "delivery_id": rejected.delivery_id,
        "received_at": moments.on_page(rejected.received_at),
        "supplier": rejected.supplier,
        "sender": rejected.sender or None,
        "reason": rejected.reason.value,
        "detail": rejected.detail,
        "bytes": rejected.size,
    }


def rejected_page(rejected: Rejected, mapping: Places | None, proof: Proof) -> Row:
    """Say all of a rejection, masked as an event is; nothing in it is proven."""
    delivery = rejected.delivery
    if delivery is None:
        return rejected_row(rejected) | {"unreadable": rejected.unreadable}
    as_event = StoredEvent(0, delivery.supplier, 0, delivery.via, "", "", delivery.headers, delivery.body)
    in_path = None if rejected.presented is None else mask(rejected.presented.decode("latin-1"))
    sent = {"secret_in_path": in_path, "headers": _headers(delivery.headers, proof)}
    return rejected_row(rejected) | sent | _body(as_event, mapping, proof)


def _body(event: StoredEvent, mapping: Places | None, proof: Proof) -> Row:
    size = {"body_bytes": len(event.body), "body_sha256": hashlib.sha256(event.body).hexdigest()}
    value = _value(event, mapping)
    if value is None:
        return size | {"body": None}
    codes = (codes_in(event, mapping) if mapping else set()) | _proof_in(event.body, proof)
    return size | {"body": _mask_known(redact(value), codes)}


def _proof_in(body: bytes, proof: Proof) -> set[str]:
    try:
        text = jsontext.scalar(body, proof.member) if proof.member else None
    except jsontext.UnreadableJsonError:
        return set()
    return {text.decode("utf-8", "replace")} if text else set()


def _value(event: StoredEvent, mapping: Places | None) -> Any:  # noqa: ANN401 - any JSON value
    if mapping is not None and mapping.body is BodyForm.FORM:
        return form_of(event.body)
    try:
        return json.loads(event.body)
    except (ValueError, RecursionError):
        return None


def _mask_known(value: Any, codes: Collection[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Mask the supplier's own codes wherever they stand, whatever the field is called."""
    if isinstance(value, dict):
        return {_mask_known(key, codes): _mask_known(member, codes) for key, member in value.items()}
    if isinstance(value, list):
        return [_mask_known(member, codes) for member in value]
    if isinstance(value, str):
        for code in sorted((code for code in codes if code in value), key=len, reverse=True):
            value = value.replace(code, mask(code))
        return value
    return mask(str(value)) if isinstance(value, int | float) and str(value) in codes else value


def order_row(order: Order) -> Row:
    """Say what is known of an order, without its items."""
    return {
        "supplier": order.supplier,
        "reference": order.reference,
        "order_id": order.order_id,
        "status": order.status.value,
        "held": order.held,
        "created_at": moments.on_page(order.created_at),
        "updated_at": moments.on_page(order.updated_at),
        "due_at": moments.on_page(order.due_at),
        "fulfilled_at": moments.on_page(order.fulfilled_at),
        "learned_by": order.learned_by.value,
    }


def item_row(item: Item, *, reveal: bool = False) -> Row:
    """Say what an item is, its code and PIN masked unless `reveal`."""
    row = {"sku": item.sku, "code": _code(item.code, reveal=reveal), "pin": _code(item.pin, reveal=reveal)}
    return row | ({"media_type": item.media_type} if item.media_type else {})


def _code(code: Code | None, *, reveal: bool) -> str | None:
    return code and (code.reveal() if reveal else code.masked())


def action_row(action: Action, handled: Collection[ActionKind]) -> Row:
    """Say how far an action has come; `handled` are the kinds that have a handler."""
    unhandled = action.state is ActionState.WAITING and action.kind not in handled
    return {
        "id": action.id,
        "kind": action.kind.value,
        "supplier": action.supplier,
        "reference": action.subject or None,
        "cause": action.cause,
        "state": action.state.value,
        "waits_for": f"a handler: set [actions.{action.kind}]" if unhandled else None,
        "attempts": action.attempts,
        "created_at": moments.on_page(action.created_at),
        "next_at": moments.on_page(action.next_at) if action.state is ActionState.WAITING and not unhandled else None,
        "finished_at": moments.on_page(action.finished_at),
        "error": action.error,
        "detail": action.detail or None,
        "generation": action.generation,
    }


def attempt_row(attempt: Attempt) -> Row:
    """Say how one attempt ended."""
    return {
        "number": attempt.number,
        "ended_at": moments.on_page(attempt.ended_at),
        "state": attempt.state.value,
        "detail": attempt.detail,
    }


def intervention_row(intervention: Intervention) -> Row:
    """Say what a person did."""
    return {
        "at": moments.on_page(intervention.at),
        "who": intervention.who,
        "what": intervention.what,
        "reason": intervention.reason,
        "action_id": intervention.action_id,
    }


def story_page(story: Story, handled: Collection[ActionKind], return_window_ms: int | None = None) -> Row:
    """Say all of an order: what came, what it caused, how that went, what people did, and who looked at its codes."""
    return order_row(story.order) | {
        "paid": story.order.paid and f"{story.order.paid.amount} {story.order.paid.currency}",
        "ask_at": moments.on_page(story.order.ask_at),
        "return_until_at": moments.on_page(return_until(story.order, return_window_ms)),
        "items": [item_row(item) for item in story.order.items],
        "events": [event_row(event) for event in story.events],
        "actions": [
            action_row(action, handled)
            | {"history": [attempt_row(one) for one in story.attempts if one.action_id == action.id]}
            for action in story.actions
        ],
        "interventions": [intervention_row(one) for one in story.interventions],
        "reveals": _looks(story.reveals),
    }


def chronicle(page: Row) -> list[tuple[str, str]]:
    """Tell a story page in order of time: (RFC 3339 time, sentence)."""
    lines = [(event["received_at"], _event_line(event)) for event in page["events"]]
    for action in page["actions"]:
        lines.append((action["created_at"], _action_line(action)))
        lines += [(one["ended_at"], _attempt_line(action, one)) for one in action["history"]]
    kinds = {action["id"]: action["kind"] for action in page["actions"]}
    lines += [(one["at"], _intervention_line(one, kinds)) for one in page["interventions"]]
    lines += [(one["at"], f"codes revealed to {one['who']}: {one['reason']}") for one in page["reveals"]]
    return sorted(lines, key=lambda line: line[0])


def _event_line(event: Row) -> str:
    note = f" as a duplicate of event {event['duplicate_of']}" if event["duplicate_of"] else ""
    reason = f" ({event['reason']})" if event["reason"] else ""
    said = event["type"] or "an event"
    return f"{said} received by {event['via']}, event {event['id']}{note}: {event['state']}{reason}"


def _action_line(action: Row) -> str:
    waits = f" for {action['waits_for']}" if action["waits_for"] else ""
    detail = f" ({action['detail']})" if action["detail"] else ""
    return f"{_generation(action)} asked for: {action['state']}{waits}{detail}"


def _generation(action: Row) -> str:
    """Name an action's kind, and which generation it is where it is not the first."""
    return action["kind"] if action["generation"] == 1 else f"{action['kind']} (generation {action['generation']})"


def _intervention_line(done: Row, kinds: Mapping[str, str]) -> str:
    what = f"{kinds.get(done['action_id'], 'action')} {done['what']}" if done["action_id"] else f"order {done['what']}"
    return f"{what} by {done['who']}" + (f": {done['reason']}" if done["reason"] else "")


def _attempt_line(action: Row, attempt: Row) -> str:
    return f"{_generation(action)}, attempt {attempt['number']}: {attempt['state']} ({attempt['detail']})"


def summary_page(summary: Summary, handled: Collection[ActionKind], store: str) -> Row:
    """Say how the shop stands, what needs a person first."""
    actions: dict[str, dict[str, int]] = {}
    for (kind, state), count in sorted(summary.actions.items()):
        actions.setdefault(kind, {})[state] = count
    waiting = {kind: states[ActionState.WAITING] for kind, states in actions.items() if ActionState.WAITING in states}
    return {
        "needs_a_person": _needs_a_person(summary, actions),
        "waiting_for_a_handler": {kind: count for kind, count in waiting.items() if ActionKind(kind) not in handled},
        "orders": {status.value: summary.orders.get(status, 0) for status in OrderStatus},
        "overdue_orders": summary.overdue_orders,
        "events": dict(summary.events),
        "repeats_answered": summary.repeats_answered,
        "rejected": summary.rejected,
        "actions": actions,
        "oldest_queued_at": moments.on_page(summary.oldest_queued_at),
        "newest_event_at": moments.on_page(summary.newest_event_at),
        "store": store,
        "journal_mode": summary.journal_mode,
    }


def polling_page(day: Sequence[Endings], week: Sequence[Endings], standings: Sequence[Standing]) -> Row:
    """Say per supplier how many final states asking has found, of those of a day and a week, and how its API does."""
    spans = {"day": {one.supplier: one for one in day}, "week": {one.supplier: one for one in week}}
    return {
        one.supplier: {
            **{span: _endings(found.get(one.supplier)) for span, found in spans.items()},
            "asked_at": moments.on_page(one.asked_at),
            "answered_at": moments.on_page(one.answered_at),
            "failing_since": moments.on_page(one.failing_since),
            "reason": one.reason,
        }
        for one in standings
    }


def _endings(found: Endings | None) -> Row:
    if found is None:
        return {"ended": 0, "found_by_asking": 0, "webhooks_missed": 0, "webhooks_late": 0, "mean_late_ms": 0}
    return {
        "ended": found.ended,
        "found_by_asking": found.found,
        "webhooks_missed": found.missed,
        "webhooks_late": found.late,
        "mean_late_ms": found.mean_late_ms,
    }


def _needs_a_person(summary: Summary, actions: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    counts = {
        "orders held": summary.held_orders,
        "actions held": sum(states.get(ActionState.HELD, 0) for states in actions.values()),
        "actions ambiguous": sum(states.get(ActionState.AMBIGUOUS, 0) for states in actions.values()),
        "actions dead": sum(states.get(ActionState.DEAD, 0) for states in actions.values()),
        "orders overdue": summary.overdue_orders,
        "events dead": summary.events.get("dead", 0),
        "alerts not sent": summary.untold_alerts,
    }
    return {what: count for what, count in counts.items() if count}
