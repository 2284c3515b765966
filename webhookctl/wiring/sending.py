"""Playing a supplier of the settings over real HTTP."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Final

from webhookctl.adapters.outbound import Outbound
from webhookctl.config import Settings
from webhookctl.core.errors import UpstreamError, UsageError
from webhookctl.flows.send import KEPT, Sending, Sent, Supplier
from webhookctl.wiring import now_ms

_TIMEOUT_S: Final = 10.0


def send(
    settings: Settings, sending: Sending, show: Callable[[Sent], None], *, supplier: str | None, url: str | None
) -> int:
    """Send as `supplier` (None: the only one) and show each answer; return how many were not kept."""
    name = _chosen(settings, supplier)
    return asyncio.run(_send(settings, name, url or _listener(settings, name), sending, show))


def _listener(settings: Settings, name: str) -> str:
    """Return the address that `serve` listens on for this supplier, with the secret in its path where there is one."""
    in_path = settings.read(settings.suppliers[name].path_secret[:1], os.environ)
    secret = "".join(f"/{secret.value.decode('ascii', 'replace')}" for secret in in_path)
    return f"{'https' if settings.serve.tls else 'http'}://{settings.serve.listen}/webhooks/{name}{secret}"


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
    secrets = settings.read(supplier.secrets[:1], os.environ)
    key = supplier.scheme.keys(secrets, allow_short=supplier.allow_short)[0] if secrets else None
    failed = 0
    async with aclosing(Outbound()) as outbound:

        async def post(body: bytes, headers: Mapping[str, str]) -> int:
            headers = {"content-type": "application/json", **headers}
            try:
                return (await outbound.post(url, body=body, headers=headers, timeout_s=_TIMEOUT_S)).status
            except UpstreamError as error:
                raise UpstreamError(_without_path_secret(str(error), name)) from None

        played = Supplier(supplier.scheme, key, supplier.url or url, post)
        for number in range(1, sending.count + 1):
            sent = await played.send(sending, number, now=now_ms())
            failed += sent.status not in KEPT
            show(sent)
    return failed


def _without_path_secret(words: str, name: str) -> str:
    return re.sub(rf"(/webhooks/{re.escape(name)}/)[^/ ]+", r"\1…", words)
