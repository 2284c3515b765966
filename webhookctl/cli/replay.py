"""Handling again what came: after a bad deploy, a mended mapping, a lost database of the shop."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from webhookctl.cli import consent, options, redelivering, replaying, selection
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.ports.events import EventQuery

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WHAT]...",
        help="Event ids; or missing (never applied, or dead), failed (dead actions), all; files only with --to.",
        show_default=False,
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", help="Only this order reference; with --redeliver several.", show_default=False),
]
Redeliver = Annotated[
    bool, typer.Option("--redeliver", help="Deliver the orders of --reference once more, under new ids.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why --redeliver; kept in the order's story.")]

_ID: Final = re.compile(r"[0-9a-f-]{1,36}", re.IGNORECASE | re.ASCII)
_BARE: Final = (
    "Say what is to be replayed: event ids, `missing` (never applied, or dead), `failed` (dead actions), `all`, or "
    "filters such as --since 2d. --dry-run only shows the plan."
)


class Word(StrEnum):
    """What people mean, in a word."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Selected:
    """What is to be replayed, as it was said."""

    what: tuple[str, ...]
    """Event ids, or files; empty where a word or filters say it."""
    word: Word | None
    query: "EventQuery"

    @classmethod
    def of(cls, said: Sequence[str], query: "EventQuery") -> "Selected":
        """Read WHAT; raises `UsageError` where nothing was said, or two things at once."""
        words = [Word(one) for one in said if one in Word.__members__.values()]
        if words and len(said) > 1:
            raise UsageError(f"`{words[0]}` stands alone: give either a word, or ids.")
        is_filtered = query != selection.query()
        if said and not words and is_filtered:
            raise UsageError("Give either ids, or filters: an id needs none.")
        if not said and not is_filtered:
            raise UsageError(_BARE)
        return cls(() if words else tuple(said), words[0] if words else None, query)

    def refuse_files(self) -> None:
        """Raise `UsageError` where what was said is neither an id nor a word."""
        for one in self.what:
            if Path(one).is_file():
                raise UsageError(f"{one} is a file: files go somewhere, so add --to URL.")
            if not _ID.fullmatch(one):
                hint = selection.nearest(one, [*Word]) or f"there are the words {', '.join(Word)}, and event ids."
                raise UsageError(f"{one!r} is nothing that can be replayed; {hint}")


def register(parent: typer.Typer) -> None:
    """Add `replay`."""
    parent.command(
        epilog="Try: webhookctl replay missing --since 2d --dry-run, webhookctl replay --redeliver --reference "
        'ORD-12345 --reason "the shop\'s database was lost".'
    )(replay)


def replay(
    context: typer.Context,
    what: What = None,
    supplier: selection.Supplier = None,
    type_: selection.Type = None,
    state: selection.State = None,
    reference: References = None,
    order_id: selection.OrderId = None,
    via: selection.Learned = None,
    since: selection.Since = None,
    until: selection.Until = None,
    redeliver: Redeliver = False,
    reason: Reason = "",
    dry_run: consent.DryRun = False,
    yes: consent.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Handle again what came, in order of arrival; a plan first, and nothing that is done is done twice."""
    how = replaying.How(dry_run, yes, as_json)
    said = {"type_": type_, "state": state, "order_id": order_id, "via": via, "since": since, "until": until}
    query = _query(supplier, None if redeliver else _only(reference), said)
    if redeliver:
        chosen = redelivering.Chosen.of(what or (), reference or (), query, reason)
        return redelivering.redeliver(context, chosen, how)
    selected = Selected.of(what or (), query)
    selected.refuse_files()
    if selected.word is Word.FAILED:
        return replaying.try_again(context, query, how)
    return replaying.handle(context, selected.what, query, how, missing=selected.word is Word.MISSING)


def _query(supplier: str | None, reference: str | None, said: Mapping[str, str | None]) -> "EventQuery":
    return selection.query(
        supplier=supplier,
        reference=reference,
        type_=said["type_"],
        state=said["state"],
        order_id=said["order_id"],
        via=said["via"],
        since=said["since"],
        until=said["until"],
    )


def _only(references: Sequence[str] | None) -> str | None:
    if references and len(references) > 1:
        raise UsageError("Several --reference are for --redeliver: else give one at a time.")
    return references[0] if references else None
