"""What came: lists, and all of one event."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, looking, options, output, selection
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.wiring import StorePlace

_COLUMNS = ("ID", "Received", "Supplier", "Type", "Reference", "State", "Reason")

_ORDER_COLUMNS = ("Reference", "Order ID", "Type", "State", "Reason")


def register(app: typer.Typer) -> None:
    """Add `list` and `show`."""
    app.command("list", epilog="Try: webhookctl events list --since 2h, webhookctl events list --state dead --json.")(
        list_
    )
    app.command(epilog="Try: webhookctl events show 17, webhookctl events show 17 --raw --reason 'case 47' > 17.http.")(
        show
    )


def list_(
    context: typer.Context,
    supplier: selection.Supplier = None,
    type_: selection.Type = None,
    state: selection.State = None,
    reference: selection.Reference = None,
    order_id: selection.OrderId = None,
    via: selection.Learned = None,
    since: selection.Since = None,
    until: selection.Until = None,
    limit: options.Limit = 50,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """List events, newest first."""
    from webhookctl import wiring
    from webhookctl.flows import report

    asked = selection.query(supplier, type_, state, reference, order_id, via, since, until, limit)
    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        rows = [report.event_row(event) for event in store.events.find(selection.known(settings, store.events, asked))]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="No such event.")


def _cells(row: dict[str, object], *, utc: bool) -> tuple[str, ...]:
    reason = row["reason"] or (f"of event {row['duplicate_of']}" if row["duplicate_of"] else "-")
    cells = (row["supplier"], row["type"] or "-", row["reference"] or "-", row["state"], reason)
    return (str(row["id"]), output.when(str(row["received_at"]), utc=utc), *map(str, cells))


def show(
    context: typer.Context,
    event_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The number, or the delivery id, of an event.", autocompletion=completing.event_ids
        ),
    ],
    raw: Annotated[bool, typer.Option("--raw", help="The request as it came, as raw HTTP; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why --raw; written down before it is shown.")] = "",
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Show an event: headers and body too, with codes masked; or, by --raw, the request as it came."""
    from webhookctl import wiring
    from webhookctl.flows import report

    _check(raw=raw, reason=reason, as_json=as_json)
    settings = wiring.place(context.obj.config)
    if raw:
        return _emit_raw(settings, event_id, reason)
    with looking.store(context, settings) as store:
        event = wiring.stored_event(store, event_id)
        looks, effects = store.events.reveals(event.id), store.reports.effects(event.id)
    hidden = wiring.proof(settings, event.supplier)
    page = report.event_page(event, wiring.mapping(settings, event.supplier), hidden, looks, effects)
    return output.show_json(page) if as_json else _print(page, utc=utc)


def _check(*, raw: bool, reason: str, as_json: bool) -> None:
    """Raise `UsageError` for what has no part in the other."""
    if not raw:
        options.refuse_alone(reason, for_="--raw")
    elif as_json:
        raise UsageError("--raw shows the request byte for byte: leave out --json, or --raw.")


def _emit_raw(settings: "Settings | StorePlace", event_id: str, reason: str) -> None:
    from webhookctl import wiring
    from webhookctl.core.ports.orders import Reveal
    from webhookctl.flows import reveal

    output.refuse_terminal()
    with wiring.store(settings) as store:
        event = wiring.stored_event(store, event_id)
        content = reveal.as_it_came(store.events, event, Reveal(options.now_ms(), wiring.who(), reason))
    output.emit_bytes(content)


def _print(page: dict[str, Any], *, utc: bool) -> None:
    output.page(page, utc=utc, without={"headers", "body", "orders", "reveals"})
    for order in page["order_statuses"]:
        output.emit(f"order {order['reference']} is {order['status']} now")
    for action in page["caused"]:
        output.emit(f"caused {action['kind']} {action['id']}: {action['state']}")
    if page["repeated_by"]:
        output.emit(f"repeated by {', '.join(f'event {number}' for number in page['repeated_by'])}")
    if "orders" in page:
        output.heading("Orders")
        output.table(_ORDER_COLUMNS, (_order_cells(one) for one in page["orders"]))
    for look in page["reveals"]:
        output.emit(f"seen as it came by {look['who']} at {output.when(look['at'], utc=utc)}: {look['reason']}")
    output.message(page["headers"], page["body"])


def _order_cells(row: dict[str, str | None]) -> tuple[str, ...]:
    return tuple(row[name] or "-" for name in ("reference", "order_id", "type", "state", "reason"))
