"""A person decides about an order that is held."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from webhookctl.cli import options, output
from webhookctl.cli.orders.naming import TheReference, TheReferences, supplier_of
from webhookctl.core.errors import UsageError
from webhookctl.core.orders import Action, Intervention

if TYPE_CHECKING:
    from webhookctl.core.ports.orders import Orders

Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the order's story.")]
Done = Annotated[
    bool, typer.Option("--done", help="Of imported orders: the shop has had what they ask for, nothing goes out.")
]


def register(app: typer.Typer) -> None:
    """Add `release` and `hold`."""
    app.command(
        epilog='Try: webhookctl orders release ORD-12345 --reason "the supplier confirmed it", '
        'webhookctl orders release ORD-12345 --refund --reason "the customer wants the money".'
    )(release)
    app.command(
        epilog='Try: webhookctl orders hold ORD-12345 --reason "looks like fraud", '
        'webhookctl orders hold ORD-12345 --supplier acme --reason "asked the supplier".'
    )(hold)


def release(
    context: typer.Context,
    references: TheReferences,
    reason: Reason,
    supplier: options.Supplier = None,
    refund: Annotated[bool, typer.Option("--refund", help="The customer gets the money, not the code.")] = False,
    done: Done = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Even if the customer gets both.")] = False,
) -> None:
    """Let held orders go on: a fulfilled one is delivered, a failed one refunded."""
    from webhookctl import wiring

    if done and refund:
        raise UsageError("--done and --refund contradict each other: choose one.")
    what = "found to be done before" if done else "refunded instead" if refund else "released"
    by = Intervention(options.now_ms(), wiring.who(), what, reason)
    with wiring.store(wiring.place(context.obj.config)) as store:
        for reference in references:
            key = (supplier_of(store, reference, supplier), reference)
            actions = _released(store.orders, key, by, _How(done=done, refund=refund, yes=yes))
            output.say(f"Order {reference} is not held any more{_listed(actions)}.")


class _How(NamedTuple):
    """What a held order is let go for."""

    done: bool
    refund: bool
    yes: bool


def _released(orders: "Orders", key: tuple[str, str], by: Intervention, how: _How) -> list[Action]:
    from webhookctl.flows import decide

    if how.done:
        return decide.settle_imported(orders, key, by)
    return decide.release_order(orders, key, by, refund=how.refund, although_refunded=how.yes)


def hold(context: typer.Context, reference: TheReference, reason: Reason, supplier: options.Supplier = None) -> None:
    """Hold an order: what has not begun of its delivery or refund waits for `orders release`."""
    from webhookctl import wiring
    from webhookctl.flows import decide

    by = Intervention(options.now_ms(), wiring.who(), "held", reason)
    with wiring.store(wiring.place(context.obj.config)) as store:
        key = (supplier_of(store, reference, supplier), reference)
        begun = decide.hold_order(store.orders, key, by)
    output.say(f"Order {reference} is held until `webhookctl orders release`.")
    if begun:
        output.say(f"That comes too late for what has begun or is done{_listed(begun)}.")


def _listed(actions: Iterable[Action]) -> str:
    told = ", ".join(f"{action.kind} {action.state}" for action in actions)
    return f": {told}" if told else ""
