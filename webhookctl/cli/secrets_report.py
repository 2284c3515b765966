"""How far the rotation of secrets has come."""

import typer

from webhookctl.cli import options, output

_COLUMNS = ("Supplier", "Secret", "Last matched", "Verdict", "Why")


def register(group: typer.Typer) -> None:
    """Add the command to the group `suppliers`."""
    epilog = "Try: webhookctl suppliers secrets, webhookctl suppliers secrets --supplier acme --json."
    group.command("secrets", epilog=epilog)(secrets)


def secrets(
    context: typer.Context,
    supplier: options.Supplier = None,
    as_json: options.AsJson = False,
    utc: options.Utc = False,
) -> None:
    """Say of each secret when it last matched, and whether the old one can go."""
    from webhookctl import wiring
    from webhookctl.flows.rotation import secret_rows

    settings = wiring.settings(context.obj.config)
    named = wiring.secret_references(settings, supplier)
    with wiring.store(settings) as store:
        rows = secret_rows(store.reports, named)
    if as_json:
        output.show_json(rows)
        return
    cells = (
        (row["supplier"], row["secret"], output.when(row["last_matched_at"], utc=utc), row["verdict"], row["why"])
        for row in rows
    )
    output.table(_COLUMNS, cells, empty="No supplier in the settings has a secret.")
