"""Who sends: a TOML file per supplier or scheme, shipped with the program."""

import tomllib
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Final

from webhookctl.core import spelling
from webhookctl.core.errors import SettingsError
from webhookctl.core.signatures import Scheme

_ENDING: Final = ".toml"


@cache
def _known() -> tuple[str, ...]:
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(_ENDING) for file in files if file.name.endswith(_ENDING)))


def names() -> list[str]:
    """Return the names of the presets, sorted."""
    return list(_known())


def preset(name: str) -> dict[str, Any]:
    """Return the preset with all that it takes from others: a copy of the caller's own.

    Raises `SettingsError` with the nearest name for an unknown one.
    """
    return deepcopy(_whole(name))


def scheme_of(name: str) -> dict[str, Any]:
    """Return the part of a preset that `Scheme.parse` reads; raises `SettingsError` for an unknown name.

    What speaks of orders is neither read nor checked for it: `verify` has no use for that.
    """
    written = _read(name)
    like = _read(written["signs_like"]) if "signs_like" in written else {}
    return deepcopy({key: value for key, value in {**like, **written}.items() if key in Scheme.KEYS})


@cache
def _whole(name: str) -> dict[str, Any]:
    from webhookctl.suppliers import schema  # noqa: PLC0415 - it knows of orders and mappings, see `scheme_of`

    return schema.complete(name, _read(name), _read)


@cache
def _read(name: str) -> dict[str, Any]:
    # Only a name of the list becomes a path: what the settings say never does.
    if name not in _known():
        hint = spelling.nearest(name, _known()) or f"there are {', '.join(_known())}"
        raise SettingsError(f"There is no preset {name!r}: {hint}")
    try:
        return tomllib.loads((resources.files(__name__) / f"{name}{_ENDING}").read_text("utf-8"))
    except ValueError as error:
        raise SettingsError(f"The preset {name}.toml is not TOML: {error}.") from None
