"""Is a delivery valid, and if not, which mistake explains it?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, options, output, requests, schemes, secrecy, verdicts
from webhookctl.core.errors import ExitCode, UsageError
from webhookctl.core.signatures import Kind

if TYPE_CHECKING:
    from webhookctl.core.deliveries import Delivery
    from webhookctl.core.signatures import Scheme
    from webhookctl.flows.verify import Question, Signing, Verdict

_EVERYTHING = 1_000_000

Preset = Annotated[
    str | None,
    typer.Option("--preset", help="Whose scheme, as stripe.", show_default=False, autocompletion=completing.presets),
]
Supplier = Annotated[
    str | None,
    typer.Option(
        "--supplier", "-s", help="A supplier of the settings.", show_default=False, autocompletion=completing.suppliers
    ),
]
SecretEnv = Annotated[
    list[str] | None, typer.Option("--secret-env", metavar="NAME", help="The variable with the secret; repeatable.")
]
SecretFile = Annotated[
    list[str] | None, typer.Option("--secret-file", metavar="PATH", help="The file with the secret; repeatable.")
]
BodyFile = Annotated[
    str | None, typer.Option("--body-file", metavar="FILE", help="The body, byte for byte; - for stdin.")
]
Url = Annotated[str | None, typer.Option("--url", help="The address posted to, where it is signed.")]
Method = Annotated[str | None, typer.Option("--method", help="The method, where it is signed.", show_default="POST")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Judge by this time: RFC 3339 or unix.")]
Param = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A plain value that the scheme needs.")
]


def register(parent: typer.Typer) -> None:
    """Add the command `verify`."""
    parent.command(
        cls=secrecy.Command,
        epilog="Try: webhookctl verify --preset stripe --secret-env S --body-file b.json -H 'Stripe-Signature: …', "
        "webhookctl verify --supplier acme --request captured.http.",
    )(verify)


def verify(
    context: typer.Context,
    preset: Preset = None,
    supplier: Supplier = None,
    secret_env: SecretEnv = None,
    secret_file: SecretFile = None,
    body_file: BodyFile = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="A header; repeatable.")] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="FILE", help="A captured request: raw HTTP, curl, HAR.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="A stored event.", autocompletion=completing.event_ids)
    ] = None,
    rejected: Annotated[
        int | None,
        typer.Option("--rejected", metavar="ID", help="A rejected delivery.", autocompletion=completing.rejected_ids),
    ] = None,
    all_rejected: Annotated[bool, typer.Option("--all-rejected", help="All that were rejected; see --since.")] = False,
    since: options.Since = None,
    at: At = None,
    url: Url = None,
    method: Method = None,
    param: Param = None,
    tolerance: Annotated[str | None, typer.Option("--tolerance", help="As 10m; 0 looks at no time.")] = None,
    show_expected: Annotated[
        bool, typer.Option("--show-expected", help="Show the signature it would need: a forgery token.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check a delivery's signature; where it does not match, say which mistake explains it."""
    told = requests.Told(body_file, header or [], request, url, method)
    by = By(preset, supplier, secret_env or [], secret_file or [], param or [], tolerance, requests.moment(at))
    stored = Stored(event, rejected, all_rejected, since)
    stored.check_alone(told, by)
    questions = stored.questions(context, by) if stored.is_meant else [by.question(context, told)]
    found = list(judged(questions))
    verdicts.show(found, as_json=as_json, show_expected=show_expected)
    if not all(verdict.is_valid for verdict in found):
        raise typer.Exit(ExitCode.NO)


def judged(questions: "Iterable[Question]") -> "Iterator[Verdict]":
    """Judge each; the presets are read only when one is invalid."""
    from functools import cache

    from webhookctl.flows import verify as flow

    presets = cache(schemes.all_presets)
    for question in questions:
        yield flow.judge(question, presets)


