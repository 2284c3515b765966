"""Trying out, against a pretend supplier."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhookctl.cli import completing, options, output
from webhookctl.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from webhookctl.wiring.demonstrating import Plan, Report

app = typer.Typer(rich_markup_mode=None, help="Try webhookctl out, against a pretend supplier.")

Loss = Annotated[str, typer.Option("--loss", help="The share of webhooks that get lost.")]


def register(parent: typer.Typer) -> None:
    """Add the group `demo`."""
    parent.add_typer(app, name="demo")


@app.callback(
    invoke_without_command=True,
    epilog="Try: webhookctl demo, webhookctl demo --orders 100 --loss 50%.",
)
def demo(
    context: typer.Context,
    orders: Annotated[int, typer.Option("--orders", min=1, max=10_000, help="How many orders are placed.")] = 60,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="About how long it lasts.")] = 30,
    loss: Loss = "20%",
    as_json: options.AsJson = False,
) -> None:
    """Run a supplier that loses webhooks, a shop, serve and poll; tell what became of each order."""
    if context.invoked_subcommand is not None:
        return
    from webhookctl.wiring import demonstrating

    with tempfile.TemporaryDirectory(prefix="webhookctl-demo-") as folder:
        plan = _plan(loss, seconds / 10, None)
        report = demonstrating.run(Path(folder), plan, orders=orders, seconds=seconds, say=output.say)
    output.show_json(_page(report)) if as_json else output.fields(_lines(report))
    if not report.is_good:
        raise typer.Exit(ExitCode.NO)


@app.command(
    "supplier",
    epilog="Try: webhookctl demo supplier, webhookctl demo supplier --every 2s --loss 50%.",
)
def supplier(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            "--supplier",
            "-s",
            help="Which of the settings to play.",
            show_default="the only one",
            autocompletion=completing.suppliers,
        ),
    ] = None,
    loss: Loss = "20%",
    life: Annotated[str, typer.Option("--life", help="How long an order takes.")] = "10s",
    every: Annotated[
        str | None, typer.Option("--every", help="Place an order of its own so often.", show_default=False)
    ] = None,
) -> None:
    """Play a supplier of the settings: its orders, its webhooks with losses, and the API that poll asks."""
    from webhookctl import wiring
    from webhookctl.wiring import demonstrating

    plan = _plan(loss, _seconds("--life", life), None if every is None else _seconds("--every", every))
    counts = demonstrating.supplier(wiring.settings(context.obj.config), name, plan, _greet)
    output.say("Stopped: " + ", ".join(f"{count} {what}" for what, count in counts.items()) + ".")


def _greet(url: str, webhooks: str) -> None:
    output.say(f"The pretend supplier answers at {url} and posts to {webhooks}")
    output.say('Place an order by POST /orders with its bearer token and {"reference": "ORD-1"}. Ctrl-C stops.')


def _plan(loss: str, life_s: float, every_s: float | None) -> "Plan":
    from webhookctl.wiring.demonstrating import Plan

    number = loss.removesuffix("%")
    if not number.isascii() or not number.isdigit() or number == loss or int(number) > 100:  # noqa: PLR2004 - percent
        raise UsageError(f"--loss {loss!r} can't be read; give a share such as 20%.")
    return Plan(int(number) / 100, life_s, every_s)


def _seconds(option: str, written: str) -> float:
    from webhookctl.config import units
    from webhookctl.core.errors import SettingsError

    try:
        return units.positive_duration(written) / 1000
    except SettingsError as error:
        raise UsageError(f"{option} {error}.") from None


def _page(report: "Report") -> dict[str, Any]:
    ended = report.endings
    return {
        "orders": report.orders,
        "webhooks_sent": report.sent,
        "webhooks_lost": report.lost,
        "questions_asked": report.asked,
        "delivered_once": report.delivered_once,
        "delivered_again": report.delivered_again,
        "wrong_codes": report.wrong_codes,
        "found_by_asking": ended.found if ended else 0,
        "never_heard_of": report.never_heard_of,
        "late_webhooks": ended.late if ended else 0,
    }


def _lines(report: "Report") -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(value)) for name, value in _page(report).items()]
