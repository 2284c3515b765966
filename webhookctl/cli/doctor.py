"""Is everything right?"""

from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import options, output
from webhookctl.core.errors import ExitCode

if TYPE_CHECKING:
    from webhookctl.core.checkup import Finding

Offline = Annotated[bool, typer.Option("--offline", help="Ask nobody: neither suppliers nor the shop.")]


def register(parent: typer.Typer) -> None:
    """Add the command `doctor`."""
    parent.command(epilog="Try: webhookctl doctor, sudo -u webhookctl webhookctl doctor --offline --json.")(doctor)


def doctor(context: typer.Context, offline: Offline = False, as_json: options.AsJson = False) -> None:
    """Look at settings, files, store, secrets, clock, listeners, suppliers and shop; exit code 1 if any must be fixed.

    Changes nothing. The shop gets a signed `ping`; suppliers are asked about an order that nobody has.
    """
    from webhookctl.core.checkup import Verdict
    from webhookctl.wiring import checkup

    findings = checkup.examine(context.obj.config, offline=offline)
    _show_json(findings) if as_json else _show(findings)
    if any(finding.verdict is Verdict.MUST_FIX for finding in findings):
        raise typer.Exit(ExitCode.NO)


def _show_json(findings: "list[Finding]") -> None:
    names = ("area", "name", "verdict", "says", "do")
    output.show_json([{name: getattr(one, name) for name in names} for one in findings])


def _show(findings: "list[Finding]") -> None:
    from webhookctl.flows.doctor import counted

    for one in findings:
        subject = one.name if one.area == one.name else f"{one.area}, {one.name}"
        output.paragraph(f"{one.verdict}: {subject}: {one.says}", one.do)
    output.emit(counted(findings))
