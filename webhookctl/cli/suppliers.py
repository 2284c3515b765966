"""The suppliers that are known: what is shipped for each, to be used or changed."""

from typing import Annotated, Any

import typer

from webhookctl.cli import completing, options, output, secrets_report

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at the suppliers that are known.")


def register(parent: typer.Typer) -> None:
    """Add the group `suppliers`."""
    secrets_report.register(app)
    parent.add_typer(app, name="suppliers")


@app.command("list", epilog="Try: webhookctl suppliers list, webhookctl suppliers list --json.")
def list_(as_json: options.AsJson = False) -> None:
    """List the presets: how each supplier signs, where the order stands, and how it is asked."""
    from webhookctl import suppliers
    from webhookctl.cli import preset_page

    if as_json:
        output.show_json([preset_page.page(name) for name in suppliers.names()])
    else:
        columns = [column.capitalize() for column in preset_page.COLUMNS]
        output.table(columns, (preset_page.row(name) for name in suppliers.names()))


@app.command("show", epilog="Try: webhookctl suppliers show kinguin, webhookctl suppliers show svix --toml.")
def show(
    name: Annotated[
        str, typer.Argument(metavar="PRESET", help="The name of a preset.", autocompletion=completing.presets)
    ],
    as_json: options.AsJson = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print it as a table of the settings file.")] = False,
) -> None:
    """Show a preset, and how sure it is."""
    from webhookctl.cli import preset_page, schemes

    schemes.known(name)
    if as_toml:
        for line in preset_page.settings_text(name).splitlines():
            output.emit(line)
    else:
        page = preset_page.page(name)
        output.show_json(page) if as_json else _print(page)


def _print(page: dict[str, Any]) -> None:
    from webhookctl.cli import preset_page

    output.fields((key, str(value)) for key, value in page.items() if key != "map" and value is not None)
    output.heading("Mapping")
    output.fields(preset_page.places(page["map"]))
