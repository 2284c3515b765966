"""A preset, fit to be shown and to be copied into the settings."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from webhookctl import suppliers
from webhookctl.config.door_settings import is_status_signed
from webhookctl.core.orders import ConfirmRule
from webhookctl.core.signatures import Scheme, params_needed, with_params
from webhookctl.suppliers.api import KINDS

_ONLY_IN_PRESETS: Final = frozenset({"title", "source", "certainty", "note", "retries", "signs_like", "maps_like"})
_CERTAINTY: Final[Mapping[str, str]] = {
    "documented": "documented",
    "seen": "unconfirmed: seen in others' integrations only",
    "unconfirmed": "unconfirmed: remembered, or told in different ways",
}
_TABLES: Final = ("types", "statuses", "pings")
_ITS_API: Final = "https://api.acme.example/v1"
"""Stands for the address that a general preset can't know."""
COLUMNS: Final = ("preset", "signature", "order", "says", "codes", "asked", "certainty")
"""Of the table of all presets."""


def page(name: str) -> dict[str, Any]:
    """Say all of a preset; raises `SettingsError` for an unknown one."""
    preset = suppliers.preset(name)
    return {
        "preset": name,
        "title": preset["title"],
        "source": preset["source"],
        "certainty": _CERTAINTY[preset["certainty"]],
        "note": preset.get("note"),
        "signature": _signature(preset),
        "webhook": _belief(preset),
        "codes": _codes(preset),
        "asked": _asked(preset),
        "answer": _answer(preset),
        "head": "answered 200" if preset.get("head_ok") else None,
        "challenge": preset.get("challenge"),
        "retries": preset.get("retries"),
        "map": preset["map"],
    }


def row(name: str) -> tuple[str, ...]:
    """Return the preset's line in the table of all presets: `COLUMNS`."""
    preset = suppliers.preset(name)
    mapping = preset["map"]
    within = f" of each {mapping['each']}" if "each" in mapping else ""
    return (
        name,
        _signature(preset),
        _first(mapping.get("reference", mapping.get("order_id"))) + within,
        _first(mapping.get("status", mapping.get("event_type"))) + (" (a hint)" if _is_hint(preset) else ""),
        _codes(preset),
        _asked(preset) or "-",
        preset["certainty"],
    )


def places(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what the mapping of a page looks at, line by line."""
    for field in (key for key in shown if key not in _TABLES):
        yield field.replace("_", " "), " or ".join(_listed(shown[field]))
    for field in _TABLES:
        yield from shown.get(field, {}).items()


def settings_text(name: str) -> str:
    """Return the preset as a table of the settings, which works as it stands once its secrets are set."""
    import tomli_w

    preset = suppliers.preset(name)
    told = [preset["title"], f"Source: {preset['source']}", f"Certainty: {_CERTAINTY[preset['certainty']]}"]
    told += [preset[key] for key in ("note",) if key in preset]
    table = {"suppliers": {name: _settings(name, preset)}}
    return "".join(f"# {line}\n" for line in told) + tomli_w.dumps(table)


def _settings(name: str, preset: Mapping[str, Any]) -> dict[str, Any]:
    variable = name.upper().replace("-", "_")
    secret = (
        {"path_secret": f"env:{variable}_PATH"} if preset["kind"] == "none" else {"secrets": [f"env:{variable}_SECRET"]}
    )
    own = {key: value for key, value in preset.items() if key not in _ONLY_IN_PRESETS}
    needed = params_needed({key: value for key, value in preset.items() if key in Scheme.KEYS})
    params = {"params": dict.fromkeys(needed, "CHANGE-ME") | preset.get("params", {})} if needed else {}
    url = {"url": f"https://shop.example/webhooks/{name}"} if "{url}" in str(preset.get("signed")) else {}
    api = {"api": _with_secrets(preset["api"], variable)} if "api" in preset else {}
    return {**secret, **url, **own, **params, **api}


def _with_secrets(api: Mapping[str, Any], variable: str) -> dict[str, Any]:
    auth = api.get("auth", {"kind": "none"})
    secrets = {key: f"env:{variable}_API_{key.upper()}" for key in sorted(KINDS[auth["kind"]][1])}
    return {"base_url": _ITS_API, **api, "auth": {**auth, **secrets}}


def _is_hint(preset: Mapping[str, Any]) -> bool:
    if "confirm" in preset:
        return bool(preset["confirm"] == ConfirmRule.POLL)
    scheme = {key: value for key, value in preset.items() if key in Scheme.KEYS}
    return not is_status_signed(Scheme.parse(with_params(scheme)), preset["map"].get("status"))


def _belief(preset: Mapping[str, Any]) -> str:
    if not _is_hint(preset):
        return "believed"
    return "a hint: the order is asked for" if "api" in preset else "a hint: a person decides, as nobody can be asked"


def _signature(preset: Mapping[str, Any]) -> str:
    where = _first(preset.get("signature_header", preset.get("signature_pointer", "")))
    algorithm = f"{preset.get('algorithm', 'sha256')} {preset.get('encoding', 'hex')}"
    match preset["kind"]:
        case "none":
            return "none: a secret in the path"
        case "token":
            return f"the secret itself in {where}"
        case "ed25519":
            return f"ed25519 in {where}"
        case kind:
            return f"{kind} {algorithm} in {where}"


def _codes(preset: Mapping[str, Any]) -> str:
    if preset.get("codes") == "none":
        return "none"
    if not {"code", "pin"} & set(preset["map"]):
        return "by asking" if "api" in preset else "none"
    return "in the webhook, unproven" if _is_hint(preset) else "in the webhook"


def _asked(preset: Mapping[str, Any]) -> str | None:
    api = preset.get("api")
    if api is None:
        return None
    more = ", then its codes" if "then" in api else ""
    return f"GET {_first(api['order'])}{more} ({api.get('auth', {}).get('kind', 'none')})"


def _answer(preset: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (str(preset.get("ack_status", 200)), preset.get("ack_body"))))


def _listed(places: object) -> list[str]:
    return [str(place) or "the whole body" for place in (places if isinstance(places, list) else [places])]


def _first(places: object) -> str:
    return _listed(places)[0]
