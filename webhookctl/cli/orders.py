"""What was ordered, and how far it has come."""

from typing import Annotated, Any

import typer

from webhookctl.cli import options, output, revealing
from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.orders import OrderStatus

_COLUMNS = ("Reference", "Supplier", "Status", "Order ID", "Created", "Updated", "Held")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at orders.")

TheReference = Annotated[str, typer.Argument(metavar="REF", help="The shop's own order id.")]


def register(parent: typer.Typer) -> None:
    """Add the group `orders`."""
    parent.add_typer(app, name="orders")


@app.command("list", epilog="Try: webhookctl orders list --status pending, webhookctl orders list --since 1d --json.")
def list_(
    context: typer.Context,
    supplier: options.Supplier = None,
    status: Annotated[OrderStatus | None, typer.Option("--status", help="Only in this status.")] = None,
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
    query = OrderQuery(supplier, status, None, first, last, limit)
    with wiring.store(wiring.settings(context.obj.config)) as store:
        rows = [report.order_row(order) for order in store.orders.find(query)]
    if as_json:
        output.show_json(rows)
    else:
        output.table(_COLUMNS, (_cells(row, utc=utc) for row in rows), empty="No such order.")


def _cells(row: dict[str, Any], *, utc: bool) -> tuple[str, ...]:
    times = (output.when(row["created_at"], utc=utc), output.when(row["updated_at"], utc=utc))
    return (row["reference"], row["supplier"], row["status"], row["order_id"] or "-", *times, row["held"] or "-")


@app.command("show", epilog="Try: webhookctl orders show ORD-12345, webhookctl orders show ORD-12345 --json.")
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

    settings = wiring.settings(context.obj.config)
    with wiring.store(settings) as store:
        story = store.orders.story(_supplier_of(store, reference, supplier), reference)
    if story is None:
        raise _unknown(reference)
    page = report.story_page(story, wiring.handled_kinds(settings))
    output.show_json(page) if as_json else _print(page, report.chronicle(page), utc=utc)


def _supplier_of(store: Any, reference: str, supplier: str | None) -> str:  # noqa: ANN401 - any back-end's store
    """Find the supplier that has an order of this reference; ask which one when several do."""
    if supplier is not None:
        return supplier
    known = store.orders.suppliers_of({reference}).get(reference, ())
    if len(known) > 1:
        raise UsageError(f"Several suppliers have an order {reference!r}: say --supplier {' or '.join(sorted(known))}.")
    if not known:
        raise _unknown(reference)
    return str(known[0])


def _unknown(reference: str) -> NotFoundError:
    return NotFoundError(f"There is no order {reference!r}; `webhookctl orders list` shows those there are.")


def _print(page: dict[str, Any], chronicle: list[tuple[str, str]], *, utc: bool) -> None:
    output.fields(
        (name.replace("_", " "), output.when(value, utc=utc) if name.endswith("_at") else str(value))
        for name, value in page.items()
        if value is not None and not isinstance(value, list)
    )
    output.heading("Items")
    rows = ((item["sku"] or "-", item["code"] or "-", item["pin"] or "-") for item in page["items"])
    output.table(("SKU", "Code", "PIN"), rows, empty="None known.")
    output.heading("Story")
    output.table(("Time", "What"), ((output.when(time, utc=utc), what) for time, what in chronicle))


@app.command(
    "reveal",
    epilog='Try: webhookctl orders reveal ORD-12345 --reason "customer lost the mail", '
    'webhookctl orders reveal ORD-12345 --reason "audit" --json.',
)
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
    with wiring.store(wiring.settings(context.obj.config)) as store:
        chosen = _supplier_of(store, reference, supplier)
        items = flow.reveal(store.orders, chosen, reference, Reveal(options.now_ms(), wiring.who(), reason))
    items = revealing.with_pictures_in_files(items, reference, out)
    if as_json:
        output.show_json(items)
    else:
        rows = ((item["sku"] or "-", item["code"] or item.get("picture") or "-", item["pin"] or "-") for item in items)
        output.table(("SKU", "Code", "PIN"), rows, empty="The order has no codes yet.")
