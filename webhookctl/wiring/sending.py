"""Playing a supplier of the settings over real HTTP."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Final

from webhookctl.adapters.outbound import Outbound
from webhookctl.config import Settings
from webhookctl.core.errors import UsageError
from webhookctl.flows.send import Sending, Sent, Supplier
from webhookctl.wiring import now_ms

_TIMEOUT_S: Final = 10.0
_OK: Final = 200


def send(
    settings: Settings, sending: Sending, show: Callable[[Sent], None], *, supplier: str | None, url: str | None
) -> int:
    """Send as `supplier` (None: the only one) and show each answer; return how many were not 200."""
    name = _chosen(settings, supplier)
    here = f"{'https' if settings.serve.tls else 'http'}://{settings.serve.listen}/webhooks/{name}"
    return asyncio.run(_send(settings, name, url or here, sending, show))


def _chosen(settings: Settings, supplier: str | None) -> str:
    names = list(settings.suppliers)
    if supplier is None and len(names) == 1:
        return names[0]
    if supplier is None or supplier not in names:
        which = f"there is no supplier {supplier!r} in the settings" if supplier else "there is not just one supplier"
        raise UsageError(f"--supplier: {which}; there are: {', '.join(names) or 'none, add [suppliers.NAME]'}.")
    return supplier


async def _send(settings: Settings, name: str, url: str, sending: Sending, show: Callable[[Sent], None]) -> int:
    supplier = settings.suppliers[name]
    keys = supplier.scheme.keys(settings.read(supplier.secrets[:1], os.environ), allow_short=supplier.allow_short)
    failed = 0
    async with aclosing(Outbound()) as outbound:

        async def post(body: bytes, headers: Mapping[str, str]) -> int:
            headers = {"content-type": "application/json", **headers}
            return (await outbound.post(url, body=body, headers=headers, timeout_s=_TIMEOUT_S)).status

        played = Supplier(supplier.scheme, keys[0], url, post)
        for number in range(1, sending.count + 1):
            sent = await played.send(sending, number, now=now_ms())
            failed += sent.status != _OK
            show(sent)
    return failed
