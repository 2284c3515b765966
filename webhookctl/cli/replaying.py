"""What `replay` says and asks where it handles again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from webhookctl.cli import consent, options, output, selection
from webhookctl.core import moments
from webhookctl.core.errors import ExitCode, UsageError
from webhookctl.core.orders import Intervention

if TYPE_CHECKING:
    from webhookctl.core.ports.events import EventQuery
    from webhookctl.flows.replay import Tally
    from webhookctl.wiring.replaying import Replaying, Walk

_TOLD: Final = 10
"""Of the events that are left out, so many are named."""
_AGAIN: Final = "What is done is not done twice: run it again at any time."

# What is said of each count, in the plan and at the end.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "apply": ("would apply", "applied"),
    "already_applied": ("already applied", "already applied"),
    "duplicate": ("duplicates", "duplicates"),
    "ignored": ("mean nothing to an order", "mean nothing to an order"),
    "dead": ("can't be applied (dead)", "can't be applied (dead)"),
    "unchanged": ("would stay as they are, as they say nothing now", "left as they were, as they say nothing now"),
    "elsewhere": ("handled by another meanwhile", "handled by another meanwhile"),
    "deliver": ("would deliver", "deliveries asked for"),
    "refund": ("would refund", "refunds asked for"),
    "notify": ("would notify", "notices asked for"),
    "top_up": ("would top up", "top-ups asked for"),
    "alert": ("would alert", "alerts asked for"),
    "already_delivered": ("already delivered", "already delivered"),
    "asked_before": ("delivery asked for before, not done", "delivery asked for before, not done"),
}


@dataclass(frozen=True, slots=True)
class How:
    """How it was asked for."""

    dry_run: bool
    yes: bool
    as_json: bool


def handle(context: typer.Context, ids: Sequence[str], query: "EventQuery", how: How, *, missing: bool) -> None:
    """Handle events again, having shown what that comes to."""
    from webhookctl import wiring
    from webhookctl.wiring.replaying import Replaying

    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        replaying = Replaying(settings, store)
        events = replaying.events(ids, selection.known(settings, store.events, query), missing=missing)
        with output.progress("Looking", None) as advance:
            plan = replaying.plan(events(), advance)
        _show_plan(plan, how)
        _tell_left_out(replaying.left_out)
        done = _run(replaying, events, plan, how) if _is_wanted(plan, how) else None
    _end(plan, done, how)


def _show_plan(plan: "Tally", how: How) -> None:
    if how.as_json:
        return
    if plan.events:
        page = _page(plan)
        span = f"from {output.when(page['first_at'])} to {output.when(page['last_at'])}"
        output.emit(f"{plan.events} {'event' if plan.events == 1 else 'events'}, {span}.")
        _table(plan, end=False)
    else:
        output.say("No such event: there is nothing to handle again.")


def _tell_left_out(left_out: Collection[int]) -> None:
    if left_out:
        named = ", ".join(map(str, sorted(left_out)[:_TOLD]))
        output.say(
            f"Left out: {len(left_out)} of which each seemed to stop the worker that handled it ({named}"
            f"{', …' if len(left_out) > _TOLD else ''}): `webhookctl replay ID` tries one."
        )


def _is_wanted(plan: "Tally", how: How) -> bool:
    if how.dry_run or not plan.events:
        return False
    if plan.changes:
        return consent.given(plan.changes, f"Handle these {plan.changes} again?", yes=how.yes)
    if not how.as_json:
        output.say("Nothing would change.")
    return False


def _run(replaying: "Replaying", events: "Walk", plan: "Tally", how: How) -> "Tally":
    done = replaying.nothing_yet()
    try:
        with output.progress("Handling again", plan.events) as advance:
            replaying.run(events(), done, advance)
    except KeyboardInterrupt:
        output.say(f"Broken off after {done.events} of {plan.events} events. {_AGAIN}")
        raise
    if not how.as_json:
        output.emit(f"{done.events} handled again:")
        _table(done, end=True)
    return done


def _table(tally: "Tally", *, end: bool) -> None:
    rows = ((_WORDS[name][end], str(count)) for name, count in tally.counts().items())
    output.table(("What", "Count"), rows)


def _page(tally: "Tally") -> dict[str, Any]:
    times = {"first_at": moments.on_page(tally.first_at), "last_at": moments.on_page(tally.last_at)}
    return {"events": tally.events} | times | {"counts": tally.counts()}


def _end(plan: "Tally", done: "Tally | None", how: How) -> None:
    if how.as_json:
        output.show_json({"dry_run": how.dry_run, "plan": _page(plan), "done": done and _page(done)})
    if done is None:
        return
    if done.dead:
        raise typer.Exit(ExitCode.NO)
    if done.for_a_person:
        output.say(f"A person is needed {done.for_a_person} times: `webhookctl status` begins with that.")
        raise typer.Exit(ExitCode.PERSON)


def try_again(context: typer.Context, query: "EventQuery", how: How) -> None:
    """Make dead actions due again, under the ids that they have."""
    from webhookctl import wiring
    from webhookctl.core.ports.outbox import ActionQuery
    from webhookctl.flows import replay as flow

    if (query.type, query.state, query.order_id, query.via) != (None, None, None, None):
        raise UsageError("Dead actions are chosen by --supplier, --reference, --since and --until alone.")
    by = Intervention(options.now_ms(), wiring.who(), "tried again", "")
    asked = ActionQuery(query.supplier, reference=query.reference, since=query.since, until=query.until)
    with wiring.store(wiring.settings(context.obj.config)) as store:
        dead = store.outbox.count_dead(asked, until=by.at)
        _show_dead(dead, how)
        wanted = not how.dry_run and _may_try(sum(dead.values()), how)
        done = flow.try_dead_again(store.outbox, asked, by) if wanted else {}
    _end_dead(dead, done, how)


def _show_dead(dead: Mapping[Any, int], how: How) -> None:
    if not how.as_json:
        rows = ((kind.value, str(count)) for kind, count in dead.items())
        output.table(("Would try again", "Count"), rows, empty="No action is dead.")


def _may_try(count: int, how: How) -> bool:
    return bool(count) and consent.given(count, f"Try these {count} again?", yes=how.yes)


def _end_dead(dead: Mapping[Any, int], done: Mapping[Any, int], how: How) -> None:
    if how.as_json:
        plan, tried = ({kind.value: count for kind, count in some.items()} for some in (dead, done))
        output.show_json({"dry_run": how.dry_run, "dead": plan, "due_again": tried})
    elif done:
        output.say(f"{sum(done.values())} are due now, under the ids that they had: the worker tries them.")
