"""Playing the supplier, for trying out."""

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, options, output
from webhookctl.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from webhookctl.flows.send import Sent

_SAID = {400: "rejected: the signature does not match", 404: "unknown supplier", 503: "can't be kept now"}


def register(parent: typer.Typer) -> None:
    """Add the command `send`."""
    parent.command(epilog="Try: webhookctl send order.created, webhookctl send order.fulfilled --set reference=ORD-7.")(
        send
    )


def send(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="EVENT|FILE", help="A sample, as order.created; a file; or - for stdin.")
    ],
    supplier: Annotated[
        str | None,
        typer.Option(
            "--supplier", "-s", help="As whom.", show_default="the only one", autocompletion=completing.suppliers
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Where to.", show_default="the listener of the settings")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="reference=ORD-7; {n} counts.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, help="How many.")] = 1,
    tamper: Annotated[bool, typer.Option("--tamper", help="Change the body after signing it.")] = False,
    in_body: Annotated[bool, typer.Option("--in-body", help="Put the signature into the body.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Play the supplier: sign a sample payload, or a file, and post it to the receiver."""
    from webhookctl import wiring
    from webhookctl.flows.send import Sending
    from webhookctl.wiring import sending

    template, fresh = _template(what)
    payloads = Sending(template, _changes(changes or [], count, fresh=fresh), fresh, count, in_body, tamper)
    settings = wiring.settings(context.obj.config)
    failed = sending.send(settings, payloads, _shower(as_json=as_json), supplier=supplier, url=url)
    if failed:
        raise typer.Exit(ExitCode.NO)


def _changes(changes: list[str], count: int, *, fresh: bool) -> dict[str, str]:
    pairs = dict[str, str]()
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set {change!r} has no '=': write it as --set reference=ORD-7.")
        pairs[name] = value
    if count > 1 and fresh:
        pairs.setdefault("reference", "ORD-12345-{n}")
    return pairs


def _template(what: str) -> tuple[bytes, bool]:
    """Return the payload, and whether it is a sample (whose time becomes now)."""
    if what == "-":
        return sys.stdin.buffer.read(), False
    samples = _samples()
    if what in samples:
        return samples[what].read_bytes(), True
    path = Path(what)
    try:
        return path.read_bytes(), False
    except OSError as error:
        raise UsageError(
            f"{what!r} is neither a sample ({', '.join(samples)}) nor a file that can be read ({error.strerror})."
        ) from None


def _samples() -> dict[str, Any]:
    """Return the sample payloads: beside the code when installed, at the top of a checkout otherwise."""
    package = resources.files("webhookctl")
    folder = package / "sample_payloads"
    if not folder.is_dir():
        folder = Path(str(package)).parent / "sample_payloads"
    return {file.name.removesuffix(".json"): file for file in sorted(folder.iterdir(), key=lambda file: file.name)}


def _shower(*, as_json: bool) -> "Callable[[Sent], None]":
    from webhookctl.flows.send import KEPT

    def show(sent: "Sent") -> None:
        row = {"number": sent.number, "status": sent.status, "event": sent.event, "reference": sent.reference}
        said = "kept" if sent.status in KEPT else _SAID.get(sent.status, "an unexpected answer")
        if as_json:
            output.emit_raw_json(row)
        else:
            output.emit(f"{sent.status} {said}: {sent.event or 'payload'} {sent.reference or ''}".rstrip())

    return show
