"""Handling again what came, or sending it elsewhere: after a bad deploy, a mended mapping, a lost database."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import consent, options, resending
from webhookctl.core.errors import UsageError
from webhookctl.core.events import EventState

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


class Word(StrEnum):
    """What people mean, in a word."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Selected:
    """What is to be replayed, as it was said."""

    what: tuple[str, ...]
    """Event ids or files; empty where a word or filters say it."""
    word: Word | None
    query: "EventQuery"

    @classmethod
    def of(cls, what: list[str] | None, query: "EventQuery") -> "Selected":
        """Read WHAT; raises `UsageError` where nothing was said, or two things at once."""
        said = tuple(what or ())
        words = [Word(one) for one in said if one in set(Word)]
        if words and len(said) > 1:
            raise UsageError(f"`{words[0]}` stands alone: give either a word, or ids.")
        return cls(() if words else said, words[0] if words else None, query)


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
    supplier: options.Supplier = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, as order.failed.")] = None,
    state: Annotated[EventState | None, typer.Option("--state", help="Only in this state.")] = None,
    reference: options.Reference = None,
    order_id: Annotated[str | None, typer.Option("--order-id", help="Only this supplier's order id.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    reason: Annotated[str, typer.Option("--reason", help="Why codes leave the store; kept.")] = "",
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
    from webhookctl.core.ports.events import EventQuery

    first, last = options.window(since, until)
    selected = Selected.of(what, EventQuery(supplier, type_, state, reference, order_id, first, last))
    signing = resending.Signing(sign, secret_env or [], secret_file or [], param or [])
    pace = resending.Pace(rate, concurrency, timeout, max_failures)
    outward = resending.Asked(to, resume, signing, pace, header or [], allow_url, reason, dry_run, yes, as_json)
    if outward.is_meant:
        resending.resend(context, outward, selected.what, selected.word, selected.query)
