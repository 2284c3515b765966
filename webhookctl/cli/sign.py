"""The headers that a supplier would send with a body, to use with curl."""

import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output, requests, secrecy
from webhookctl.cli.verify import At, By, Method, Param, Preset, SecretEnv, SecretFile, Supplier, Url
from webhookctl.core.errors import UsageError

if TYPE_CHECKING:
    from webhookctl.core.signatures import Key, Signed
    from webhookctl.flows.verify import Signing


def register(parent: typer.Typer) -> None:
    """Add the command `sign`."""
    parent.command(
        cls=secrecy.Command,
        epilog="Try: webhookctl sign --preset stripe --secret-env S --body-file b.json, "
        "webhookctl sign --supplier acme --body-file - --json.",
    )(sign)


def sign(
    context: typer.Context,
    body_file: Annotated[
        str,
        typer.Option("--body-file", metavar="FILE", help="The body, byte for byte; - for stdin.", show_default=False),
    ],
    preset: Preset = None,
    supplier: Supplier = None,
    secret_env: SecretEnv = None,
    secret_file: SecretFile = None,
    message_id: Annotated[str | None, typer.Option("--id", help="The event's id, where it is signed.")] = None,
    at: At = None,
    url: Url = None,
    method: Method = None,
    param: Param = None,
    in_body: Annotated[bool, typer.Option("--in-body", help="Put the signature into the body.")] = False,
    output_file: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Where the signed body goes, if it changes.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the headers that a supplier would send with this body, as options of curl."""
    by = By(preset, supplier, secret_env or [], secret_file or [], param or [], None, requests.moment(at))
    body = requests.read(body_file)
    signed = Asked(body, message_id, url, method or "POST", in_body).signed(context, by)
    if signed.body != body:
        _write(output_file, signed.body)
    _show_json(signed) if as_json else _show(signed)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be signed."""

    body: bytes
    message_id: str | None
    url: str | None
    method: str
    in_body: bool

    def signed(self, context: typer.Context, by: By) -> "Signed":
        """Sign it as the supplier would."""
        from webhookctl.core.signatures import sign as make

        signing, url = by.signing(context)
        now = options.now_ms() if by.at is None else by.at
        return make(
            signing.scheme,
            _key(signing),
            body=self.body,
            now=now,
            message_id=self.message_id or f"msg_{now}",
            url=self.url or url,
            method=self.method,
            in_body=self.in_body,
        )


def _key(signing: "Signing") -> "Key | None":
    """Return what signs, None where nothing does; refused where the header would show it on a screen."""
    from webhookctl.core.signatures import Kind

    if signing.scheme.kind is Kind.NONE:
        return None
    if signing.scheme.kind is Kind.TOKEN and sys.stdout.isatty():
        raise UsageError(
            f"By {signing.name} the header is the secret itself, which is not for a screen: let it go into a file "
            "(`> headers`) of mode 0600, or have `webhookctl send` post it."
        )
    return signing.scheme.signing_key(signing.secrets[0], allow_short=True)


def _write(path: str | None, body: bytes) -> None:
    """Write the signed body: what is in it may be worth money, so that it is ours alone."""
    if path is None:
        raise UsageError("This signature stands in the body, which changes with it: say with --output where it goes.")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(body)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "that is no path").lower()
        raise UsageError(f"{path} can't be written: {why}.") from None
    output.say(f"The signed body is in {path}.")


def _show(signed: "Signed") -> None:
    for name, value in signed.headers.items():
        output.emit(f"-H {shlex.quote(f'{name}: {value}')}")


def _show_json(signed: "Signed") -> None:
    output.show_json({"headers": signed.headers, "body_bytes": len(signed.body)})
