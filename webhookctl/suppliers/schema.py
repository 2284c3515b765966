"""What may stand in a preset?"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from webhookctl.core import spelling
from webhookctl.core.challenges import Challenge
from webhookctl.core.errors import SettingsError
from webhookctl.core.mapping import BodyForm
from webhookctl.core.mapping import Mapping as BodyMapping
from webhookctl.core.orders import CodesRule, ConfirmRule
from webhookctl.core.signatures import Scheme, with_params
from webhookctl.suppliers import api


class Certainty(StrEnum):
    """How sure we are of what a preset says."""

    DOCUMENTED = "documented"
    """Read in the supplier's own documentation or library."""
    SEEN = "seen"
    """Read in what others wrote for this supplier only."""
    UNCONFIRMED = "unconfirmed"
    """Remembered, or told in different ways."""


Reader: TypeAlias = Callable[[object], object]
"""From what stands under a key to its value; raises `SettingsError` with words that follow the key."""


_SPAN: Final = re.compile(r"[1-9][0-9]{0,2}[hd]", re.ASCII)


def text(written: object) -> str:
    """Read a sentence, a name or an address."""
    if not isinstance(written, str) or not written.strip() or not written.isprintable():
        raise SettingsError("must be a text in quotes, on one line")
    return written


def flag(written: object) -> bool:
    """Read a yes or no."""
    if not isinstance(written, bool):
        raise SettingsError("must be true or false")
    return written


def span(written: object) -> str:
    """Read how long something is: hours or days, such as "24h"."""
    if not isinstance(written, str) or not _SPAN.fullmatch(written):
        raise SettingsError('must be hours or days in quotes, such as "24h" or "14d"')
    return written


def status(written: object) -> int:
    """Read what a delivery is answered."""
    if written not in (200, 201, 202, 204) or isinstance(written, bool):
        raise SettingsError("must be 200, 201, 202 or 204")
    return int(str(written))


def choice(choices: type[StrEnum]) -> Reader:
    """Return the reader of one word out of several."""

    def read(written: object) -> StrEnum:
        if not isinstance(written, str) or written not in set(choices):
            asked = spelling.behind(str(written), choices)
            raise SettingsError(f"must be {' or '.join(choices)}; it is {written!r}{asked}")
        return choices(written)

    return read


def _table(written: object) -> Mapping[str, object]:
    if not isinstance(written, dict):
        raise SettingsError("must be a table")
    return written


KEYS: Final[Mapping[str, Reader]] = {
    "title": text,
    "source": text,
    "certainty": choice(Certainty),
    "note": text,
    "signs_like": text,
    "maps_like": text,
    "codes": choice(CodesRule),
    "head_ok": flag,
    "confirm": choice(ConfirmRule),
    "ack_status": status,
    "ack_body": text,
    "challenge": choice(Challenge),
    "retries": text,
    "map": _table,
    "api": _table,
    "return_window": span,
}
"""Every key of a preset beside those of its scheme, and how its value is read."""

_NEEDED: Final = ("title", "source", "certainty")


def complete(name: str, written: Mapping[str, Any], read: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """Check the preset `name` and lay it over those that it is like, which `read` brings as they stand in their files.

    Raises `SettingsError` naming file and key.
    """
    _check_keys(name, written)
    signs_like = _other(name, "signs_like", written, read)
    maps_like = _other(name, "maps_like", written, read)
    taken = {key: value for key, value in signs_like.items() if key in Scheme.KEYS and key not in written}
    whole = {**written, **taken}
    whole["map"] = overlaid(maps_like.get("map", {}), written.get("map", {}))
    _check_whole(name, whole)
    return whole


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; a table within (`types`, `statuses`) gains words and loses none."""
    both = {
        key: below[key] | above[key]
        for key in above
        if isinstance(below.get(key), dict) and isinstance(above[key], dict)
    }
    return {**below, **above, **both}


def scheme_over(preset: Mapping[str, Any], written: Mapping[str, Any]) -> Scheme:
    """Return how a supplier signs by its preset and what is said against that; raises `SchemeError`."""
    return Scheme.parse({key: value for key, value in preset.items() if key in Scheme.KEYS} | dict(written))


def mapping_over(preset: Mapping[str, Any], written: Mapping[str, Any]) -> BodyMapping:
    """Return where a supplier's JSON has what, by its preset and the `map` over that; raises `SettingsError`."""
    return BodyMapping.parse(overlaid(preset.get("map", {}), written))


def are_at_odds(scheme: Scheme, mapping: BodyMapping) -> bool:
    """Does the scheme look for something in a body that is a form?"""
    return mapping.body is BodyForm.FORM and scheme.reads_json


def _other(
    name: str, key: str, written: Mapping[str, Any], read: Callable[[str], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the preset that stands under `signs_like` or `maps_like`, itself like no further one."""
    if key not in written:
        return {}
    try:
        other = read(written[key])
    except SettingsError as error:
        raise fault(name, key, f"names no preset: {error}") from None
    if key in other:
        raise fault(name, key, f"names {written[key]}, which is itself like {other[key]}: name that one")
    return other


def _check_keys(name: str, table: Mapping[str, object]) -> None:
    """Check each key as it stands in the file."""
    known = [*KEYS, *Scheme.KEYS]
    for key, written in table.items():
        if key not in known:
            raise fault(name, key, "is not known" + spelling.behind(key, known))
        if key in KEYS:
            _check(name, key, written)
    for key in _NEEDED:
        if key not in table:
            raise fault(name, key, "is missing")


def _check_whole(name: str, table: Mapping[str, Any]) -> None:
    """Check what the keys make together."""
    try:
        scheme = Scheme.parse(with_params({key: value for key, value in table.items() if key in Scheme.KEYS}))
        mapping = BodyMapping.parse(table["map"])
        if "api" in table:
            api.check(table["api"])
    except SettingsError as error:
        raise SettingsError(f"The preset {name}.toml: {_ended(str(error))}") from None
    if are_at_odds(scheme, mapping):
        raise fault(name, "map.body", "must not be form: this scheme looks for something in the body, which takes JSON")


def _check(name: str, key: str, written: object) -> None:
    try:
        KEYS[key](written)
    except SettingsError as error:
        raise fault(name, key, str(error)) from None


def fault(name: str, key: str, words: str) -> SettingsError:
    """Return the error for a key of the preset `name`."""
    return SettingsError(f"The preset {name}.toml: {key} {_ended(words)}")


def _ended(words: str) -> str:
    return words if words.endswith((".", "?")) else f"{words}."
