"""Which events are meant: the options by which every command chooses them, and what their words mean."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from webhookctl.cli import completing, options
from webhookctl.core import spelling
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import UsageError
from webhookctl.core.events import EventState, EventType
from webhookctl.core.ports.events import EventQuery
from webhookctl.flows.selection import EVERYTHING

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.core.ports.events import Events
    from webhookctl.wiring import StorePlace

_Word = TypeVar("_Word", bound=StrEnum)


def _completing(words: type[StrEnum]) -> Callable[[str], list[str]]:
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _choices(words: type[StrEnum]) -> str:
    return f"[{'|'.join(words)}]"


Supplier = options.Supplier
Since = options.Since
Until = options.Until
Reference = options.Reference
Type = Annotated[
    str | None,
    typer.Option(
        "--type", help="Only this type, as order.failed.", show_default=False, autocompletion=_completing(EventType)
    ),
]
State = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar=_choices(EventState),
        help="Only in this state.",
        show_default=False,
        autocompletion=_completing(EventState),
    ),
]
OrderId = Annotated[
    str | None,
    typer.Option(
        "--order-id", help="Only this supplier's order id.", show_default=False, autocompletion=completing.order_ids
    ),
]
Learned = Annotated[
    str | None,
    typer.Option(
        "--via",
        metavar=_choices(Via),
        help="Only what was learned in this way.",
        show_default=False,
        autocompletion=_completing(Via),
    ),
]


def query(
    supplier: str | None = None,
    type_: str | None = None,
    state: str | None = None,
    reference: str | None = None,
    order_id: str | None = None,
    via: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = EVERYTHING,
) -> EventQuery:
    """Return the query that the options mean; raises `UsageError` where one of them means nothing.

    Without `limit` all are meant. Whether there is such a supplier `known` says.
    """
    first, last = options.window(since, until)
    return EventQuery(
        supplier=supplier,
        type=_word("--type", type_, EventType),
        state=_word("--state", state, EventState),
        reference=reference,
        order_id=order_id,
        since=first,
        until=last,
        limit=limit,
        via=_word("--via", via, Via),
    )


def known(settings: "Settings | StorePlace", events: "Events", asked: EventQuery) -> EventQuery:
    """Return `asked`; raises `UsageError` where its supplier is neither in the settings nor has ever sent anything."""
    from webhookctl import wiring

    name = asked.supplier
    if name is None or name in settings.suppliers or events.find(EventQuery(supplier=name, limit=1)):
        return asked
    raise wiring.no_supplier(settings, name, "in the settings, nor events of one")


def _word(option: str, said: str | None, words: type[_Word]) -> _Word | None:
    if said is None or said in words.__members__.values():
        return None if said is None else words(said)
    hint = spelling.nearest(said, words) or f"there are: {', '.join(words)}."
    raise UsageError(f"{option} {said!r} is not known; {hint}")
