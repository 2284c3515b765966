"""How big is the store, and when is the disk full?"""

from typing import TYPE_CHECKING, Any

import typer

from webhookctl.cli import looking, options, output

if TYPE_CHECKING:
    from webhookctl.core.ports.checks import Sizes, TableSize

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_COLUMNS = ("Table", "Rows", "About bytes", "Rows a day")


def register(group: typer.Typer) -> None:
    """Add `stats`."""
    group.command(epilog="Try: webhookctl store stats, webhookctl store stats --json.")(stats)


def stats(context: typer.Context, as_json: options.AsJson = False) -> None:
    """Show rows and bytes of each table, how fast they grow, and when the disk is full at this rate.

    Bytes of a table are estimated from some of its rows; the sizes of files are as they are.
    """
    from webhookctl import wiring

    with looking.store(context, wiring.place(context.obj.config)) as store:
        sizes = store.checks.sizes(now=options.now_ms())
    page = _page(sizes)
    output.show_json(page) if as_json else _print(page, sizes)


def _page(sizes: "Sizes") -> dict[str, Any]:
    return {
        "file_bytes": sizes.file_bytes,
        "journal_bytes": sizes.journal_bytes,
        "free_in_file_bytes": sizes.free_bytes,
        "disk_free_bytes": sizes.disk_free_bytes,
        "bytes_per_day": sizes.bytes_per_day,
        "measured_days": round(sizes.days, 2),
        "full_in_days": None if sizes.full_in_days is None else round(sizes.full_in_days, 1),
        "tables": [_table(sizes, one) for one in sizes.tables],
    }


def _table(sizes: "Sizes", one: "TableSize") -> dict[str, Any]:
    return {
        "table": one.table,
        "rows": one.rows,
        "bytes_estimated": one.bytes,
        "rows_per_day": _per_day(sizes, one.table),
    }


def _per_day(sizes: "Sizes", table: str) -> float | None:
    found = sizes.rows_per_day.get(table)
    return None if found is None else round(found, 1)


def _print(page: dict[str, Any], sizes: "Sizes") -> None:
    names = ("file_bytes", "journal_bytes", "free_in_file_bytes", "disk_free_bytes", "bytes_per_day")
    pairs = [(name.removesuffix("_bytes").replace("_", " "), _size(page[name])) for name in names]
    output.fields([*pairs, ("disk is full", _full(sizes))])
    output.heading("Tables")
    output.table(_COLUMNS, (_cells(row) for row in page["tables"]))


def _full(sizes: "Sizes") -> str:
    if sizes.full_in_days is None:
        return "never, at this rate: nothing came in the last days"
    days = sizes.full_in_days
    about = "less than a day" if days < 1 else f"{days:.0f} days" if days < 3650 else "more than ten years"  # noqa: PLR2004 - days of ten years
    span = f"{sizes.days * 24:.0f} h" if sizes.days < 1 else f"{sizes.days:.1f} days"
    return f"in {about}, at the rate of the last {span}, less what others write there"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    per_day = "-" if row["rows_per_day"] is None else f"{row['rows_per_day']:g}"
    return (row["table"], str(row["rows"]), _size(row["bytes_estimated"]), per_day)


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - a kibibyte
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit < 1 else f"{size:.1f} {_UNITS[unit]}"
