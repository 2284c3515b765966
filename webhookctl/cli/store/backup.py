"""Copying the store while everything goes on."""

from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output

if TYPE_CHECKING:
    from webhookctl.wiring.backing_up import BackedUp

_MIB = 1 << 20


def register(group: typer.Typer) -> None:
    """Add `backup`."""
    group.command(
        epilog="Try: webhookctl store backup backups/ --keep 7, webhookctl store backup /mnt/usb/shop.db --force."
    )(backup)


def backup(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="FILE", help="A file, or a folder for one with the time in its name.")
    ],
    keep: Annotated[int | None, typer.Option("--keep", min=1, help="Of a folder's backups the newest stay.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Copy the store, check the copy, and put it in place; `serve` goes on meanwhile. The key is not in it."""
    from webhookctl import wiring
    from webhookctl.wiring import backing_up

    with wiring.store(wiring.place(context.obj.config)) as store:
        with output.progress("Copying", backing_up.size_of(store)) as advance:
            done = backing_up.back_up(store, target, keep=keep, force=force, advance=advance)
        backing_up.note(store, done)
    _tell(done, as_json=as_json)


def _tell(done: "BackedUp", *, as_json: bool) -> None:
    if as_json:
        output.show_json(done.as_json())
    else:
        output.emit(f"{done.path}: {done.bytes / _MIB:.1f} MiB, checked.")
    for path in done.removed:
        output.say(f"Removed {path}.")
    for path in done.broken:
        output.say(f"{path} is not whole: it does not count as a backup. Look at its disk, then remove it.")
    output.say("The store's key is not in it: keep a copy of the key elsewhere, or nobody can read the backup.")
