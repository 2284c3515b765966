"""Beginning: settings, key and secrets, and whether they will do."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webhookctl.cli import completing, options, output
from webhookctl.core.errors import ExitCode, SettingsError

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.wiring import inspection

config_app = typer.Typer(no_args_is_help=True, help="Show or check the settings.")


def register(parent: typer.Typer) -> None:
    """Add the command `init` and the group `config`."""
    parent.command(
        epilog="Try: webhookctl init, webhookctl init --folder shop --supplier acme --domain hooks.shop.example."
    )(init)
    parent.add_typer(config_app, name="config")


def init(
    folder: Annotated[Path, typer.Option("--folder", help="Where the files go; made if missing.")] = Path(),
    supplier: Annotated[str, typer.Option("--supplier", "-s", help="The supplier's name; part of its URL.")] = "acme",
    preset: Annotated[
        str, typer.Option("--preset", help="How the supplier signs.", autocompletion=completing.presets)
    ] = "generic",
    domain: Annotated[str, typer.Option("--domain", help="The host that suppliers reach.")] = "shop.example",
) -> None:
    """Write settings, key and secrets, and print the lines for systemd, cron, nginx and the supplier's dashboard."""
    from webhookctl.cli import installation

    plan = installation.plan(folder, supplier, preset, domain)
    for path in installation.write(plan):
        output.say(f"Wrote {path}.")
    for line in installation.steps(plan):
        output.emit(line)


@config_app.command(epilog="Try: webhookctl config show, webhookctl --config shop.toml config show --json.")
def show(context: typer.Context, as_json: options.AsJson = False) -> None:
    """Show the settings that hold, from file and environment; of a secret only whether it is set."""
    from webhookctl.cli import settings_page
    from webhookctl.config import demo_settings

    settings = _settings(context) or demo_settings(Path.cwd(), os.environ)
    if settings.demo:
        output.say("There is no settings file: these are the demo's. `webhookctl init` writes one.")
    page = settings_page.page(settings, os.environ)
    if as_json:
        output.show_json(page)
    else:
        output.table(["Setting", "Value"], settings_page.rows(page))


@config_app.command(epilog="Try: webhookctl config check, webhookctl --config shop.toml config check --json.")
def check(context: typer.Context, as_json: options.AsJson = False) -> None:
    """Read the settings and every secret, and say what will not work; exit code 3 if anything will not."""
    from webhookctl.wiring import inspection

    settings = _settings(context)
    if settings is None:
        raise SettingsError("There is no settings file: run `webhookctl init`, or name one with --config.")
    findings = inspection.inspect(settings, os.environ)
    if as_json:
        output.show_json([finding.as_json() for finding in findings])
    else:
        _print(findings)
    if any(finding.fault for finding in findings):
        raise typer.Exit(ExitCode.SETTINGS)


def _print(findings: "list[inspection.Finding]") -> None:
    for finding in findings:
        if finding.fault:
            output.say(f"{finding.name}: {finding.fault}")
        else:
            output.emit(f"ok {finding.name}: {finding.what}")
        if finding.note:
            output.say(f"{finding.name}: {finding.note}")


def _settings(context: typer.Context) -> "Settings | None":
    from webhookctl.config import find, load

    path = find(context.obj.config, os.environ, Path.cwd())
    return load(path, os.environ) if path is not None else None