@dataclass(frozen=True, slots=True)
class By:
    """By what is judged, as the options say."""

    preset: str | None
    supplier: str | None
    secret_env: list[str]
    secret_file: list[str]
    params: list[str]
    tolerance: str | None
    at: int | None

    def question(self, context: typer.Context, told: requests.Told) -> "Question":
        """Return what is asked of a request that the options give."""
        from webhookctl.flows.verify import Question

        now = options.now_ms() if self.at is None else self.at
        if self.preset is None and self.supplier is None:
            delivery = told.delivery(now=now)
            signing = self._recognised(delivery)
        else:
            signing, url = self.signing(context)
            delivery = told.delivery(now=now, url=url)
        if signing.scheme.kind is Kind.NONE:
            raise UsageError(f"By {signing.name} nothing is signed, so that there is nothing to verify.")
        _refuse_token(signing, told)
        return Question(delivery, signing, now)

    def signing(self, context: typer.Context) -> "tuple[Signing, str]":
        """Return how the one who was named signs, and the address that he posts to, if it is known."""
        if self.preset is not None and self.supplier is not None:
            raise UsageError("--preset and --supplier exclude one another: a supplier has its preset in the settings.")
        if self.supplier is not None:
            return self._of_settings(context, self.supplier)
        if self.preset is None:
            raise UsageError("Name the scheme: --preset (`webhookctl suppliers list` shows them), or --supplier.")
        return self._of_preset(self.preset), ""

    def over(self, question: "Question") -> "Question":
        """Return a question about a stored delivery with what the options say against it."""
        from webhookctl.flows.verify import Signing

        if self.preset is not None:
            return replace(question, signing=self._of_preset(self.preset), barred=None)
        secrets = secrecy.read(self.secret_env, self.secret_file) if self.secret_env or self.secret_file else None
        known = question.signing
        scheme = self._as_told(known.scheme)
        return replace(question, signing=Signing(known.name, scheme, secrets or known.secrets, known.others))

    def _as_told(self, scheme: "Scheme") -> "Scheme":
        """Return a scheme of the settings with the one thing changed that options may change."""
        if self.params or self.tolerance not in {None, "0"}:
            raise UsageError(
                "What a supplier's params and tolerance are the settings say; only --tolerance 0 is taken."
            )
        return scheme if self.tolerance is None else replace(scheme, tolerance=0)

    def _of_settings(self, context: typer.Context, name: str) -> "tuple[Signing, str]":
        from webhookctl import wiring
        from webhookctl.wiring import verifying

        settings = wiring.settings(context.obj.config)
        signing = verifying.signing(settings, name)
        if self.secret_env or self.secret_file:
            signing = replace(signing, secrets=secrecy.read(self.secret_env, self.secret_file))
        return replace(signing, scheme=self._as_told(signing.scheme)), verifying.url(settings, name)

    def _recognised(self, delivery: "Delivery") -> "Signing":
        best, *others = schemes.recognised(delivery)
        further = f" It could be {' or '.join(others[:3])} too." if others else ""
        output.say(f"No --preset was given; by its headers this is {best}.{further}")
        return self._of_preset(best)

    def _of_preset(self, name: str) -> "Signing":
        from webhookctl.flows.verify import Signing

        scheme = schemes.of_preset(name, self.params, self.tolerance)
        return Signing(name, scheme, secrecy.read(self.secret_env, self.secret_file))


def _refuse_token(signing: "Signing", told: requests.Told) -> None:
    """Refuse a header that holds the secret itself: a capture in a file is read by its owner alone."""
    names = {name.key for name in signing.scheme.signature_header}
    given = {line.partition(":")[0].strip().lower().encode("utf-8", "replace") for line in told.headers}
    if signing.scheme.kind is Kind.TOKEN and names & given:
        raise UsageError(
            f"By {signing.name} that header holds the secret itself, which must not stand in an argument: rotate it if "
            "it is real, put the whole request into a file and use --request."
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """Which stored deliveries are meant."""

    event: str | None
    rejected: int | None
    all_rejected: bool
    since: str | None

    @property
    def is_meant(self) -> bool:
        return self.event is not None or self.rejected is not None or self.all_rejected

    def check_alone(self, told: requests.Told, by: By) -> None:
        """Refuse options that would be passed over in silence: the verdict would be about something else."""
        stored = {"--event": self.event, "--rejected": self.rejected, "--all-rejected": self.all_rejected or None}
        named = [option for option, value in stored.items() if value is not None]
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)} exclude one another.")
        if self.since is not None and not self.all_rejected:
            raise UsageError("--since belongs to --all-rejected.")
        if named and told != requests.Told(None, [], None, None, None):
            raise UsageError(
                f"{named[0]} takes the request from the store: leave out --request, --body-file, -H, --url."
            )
        if named and by.supplier is not None and not self.all_rejected:
            raise UsageError(f"{named[0]} knows its supplier: leave out --supplier.")

    def questions(self, context: typer.Context, by: By) -> "Iterator[Question]":
        """Return what is asked of them."""
        from webhookctl import wiring
        from webhookctl.core.ports.quarantine import RejectedQuery
        from webhookctl.wiring import verifying

        settings = wiring.settings(context.obj.config)
        found: Iterable[Any]
        if self.event is not None:
            found = [verifying.event(settings, self.event, now=by.at)]
        elif self.rejected is not None:
            found = [verifying.rejected(settings, self.rejected, now=by.at)]
        else:
            first, _ = options.window(self.since, None)
            query = RejectedQuery(supplier=by.supplier, since=first, limit=_EVERYTHING)
            found = verifying.all_rejected(settings, query, now=by.at)
        return (by.over(question) for question in found)
