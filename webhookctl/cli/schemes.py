"""Which scheme is meant: a preset's, with what the options add to it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webhookctl.core.errors import SchemeError, SettingsError, UsageError

if TYPE_CHECKING:
    from webhookctl.core.deliveries import Delivery
    from webhookctl.core.signatures import Scheme


def known(name: str) -> str:
    """Return the name of a preset; raises `UsageError` with the nearest one: here a person has typed it."""
    from webhookctl import suppliers

    try:
        suppliers.scheme_of(name)
    except SettingsError as error:
        raise UsageError(str(error)) from None
    return name


def of_preset(name: str, params: Sequence[str], tolerance: str | None) -> "Scheme":
    """Return the preset's scheme with `--param` and `--tolerance`; raises `UsageError`, or `SettingsError`."""
    from webhookctl import suppliers
    from webhookctl.core.signatures import params_needed

    table = suppliers.scheme_of(known(name))
    given = pairs(params)
    missing = [needed for needed in params_needed(table) if needed not in {**table.get("params", {}), **given}]
    if missing:
        raise UsageError(f"The preset {name} needs --param {missing[0]}=VALUE, which only you can know.")
    return changed(table, given, tolerance)


def changed(table: Mapping[str, Any], params: Mapping[str, str], tolerance: str | None) -> "Scheme":
    """Return a scheme with other params and another tolerance; raises `UsageError`."""
    from webhookctl.core.signatures import Scheme

    merged = dict(table)
    if params:
        merged["params"] = {**table.get("params", {}), **params}
    if tolerance is not None and any(key.startswith("timestamp_") for key in table):
        merged["tolerance"] = tolerance
    try:
        return Scheme.parse(merged)
    except SchemeError as error:
        raise UsageError(f"--{'tolerance' if error.key == 'tolerance' else 'param'}: {error}.") from None


def pairs(params: Sequence[str]) -> dict[str, str]:
    """Read NAME=VALUE; raises `UsageError`."""
    found = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise UsageError("--param takes a name and its value, as in --param merchant_id=M-17.")
        found[name] = value
    return found


def all_presets() -> "dict[str, Scheme]":
    """Return every preset's scheme; what needs params has a stand-in for each."""
    from webhookctl import suppliers
    from webhookctl.core.signatures import Scheme, with_params

    return {name: Scheme.parse(with_params(suppliers.scheme_of(name))) for name in suppliers.names()}


def recognised(delivery: "Delivery") -> list[str]:
    """Return the presets that this delivery may be of, the likeliest first; raises `UsageError` where there is none."""
    from webhookctl.core.diagnosis.recognition import recognise

    names = recognise(delivery, all_presets())
    if not names:
        raise UsageError(
            "No preset's signature is in these headers, so that the scheme can't be told: name it with --preset "
            "(`webhookctl suppliers list` shows them) or --supplier."
        )
    return names
