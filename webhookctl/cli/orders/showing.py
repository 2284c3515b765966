"""What was ordered, and how far it has come: lists, stories, and codes for whoever says why."""

from typing import Annotated, Any

import typer

from webhookctl.cli import looking, options, output, revealing
from webhookctl.cli.orders.naming import TheReference, supplier_of, unknown
from webhookctl.core.orders import OrderStatus

_COLUMNS = ("Reference", "Supplier", "Status", "Order ID", "Created", "Updated", "Held")


def register(app: typer.Typer) -> None:
    """Add `list`, `show` and `reveal`."""
    app.command("list", epilog="Try: webhookctl orders list --held, webhookctl orders list --since 1d --json.")(list_)
    app.command(epilog="Try: webhookctl orders show ORD-12345, webhookctl orders show ORD-12345 --json.")(show)
    app.command(
        epilog='Try: webhookctl orders reveal ORD-12345 --reason "customer lost the mail", '
        'webhookctl orders reveal ORD-12345 --reason "audit" --json.'
    )(reveal)


def list_(
    context: typer.Context,
    supplier: options.Supplier = None,
    status: Annotated[OrderStatus | None, typer.Option("--status", help="Only in this status.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Only what waits for a person.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have come by now.")] = False,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 50,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """List orders, newest first."""
    from webhookctl import wiring
    from webhookctl.core.ports.orders import OrderQuery
    from webhookctl.flows import report

    first, last = options.window(since, until)
    query = OrderQuery(supplier, status, None, first, last, limit, held, options.now_ms() if overdue else None)
    with looking.store(context, wiring.place(context.obj.config)) as store:
        rows = [report.order_row(order) for order in store.orders.find(query)]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="No such order.")


def _cells(row: dict[str, Any], *, utc: bool) -> tuple[str, ...]:
    times = (output.when(row["created_at"], utc=utc), output.when(row["updated_at"], utc=utc))
    return (row["reference"], row["supplier"], row["status"], row["order_id"] or "-", *times, row["held"] or "-")


def show(
    context: typer.Context,
    reference: TheReference,
    supplier: options.Supplier = None,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Tell the whole story of an order, its codes masked."""
    from webhookctl import wiring
    from webhookctl.flows import report

    settings = wiring.place(context.obj.config)
    with looking.store(context, settings) as store:
        story = store.orders.story(supplier_of(store, reference, supplier), reference)
    if story is None:
        raise unknown(reference)
    page = report.story_page(
        story, wiring.handled_kinds(settings), wiring.return_window(settings, story.order.supplier)
    )
    output.show_json(page) if as_json else _print(page, report.chronicle(page), utc=utc)


def _print(page: dict[str, Any], chronicle: list[tuple[str, str]], *, utc: bool) -> None:
    output.page(page, utc=utc)
    output.heading("Items")
    rows = ((item["sku"] or "-", item["code"] or "-", item["pin"] or "-") for item in page["items"])
    output.table(("SKU", "Code", "PIN"), rows, empty="None known.")
    output.heading("Story")
    output.table(("Time", "What"), ((output.when(time, utc=utc), what) for time, what in chronicle))


def reveal(
    context: typer.Context,
    reference: TheReference,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is written down before anything is shown.")],
    supplier: options.Supplier = None,
    out: revealing.Out = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the codes of an order in clear; who looked, when and why is kept. Pictures go into files, by --out."""
    from webhookctl import wiring
    from webhookctl.core.ports.orders import Reveal
    from webhookctl.flows import reveal as flow

    revealing.ready(out)
    with wiring.store(wiring.place(context.obj.config)) as store:
        chosen = supplier_of(store, reference, supplier)
        items = flow.reveal(store.orders, chosen, reference, Reveal(options.now_ms(), wiring.who(), reason))
    items = revealing.with_pictures_in_files(items, reference, out)
    if as_json:
        output.show_json(items)
    else:
        rows = ((item["sku"] or "-", item["code"] or item.get("picture") or "-", item["pin"] or "-") for item in items)
        output.table(("SKU", "Code", "PIN"), rows, empty="The order has no codes yet.")
