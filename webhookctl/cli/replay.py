"""Handling again what came, or sending it elsewhere: after a bad deploy, a mended mapping, a lost database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from webhookctl.cli import completing, consent, options, redelivering, replaying, resending, selection
from webhookctl.core import spelling
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.ports.events import EventQuery

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WHAT]...",
        help="Event ids; or missing (never applied, or dead), failed (dead actions), all; files only with --to.",
        show_default=False,
        autocompletion=completing.replayable,
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        help="Only this order reference; with --redeliver several.",
        show_default=False,
        autocompletion=completing.references,
    ),
]
Redeliver = Annotated[
    bool, typer.Option("--redeliver", help="Deliver the orders of --reference once more, under new ids.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why --redeliver, or why codes go out by --to; kept.")]

_Filters: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Type, state, order id, via, since and until."""
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
    def of(cls, said: Sequence[str], query: "EventQuery", *, is_resumed: bool = False) -> "Selected":
        """Read WHAT; raises `UsageError` where nothing was said, or two things at once."""
        words = [Word(one) for one in said if one in Word.__members__.values()]
        if words and len(said) > 1:
            raise UsageError(f"`{words[0]}` stands alone: give either a word, or ids.")
        is_filtered = query != selection.query()
        if said and not words and is_filtered:
            raise UsageError("Give either ids, or filters: an id needs none.")
        if not said and not is_filtered and not is_resumed:
            raise UsageError(_BARE)
        return cls(() if words else tuple(said), words[0] if words else None, query)

    def refuse_files(self) -> None:
        """Raise `UsageError` where what was said is neither an id nor a word."""
        for one in self.what:
            if Path(one).is_file():
                raise UsageError(f"{one} is a file: files go somewhere, so add --to URL.")
            if not _ID.fullmatch(one):
                hint = spelling.nearest(one, Word) or f"there are the words {', '.join(Word)}, and event ids."
                raise UsageError(f"{one!r} is nothing that can be replayed; {hint}")


def register(parent: typer.Typer) -> None:
    """Add `replay`."""
    parent.command(
        cls=resending.Command,
        epilog="Try: webhookctl replay missing --since 2d --dry-run, webhookctl replay 17 18 --reason 'case 47' "
        "--to http://127.0.0.1:8700/webhooks/acme --sign fresh.",
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
    to: resending.To = None,
    sign: resending.Sign = None,
    rate: resending.Rate = None,
    concurrency: resending.Concurrency = 16,
    header: resending.Header = None,
    timeout: resending.Timeout = "10s",
    max_failures: resending.MaxFailures = 10,
    allow_url: resending.AllowUrl = False,
    resume: resending.Resume = None,
    secret_env: resending.SecretEnv = None,
    secret_file: resending.SecretFile = None,
    param: resending.Param = None,
    dry_run: consent.DryRun = False,
    yes: consent.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Handle again what came, in order of arrival; a plan first, and nothing that is done is done twice."""
    signing = resending.Signing(sign, secret_env or [], secret_file or [], param or [])
    pace = resending.Pace(rate, concurrency, timeout, max_failures)
    outward = resending.Asked(to, resume, signing, pace, header or [], allow_url, reason, dry_run, yes, as_json)
    filters = (type_, state, order_id, via, since, until)
    how = replaying.How(dry_run, yes, as_json)
    if redeliver:
        named = redelivering.Named(what or (), reference or (), supplier, (*filters, to, resume), reason)
        return redelivering.redeliver(context, named, how)
    selected = Selected.of(what or (), _query(supplier, _only(reference), filters), is_resumed=resume is not None)
    return _replay(context, selected, outward, how)


def _replay(context: typer.Context, selected: Selected, outward: resending.Asked, how: replaying.How) -> None:
    if outward.is_meant:
        return resending.resend(context, outward, selected.what, selected.word, selected.query)
    options.refuse_alone(outward.reason, for_="--redeliver or --to")
    selected.refuse_files()
    if selected.word is Word.FAILED:
        return replaying.try_again(context, selected.query, how)
    return replaying.handle(context, selected.what, selected.query, how, missing=selected.word is Word.MISSING)


def _query(supplier: str | None, reference: str | None, filters: "_Filters") -> "EventQuery":
    type_, state, order_id, via, since, until = filters
    return selection.query(
        supplier=supplier,
        reference=reference,
        type_=type_,
        state=state,
        order_id=order_id,
        via=via,
        since=since,
        until=until,
    )


def _only(references: Sequence[str] | None) -> str | None:
    if references and len(references) > 1:
        raise UsageError("Several --reference are for --redeliver: else give one at a time.")
    return references[0] if references else None
