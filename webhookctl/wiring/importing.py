"""What is needed to take events of a file in."""

from typing import TYPE_CHECKING

from webhookctl.flows.import_events import Import
from webhookctl.wiring import now_ms
from webhookctl.wiring.quarantining import Doors

if TYPE_CHECKING:
    from webhookctl.adapters.store_sqlite import SqliteStore
    from webhookctl.config import Settings


def events(settings: "Settings", store: "SqliteStore", voucher: str | None) -> Import:
    """Join the log with what proves each supplier's deliveries now; `voucher` is who vouches for the rest, and why."""
    return Import(
        store.events,
        store.intake,
        Doors(settings),
        {name: supplier.url for name, supplier in settings.suppliers.items()},
        upto=store.feed.newest(),
        now=now_ms(),
        voucher=voucher,
    )
