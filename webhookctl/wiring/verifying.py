"""What `verify` and `sign` know of the settings and the store."""

import os
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from webhookctl import wiring
from webhookctl.core.admission import check_way
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import SettingsError, SignatureError
from webhookctl.core.ports.quarantine import RejectedQuery
from webhookctl.core.signatures import Secret
from webhookctl.flows.quarantine import pages
from webhookctl.flows.verify import Question, Signing

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.core.quarantine import Rejected


def signing(settings: "Settings", name: str) -> Signing:
    """Return how this supplier of the settings signs, with what the others have for secrets."""
    supplier = wiring.supplier_named(settings, name)
    secrets = settings.read(supplier.secrets, os.environ)
    return Signing(name, supplier.scheme, secrets, tuple(_others(settings, name)))


def _others(settings: "Settings", name: str) -> Iterator[Secret]:
    for other, supplier in settings.suppliers.items():
        for reference in supplier.secrets if other != name else ():
            try:
                yield from settings.read([reference], os.environ)
            except SettingsError:
                continue  # whether it can be read is for `config check` to say


def url(settings: "Settings", name: str) -> str:
    """Return the address that this supplier posts to and signs, as the settings have it; empty where they don't."""
    return settings.suppliers[name].url


def event(settings: "Settings", event_id: str, *, now: int | None) -> Question:
    """Return the stored event with the bytes that came, judged by the time of its arrival unless `now` is given."""
    with wiring.store(settings) as store:
        found = wiring.stored_event(store, event_id)
    known = found.url or _known_url(settings, found.supplier)
    delivery = Delivery(
        found.supplier, found.body, found.headers, found.received_at, b"", method=found.method, url=known
    )
    return Question(delivery, signing(settings, found.supplier), now or found.received_at, f"event {found.id}")


def rejected(settings: "Settings", number: int, *, now: int | None) -> Question:
    """Return what was rejected under this number, judged by the time of its arrival unless `now` is given."""
    with wiring.store(settings) as store:
        found = wiring.kept_rejection(store, number)
    return _of_rejected(settings, found, signing(settings, found.supplier), now)


def all_rejected(settings: "Settings", query: RejectedQuery, *, now: int | None) -> Iterator[Question]:
    """Return all that was rejected, oldest first; what can't be opened, or whose supplier is gone, is left out."""
    known: dict[str, Signing] = {}
    with wiring.store(settings) as store:
        for one in chain.from_iterable(pages(store.quarantine, query)):
            if one.delivery is None or one.supplier not in settings.suppliers:
                continue
            if one.supplier not in known:
                known[one.supplier] = signing(settings, one.supplier)
            yield _of_rejected(settings, one, known[one.supplier], now)


def _of_rejected(settings: "Settings", found: "Rejected", by: Signing, now: int | None) -> Question:
    if found.delivery is None:
        raise SettingsError(f"What was rejected as {found.id} can't be opened: {found.unreadable}.")
    known = found.delivery.url or _known_url(settings, found.supplier)
    delivery = found.delivery._replace(url=known)
    return Question(delivery, by, now or found.received_at, f"rejected {found.id}", _barred(settings, found))


def _barred(settings: "Settings", found: "Rejected") -> SignatureError | None:
    supplier = settings.suppliers[found.supplier]
    secrets = settings.read(supplier.path_secret, os.environ)
    try:
        check_way(supplier.allow_ips, secrets, sender=found.sender, presented=found.presented)
    except SignatureError as error:
        return error
    return None


def _known_url(settings: "Settings", name: str) -> str:
    return url(settings, name) if name in settings.suppliers else ""
