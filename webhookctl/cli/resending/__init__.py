"""Sending what came elsewhere, or files: the options of `replay --to`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from webhookctl.cli import completing, secrecy
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.ports.events import EventQuery

NEWEST: Final = "newest"
"""What `--resume` says without an id."""

To = Annotated[
    str | None,
    typer.Option("--to", metavar="URL", help="Post the exact bytes there, instead of handling them again."),
]
Sign = Annotated[
    str | None,
    typer.Option(
        "--sign",
        metavar="HOW",
        help="as-received; fresh (a new time and signature); or the supplier or preset whose scheme signs all.",
        show_default="as-received",
        autocompletion=completing.signers,
    ),
]
Rate = Annotated[
    str | None, typer.Option("--rate", help="At most so many, as 20/s or 300/m.", show_default="as fast as it goes")
]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, max=100, help="How many are on their way at once.")]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", help="A header to add or replace; its value may be env:NAME or file:PATH."),
]
Timeout = Annotated[str, typer.Option("--timeout", help="How long one may take.")]
MaxFailures = Annotated[int, typer.Option("--max-failures", min=0, help="Stop after so many; 0 for never.")]
AllowUrl = Annotated[
    bool, typer.Option("--allow-url", help="It is meant, though neither this machine nor in the settings.")
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="[ID]", help="Go on with a replay; the newest that is not at its end."),
]
SecretEnv = Annotated[
    list[str] | None, typer.Option("--secret-env", metavar="NAME", help="The variable with a preset's secret.")
]
SecretFile = Annotated[
    list[str] | None, typer.Option("--secret-file", metavar="PATH", help="The file with a preset's secret.")
]
Param = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A plain value that a preset needs.")
]


class Command(secrecy.Command):
    """A command whose `--resume` may stand without an id."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own context
        """Say which is meant where nobody did."""
        following = [*args, ""][1:]
        said = [
            f"{one}={NEWEST}" if one == "--resume" and not after.isdigit() else one
            for one, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, said)


@dataclass(frozen=True, slots=True)
class Signing:
    """How it is signed, as the options say."""

    sign: str | None = None
    secret_env: Sequence[str] = ()
    secret_file: Sequence[str] = ()
    params: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes, and for how long, as the options say."""

    rate: str | None = None
    concurrency: int = 16
    timeout: str = "10s"
    max_failures: int = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say."""

    to: str | None = None
    resume: str | None = None
    signing: Signing = Signing()
    pace: Pace = Pace()
    headers: Sequence[str] = ()
    allow_url: bool = False
    reason: str = ""
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False

    @property
    def is_meant(self) -> bool:
        """Return whether it is to be sent elsewhere; raises `UsageError` for options that mean nothing without."""
        if self.to is not None or self.resume is not None:
            return True
        if (self.signing, self.pace, list(self.headers), self.allow_url) == (
            Signing(None, [], [], []),
            Pace(),
            [],
            False,
        ):
            return False
        raise UsageError("How something is sent was said, but not where to: add --to URL, or leave those options out.")


def resend(context: typer.Context, asked: Asked, what: Sequence[str], word: str | None, query: "EventQuery") -> None:
    """Send what is meant: the files in `what`, or the events that it names, or those of `word` and `query`."""
    from webhookctl.cli.resending import sending

    sending.resend(context, asked, what, word, query)
