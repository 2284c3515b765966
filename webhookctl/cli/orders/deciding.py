"""A person decides about an order that is held."""

from collections.abc import Iterable
from typing import Annotated

import typer

from webhookctl.cli import options, output
from webhookctl.cli.orders.naming import TheReference, supplier_of
from webhookctl.core.orders import Action, Intervention

Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the order's story.")]


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
    reference: TheReference,
    reason: Reason,
    supplier: options.Supplier = None,
    refund: Annotated[bool, typer.Option("--refund", help="The customer gets the money, not the code.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Even if the customer gets both.")] = False,
) -> None:
    """Let a held order go on: a fulfilled one is delivered, a failed one refunded."""
    from webhookctl import wiring
    from webhookctl.flows import decide

    by = Intervention(options.now_ms(), wiring.who(), "refunded instead" if refund else "released", reason)
    with wiring.store(wiring.settings(context.obj.config)) as store:
        key = (supplier_of(store, reference, supplier), reference)
        actions = decide.release_order(store.orders, key, by, refund=refund, although_refunded=yes)
    output.say(f"Order {reference} is not held any more{_listed(actions)}.")


def hold(context: typer.Context, reference: TheReference, reason: Reason, supplier: options.Supplier = None) -> None:
    """Hold an order: what has not begun of its delivery or refund waits for `orders release`."""
    from webhookctl import wiring
    from webhookctl.flows import decide

    by = Intervention(options.now_ms(), wiring.who(), "held", reason)
    with wiring.store(wiring.settings(context.obj.config)) as store:
        key = (supplier_of(store, reference, supplier), reference)
        begun = decide.hold_order(store.orders, key, by)
    output.say(f"Order {reference} is held until `webhookctl orders release`.")
    if begun:
        output.say(f"That comes too late for what has begun or is done{_listed(begun)}.")


def _listed(actions: Iterable[Action]) -> str:
    told = ", ".join(f"{action.kind} {action.state}" for action in actions)
    return f": {told}" if told else ""
