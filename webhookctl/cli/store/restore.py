"""Bringing a backup back."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import consent, options, output
from webhookctl.core import moments
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.adapters.store_sqlite.restoring import Held, Restorable


def register(group: typer.Typer) -> None:
    """Add `restore`."""
    group.command(
        epilog="Try: webhookctl store restore /var/backups/shop.db, webhookctl store restore shop.db.1 --yes --json."
    )(restore)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `store backup` has written.")],
    yes: consent.Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check whether it could be restored.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Put a backup in the store's place, once it is checked; the former store is kept beside it."""
    from webhookctl import wiring
    from webhookctl.wiring import upkeeping

    size = file.stat().st_size if file.is_file() else None
    with ExitStack() as held:
        with output.progress("Copying", size) as advance:
            found = held.enter_context(upkeeping.restorable(wiring.settings(context.obj.config), file, advance))
        _explain(found, file)
        kept = None if dry_run or not _is_meant(yes=yes) else found.exchange()
        _tell(found, kept, as_json=as_json, dry_run=dry_run)


def _is_meant(*, yes: bool) -> bool:
    if yes:
        return True
    if not (sys.stdin.isatty() and typer.confirm("Go on?", err=True)):
        raise UsageError("Nothing was changed. In a script, --yes says that it is meant.")
    return True


def _explain(found: "Restorable", file: Path) -> None:
    output.say(f"The backup {file} is sound, and the keys at hand open it. It holds {_holds(found.backup)}.")
    for fault in found.faults:
        output.say(f"In it {fault.count} {fault.what}; `webhookctl store check` afterwards says what to do.")
    if found.present is not None:
        output.say(f"The store {found.path} holds {_holds(found.present)}.")
    elif found.path.exists():
        output.say(f"The store {found.path} can't be read whole.")
    output.say(
        "What came since the backup is not in it. Orders that were delivered since may be delivered once more, under "
        "another webhook-id: the shop must know them by their reference."
    )


def _holds(held: "Held") -> str:
    newest = output.when(moments.on_page(held.newest_event_at)) if held.newest_event_at is not None else None
    age = "no event" if newest is None else f"{held.events} events, the newest of {newest}"
    return f"{age}, and {held.orders} orders"


def _tell(found: "Restorable", kept: Path | None, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        newest = found.backup.newest_event_at
        page = {"restored": not dry_run, "store": str(found.path), "kept": None if kept is None else str(kept)}
        output.show_json(page | {"newest_event_at": moments.on_page(newest), "pending": list(found.lacking)})
    elif dry_run:
        output.emit("It could be restored. Nothing was changed.")
    else:
        output.emit(f"The backup is the store {found.path} now.")
    if kept is not None:
        output.say(f"The former store is kept as {kept}: take it away once everything is well.")
    if not dry_run:
        output.say("Start `serve`: suppliers' repeats and `webhookctl poll --reconcile` fill the gap.")
