"""Encrypting anew under the first key."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output
from webhookctl.core.errors import SealedError, UsageError

if TYPE_CHECKING:
    from webhookctl.core.ports.upkeep import Upkeep
    from webhookctl.flows.rekey import Rekeying


def register(group: typer.Typer) -> None:
    """Add `rekey`."""
    group.command(epilog="Try: webhookctl store rekey, webhookctl store rekey --yes --json.")(rekey)


def rekey(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Encrypt under the first of [store] keys all that lies under others, or in clear, while `serve` goes on."""
    from webhookctl import wiring

    settings = wiring.settings(context.obj.config)
    if not settings.store.keys:
        raise UsageError("[store] names no key: put a new one first in keys, then run this again.")
    with wiring.store(settings) as store:
        total = store.upkeep.count_sealed()
        _ask(total, yes=yes)
        done = _rekey(store.upkeep, total)
    _tell(done, as_json=as_json)
    if len(settings.store.keys) > 1 or settings.store.unencrypted:
        output.say("Nothing needs the older keys any more: take them out of [store] keys, and `unencrypted` with them.")


def _ask(total: int, *, yes: bool) -> None:
    output.say(
        f"About {total} rows are looked at. Every `serve` and `work` must have been restarted since the new key stands "
        "first in [store] keys: one that does not know it can't read what is encrypted anew."
    )
    if not yes and not (sys.stdin.isatty() and typer.confirm("Go on?", err=True)):
        raise UsageError("Nothing was changed. In a script, --yes says that it is meant.")


def _rekey(upkeep: "Upkeep", total: int) -> "Rekeying":
    from webhookctl.flows import rekey as flow

    try:
        with output.progress("Encrypting", total) as advance:
            return flow.rekey(upkeep, advance)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted: what is encrypted anew stays so. Keep the older keys until `webhookctl store rekey` has come "
            "to its end: run it again."
        ) from None


def _tell(done: "Rekeying", *, as_json: bool) -> None:
    if as_json:
        output.show_json({"rows": done.rows, "changed": done.changed, "unreadable": dict(done.unreadable)})
    else:
        output.emit(f"{done.changed} values of {done.rows} rows were encrypted anew.")
    for reason, count in done.unreadable.items():
        output.say(f"{count} values stay as they are: {reason}")
    if done.unreadable:
        raise SealedError("Not everything is under the first key: keep the older keys in [store] keys.")
