"""What a page needs of the settings, by the rules of the whole, without reading the whole.

To make and check all the tables takes longer than all else that a page does. What is read here is read by the code that
reads it there; where a variable says something, or anything is not as it should be, the whole is read and decides: that
refuses it, in the sentence that names the key.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from webhookctl import suppliers, wiring
from webhookctl.core.errors import SettingsError
from webhookctl.core.mapping import Mapping as Places
from webhookctl.core.orders import ActionKind
from webhookctl.core.signatures import Scheme
from webhookctl.suppliers.schema import are_at_odds, mapping_over, scheme_over

if TYPE_CHECKING:
    from webhookctl.config import Settings, SupplierSettings
    from webhookctl.wiring import Place

OWN_KEYS: Final = frozenset(
    {
        *("preset", "secrets", "allow_short", "sla", "codes", "low_balance", "balance_cooldown", "return_window"),
        *("map", "api", "allow_ips", "path_secret", "head_ok", "ack_status", "ack_body", "challenge", "url", "confirm"),
    }
)
"""What may stand in a supplier's table beside its scheme's keys; another name may be one of those, misspelt."""


class Door(NamedTuple):
    """What tells which parts of a delivery nobody is shown."""

    scheme: Scheme
    mapping: Places


def door(place: "Place", supplier: str) -> "Door | SupplierSettings | None":
    """Return how a supplier signs and where its JSON has what; None for one that is not in the settings.

    Raises `SettingsError`.
    """
    with suppress(SettingsError):  # said by the whole
        written, preset = _supplier(place, supplier)
        own = {key: value for key, value in written.items() if key in Scheme.KEYS}
        places = written.get("map", {})
        if isinstance(places, dict) and (preset or own):
            found = Door(scheme_over(preset, own), mapping_over(preset, places))
            if not are_at_odds(found.scheme, found.mapping):
                return found
    return _whole(place).suppliers.get(supplier)


def return_window(place: "Place", supplier: str) -> int | None:
    """Return how long this supplier takes an order back, in milliseconds; raises `SettingsError`."""
    with suppress(SettingsError):
        if not any("return_window" in table for table in _supplier(place, supplier)):
            return None
    known = _whole(place).suppliers.get(supplier)
    return known.return_window if known else None


def asked_suppliers(place: "Place") -> list[str]:
    """Return the suppliers that can be asked about their orders; raises `SettingsError`."""
    with suppress(SettingsError):
        tables = {name: table.get("api", {}) for name, table in sorted(_tables(place, "suppliers").items())}
        if all(isinstance(api, dict) for api in tables.values()):
            return [name for name, api in tables.items() if api]
    return wiring.asked_suppliers(_whole(place))


def handled_kinds(place: "Place") -> frozenset[ActionKind]:
    """Return the kinds of action that somebody carries out; raises `SettingsError`."""
    with suppress(SettingsError):
        tables = _tables(place, "actions")
        if all(kind in set(ActionKind) and table for kind, table in tables.items()):
            return frozenset({ActionKind.ALERT, *map(ActionKind, tables)})
    return wiring.handled_kinds(_whole(place))


def _supplier(place: "Place", name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return a supplier's table and its preset's; raises `SettingsError` where these won't do."""
    written = _tables(place, "suppliers").get(name, {})
    named = written.get("preset", "")
    if not isinstance(named, str) or written.keys() - OWN_KEYS - Scheme.KEYS:
        raise _in_doubt()
    return written, suppliers.preset(named) if "preset" in written else {}


def _tables(place: "Place", name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables within a table of the settings; raises `SettingsError` where that is not all there is."""
    tables = place.table.get(name, {})
    if wiring.is_set_elsewhere(name) or not isinstance(tables, dict):
        raise _in_doubt()
    if not all(isinstance(table, dict) for table in tables.values()):
        raise _in_doubt()
    return tables


def _in_doubt() -> SettingsError:
    return SettingsError("Only all the settings together can tell.")


def _whole(place: "Place") -> "Settings":
    from webhookctl import config  # noqa: PLC0415 - what is avoided here

    return config.load(place.source, os.environ)
