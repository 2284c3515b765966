"""The shop makes its orders known."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from webhookctl.cli import completing, options, output, streams
from webhookctl.core.errors import ExitCode, PersonNeededError, UsageError
from webhookctl.core.orders import Registered

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.flows.order_files import Line, Reading
    from webhookctl.flows.register import Report

_KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

Supplier = Annotated[
    str | None,
    typer.Option(
        "--supplier",
        "-s",
        help="Where it was ordered; the only one there is.",
        show_default=False,
        autocompletion=completing.suppliers,
    ),
]


def register(app: typer.Typer) -> None:
    """Add `add` and `import`."""
    app.command(
        epilog="Try: webhookctl orders add ORD-12345 --order-id SUP-99887, "
        "webhookctl orders add ORD-12345 --supplier acme --sku steam-20 --paid 19.90 EUR --sla 15m."
    )(add)
    app.command(
        "import",
        epilog="Try: webhookctl orders import orders.csv --dry-run, "
        "shop-export | webhookctl orders import - --format jsonl --supplier acme.",
    )(import_)


def add(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REF", help="The shop's own order id.")],
    supplier: Supplier = None,
    order_id: Annotated[str | None, typer.Option("--order-id", help="The supplier's.", show_default=False)] = None,
    sku: Annotated[list[str] | None, typer.Option("--sku", help="What was ordered; may be repeated.")] = None,
    paid: Annotated[
        tuple[str, str] | None, typer.Option(metavar="AMOUNT CURRENCY", help="By the customer; 0 EUR: not paid.")
    ] = None,
    sla: Annotated[str | None, typer.Option("--sla", help="How long it may take, such as 15m.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Make an order known, so that it is waited for though its order.created never comes."""
    from webhookctl import wiring

    settings = wiring.settings(context.obj.config)
    money = {"amount": paid[0], "currency": paid[1]} if paid else None
    written = {"reference": reference, "order_id": order_id, "sku": sku, "paid": money, "sla": sla}
    page = _registered(settings, written, wiring.order_reading(settings, supplier))
    output.show_json(page) if as_json else output.emit(f"{page['reference']} {page['registered']}")
    if page["registered"] == Registered.HELD:
        raise PersonNeededError(
            f"Order {reference} is held: {page['held']}. `webhookctl orders release` lets it go on."
        )


def _registered(settings: "Settings", written: dict[str, Any], reading: "Reading") -> dict[str, Any]:
    from webhookctl import wiring
    from webhookctl.flows.register import Register
    from webhookctl.flows.report import order_row

    try:
        registration = reading.order(written)
    except ValueError as error:
        raise UsageError(f"The order can't be registered: {error}.") from None
    with wiring.store(settings) as store:
        (outcome,) = Register(store.orders, wiring.policies(settings)).run([registration], now=options.now_ms())
    return {"registered": outcome.state.value} | order_row(outcome.order)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines; - is standard input.")],
    form: Annotated[str | None, typer.Option("--format", help="csv or jsonl; else by the file's name.")] = None,
    supplier: Supplier = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each line.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make many orders known; what can't be read is reported by line, the rest is imported."""
    from webhookctl import wiring

    settings = wiring.settings(context.obj.config)
    kind = form or _KINDS.get(file.suffix.lower())
    if kind not in {"csv", "jsonl"}:
        raise UsageError("Say --format csv or --format jsonl: the name of the file does not tell.")
    with streams.opened(file) as (stream, size):
        report = _imported(settings, _lines(stream, kind, wiring.order_reading(settings, supplier)), size, dry=dry_run)
    _tell(report, dry_run=dry_run, as_json=as_json)
    if report.refused or report.held:
        raise typer.Exit(ExitCode.NO if report.refused else ExitCode.PERSON)


def _lines(stream: BinaryIO, kind: str, reading: "Reading") -> "Iterator[Line]":
    from webhookctl.flows import order_files

    return order_files.read_csv(stream, reading) if kind == "csv" else order_files.read_jsonl(stream, reading)


def _imported(settings: "Settings", lines: "Iterator[Line]", size: int | None, *, dry: bool) -> "Report":
    from webhookctl import wiring
    from webhookctl.flows.register import Register, import_lines

    with wiring.store(settings) as store, output.progress("Importing", size) as advance:
        register = Register(store.orders, wiring.policies(settings), dry_run=dry)
        return import_lines(lines, register, clock=options.now_ms, seen=lambda line: advance(line.size))


def _tell(report: "Report", *, dry_run: bool, as_json: bool) -> None:
    counts = {state.value: count for state, count in report.counts.items()} | {"refused": len(report.refused)}
    if as_json:
        keys = ("line", "reference", "why")
        listed = {name: [dict(zip(keys, one, strict=True)) for one in found] for name, found in _lists(report).items()}
        output.show_json({"dry_run": dry_run, "counts": counts} | listed)
        return
    rows = [
        (str(line), name, reference or "-", why)
        for name, ones in _lists(report).items()
        for line, reference, why in ones
    ]
    output.table(("Line", "State", "Reference", "Why"), rows, empty="Nothing was refused or held.")
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing in it"
    output.say(f"{'Would be: ' if dry_run else ''}{told}.")


def _lists(report: "Report") -> dict[str, list[tuple[int, str, str]]]:
    return {"refused": report.refused, "held": report.held}
