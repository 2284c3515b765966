"""The settings that hold, fit to be shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webhookctl.config import HandlerSettings, SecretRef, Settings, SupplierSettings
from webhookctl.config.api_settings import ApiSettings
from webhookctl.config.door_settings import OnGet
from webhookctl.config.place_settings import QuarantineSettings, ServeSettings, StoreSettings
from webhookctl.core.challenges import Challenge
from webhookctl.core.errors import SettingsError
from webhookctl.wiring.inspection import api_secrets


def page(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings as JSON; of a secret only where it lies, whether it is set, and why not."""
    show = _Show(settings.folder, environ)
    return {
        "source": str(settings.source) if settings.source else None,
        "demo": settings.demo,
        "store": show.store(settings.store),
        "serve": show.serve(settings.serve),
        "quarantine": _quarantine(settings.quarantine),
        "suppliers": {name: show.supplier(supplier) for name, supplier in settings.suppliers.items()},
        "actions": {kind.value: show.handler(handler) for kind, handler in settings.actions.by_kind().items()},
        "alarms": {
            "undelivered_after_ms": settings.alarms.undelivered_after,
            "waiting_after_ms": settings.alarms.waiting_after,
        },
        "replay": {"targets": list(map(str, settings.replay.targets))},
    }


@dataclass(frozen=True, slots=True)
class _Show:
    folder: Path
    environ: Mapping[str, str]

    def secret(self, reference: SecretRef) -> dict[str, Any]:
        try:
            reference.read(self.environ, self.folder)
        except SettingsError as error:
            return {"reference": str(reference), "set": False, "why": str(error)}
        return {"reference": str(reference), "set": True}

    def store(self, store: StoreSettings) -> dict[str, Any]:
        return {
            "url": store.url,
            "path": str(store.path),
            "keys": [self.secret(key) for key in store.keys],
            "unencrypted": store.unencrypted,
            "backup_every_ms": store.backup_every,
            "backup_to": str(store.backup_to) if store.backup_to else None,
            "keep": store.keep,
            "retention_ms": store.retention,
        }

    def serve(self, serve: ServeSettings) -> dict[str, Any]:
        return {
            "listen": str(serve.listen),
            "admin": str(serve.admin) if serve.admin else None,
            "admin_token": self.secret(serve.admin_token) if serve.admin_token else None,
            "max_body": serve.max_body,
            "tls_cert": str(serve.tls_cert) if serve.tls_cert else None,
            "tls_key": str(serve.tls_key) if serve.tls_key else None,
            "grace_ms": serve.grace,
            "poll_every_ms": serve.poll_every,
            "max_connections": serve.max_connections,
            "max_per_address": serve.max_per_address,
            "trusted_proxies": list(map(str, serve.trusted_proxies)),
        }

    def supplier(self, supplier: SupplierSettings) -> dict[str, Any]:
        return {
            "preset": supplier.preset,
            "url": supplier.url or None,
            "overridden": sorted([*(supplier.model_extra or {}), *(f"map.{key}" for key in supplier.map)]),
            "secrets": [self.secret(secret) for secret in supplier.secrets],
            "allow_short": supplier.allow_short,
            **_of_orders(supplier),
            "confirm": supplier.policy.confirm.value,
            "allow_ips": list(map(str, supplier.allow_ips)),
            "path_secret": [self.secret(secret) for secret in supplier.path_secret],
            "api": self.api(supplier.api) if supplier.api else None,
            **_answers(supplier),
        }

    def api(self, api: ApiSettings) -> dict[str, Any]:
        return {
            "base_url": api.base_url,
            "order": api.order if isinstance(api.order, str) else list(api.order),
            "auth": {"kind": api.auth.kind.value}
            | {name: self.secret(secret) for name, secret in api_secrets(api).items()},
            "per_second": api.rate,
            "concurrency": api.concurrency,
            "timeout_ms": api.timeout,
            "after_ms": api.after,
            "give_up_ms": api.give_up,
            "patience_ms": api.patience,
            "missed_alert": api.missed_alert,
        }

    def handler(self, handler: HandlerSettings) -> dict[str, Any]:
        common = _repeated(handler)
        if handler.command is not None:
            return {"command": list(handler.command), "timeout_ms": handler.timeout, **common}
        if handler.http is not None and handler.secret is not None:
            secret = self.secret(handler.secret)
            return {"http": handler.shown_url, "secret": secret, "timeout_ms": handler.timeout, **common}
        if handler.notify is not None:
            secrets = [self.secret(secret) for secret in handler.notify]
            words = {"title": handler.title, "line": handler.line, "every_ms": handler.every}
            return {"notify": secrets, **words, "timeout_ms": handler.timeout, **common}
        return {"log": True, **common}


def _quarantine(settings: QuarantineSettings) -> dict[str, Any]:
    bounds = settings.bounds
    return {
        "rows": bounds.rows,
        "bytes": bounds.bytes,
        "per_sender": bounds.per_sender,
        "keep_ms": bounds.keep_ms,
    }


def _of_orders(supplier: SupplierSettings) -> dict[str, Any]:
    return {
        "sla_ms": supplier.sla,
        "codes": supplier.policy.codes.value,
        "low_balance": str(supplier.low_balance) if supplier.low_balance is not None else None,
        "balance_cooldown_ms": supplier.balance_cooldown,
        "return_window_ms": supplier.policy.return_window_ms,
    }


def _answers(supplier: SupplierSettings) -> dict[str, Any]:
    return {
        "head_ok": supplier.answers_head,
        "ack_status": supplier.ack_status,
        "ack_body": supplier.ack_body or None,
        "challenge": _challenge(supplier.challenge),
    }


def _repeated(handler: HandlerSettings) -> dict[str, Any]:
    return {
        "repeat": handler.repeat.value,
        "retry": {
            "first_ms": handler.retry.first,
            "longest_ms": handler.retry.longest,
            "give_up_after_ms": handler.retry.give_up_after,
        },
    }


def _challenge(challenge: Challenge | OnGet | None) -> str | None:
    if isinstance(challenge, OnGet):
        return f"GET: {challenge.text}"
    return challenge and challenge.value


def rows(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Return a page as lines of a dotted name and its value."""
    match value:
        case {"reference": reference, "set": True}:
            yield name, f"{reference}: set"
        case {"reference": reference, "why": why}:
            yield name, f"{reference}: not set: {why}"
        case dict():
            for key, member in value.items():
                yield from rows(member, f"{name}.{key}".removeprefix("."))
        case [{"reference": _}, *_]:
            for number, member in enumerate(value):
                yield from rows(member, f"{name}[{number}]")
        case list():
            yield name, ", ".join(map(str, value)) or "-"
        case _:
            yield name, _word(value)


def _word(value: object) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
