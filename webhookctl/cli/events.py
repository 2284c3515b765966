"""What came: the event log."""

from typing import Annotated, Any

import typer

from webhookctl.cli import options, output
from webhookctl.core.events import EventState

_COLUMNS = ("ID", "Received", "Supplier", "Type", "Reference", "State", "Reason")

_ORDER_COLUMNS = ("Reference", "Order ID", "Type", "State", "Reason")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at what came.")


def register(parent: typer.Typer) -> None:
    """Add the group `events`."""
    parent.add_typer(app, name="events")


@app.command("list", epilog="Try: webhookctl events list --since 2h, webhookctl events list --state dead --json.")
def list_(
    context: typer.Context,
    supplier: options.Supplier = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, as order.failed.")] = None,
    state: Annotated[EventState | None, typer.Option("--state", help="Only in this state.")] = None,
    reference: options.Reference = None,
    order_id: Annotated[str | None, typer.Option("--order-id", help="Only this supplier's order id.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 50,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """List events, newest first."""
    from webhookctl import wiring
    from webhookctl.core.ports.events import EventQuery
    from webhookctl.flows import report

    first, last = options.window(since, until)
    query = EventQuery(supplier, type_, state, reference, order_id, first, last, limit)
    with wiring.store(wiring.settings(context.obj.config)) as store:
        rows = [report.event_row(event) for event in store.events.find(query)]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="No such event.")


def _cells(row: dict[str, object], *, utc: bool) -> tuple[str, ...]:
    reason = row["reason"] or (f"of event {row['duplicate_of']}" if row["duplicate_of"] else "-")
    cells = (row["supplier"], row["type"] or "-", row["reference"] or "-", row["state"], reason)
    return (str(row["id"]), output.when(str(row["received_at"]), utc=utc), *map(str, cells))


@app.command("show", epilog="Try: webhookctl events show 17, webhookctl events show 17 --json.")
def show(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The number, or the delivery id, of an event.")],
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Show an event: headers and body too, with codes masked."""
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        event = wiring.stored_event(store, event_id)
    hidden = wiring.proof(settings, event.supplier)
    page = report.event_page(event, wiring.mapping(settings, event.supplier), hidden)
    output.show_json(page) if as_json else _print(page, utc=utc)


def _print(page: dict[str, Any], *, utc: bool) -> None:
    output.page(page, utc=utc, without={"headers", "body", "orders"})
    if "orders" in page:
        output.heading("Orders")
        output.table(_ORDER_COLUMNS, (_order_cells(one) for one in page["orders"]))
    output.message(page["headers"], page["body"])


def _order_cells(row: dict[str, str | None]) -> tuple[str, ...]:
    return tuple(row[name] or "-" for name in ("reference", "order_id", "type", "state", "reason"))
