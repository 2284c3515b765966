"""Which order is meant."""

from typing import Annotated, Any

import typer

from webhookctl.cli import completing
from webhookctl.core.errors import NotFoundError, UsageError

TheReference = Annotated[
    str, typer.Argument(metavar="REF", help="The shop's own order id.", autocompletion=completing.references)
]
TheReferences = Annotated[
    list[str], typer.Argument(metavar="REF...", help="The shop's own order ids.", autocompletion=completing.references)
]


def supplier_of(store: Any, reference: str, supplier: str | None) -> str:  # noqa: ANN401 - any back-end's store
    """Find the supplier that has an order of this reference; ask which one when several do."""
    if supplier is not None:
        return supplier
    known = store.orders.suppliers_of({reference}).get(reference, ())
    if len(known) > 1:
        raise UsageError(f"Several suppliers have an order {reference!r}: say --supplier {' or '.join(sorted(known))}.")
    if not known:
        raise unknown(reference)
    return str(known[0])


def unknown(reference: str) -> NotFoundError:
    """Say that there is no such order."""
    return NotFoundError(f"There is no order {reference!r}; `webhookctl orders list` shows those there are.")
