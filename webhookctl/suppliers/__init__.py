"""Who sends: a TOML file per supplier or scheme, shipped with the program."""

import tomllib
from difflib import get_close_matches
from importlib import resources
from typing import Any, Final

from webhookctl.core.errors import SettingsError
from webhookctl.core.signatures import Scheme

_ENDING: Final = ".toml"


def names() -> list[str]:
    """Return the names of the presets, sorted."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(_ENDING) for file in files if file.name.endswith(_ENDING))


def preset(name: str) -> dict[str, Any]:
    """Return the preset as it stands in its file: a copy of the caller's own.

    Raises `SettingsError` with the nearest name for an unknown one.
    """
    # Only a name of the list becomes a path: what the settings say never does.
    known = names()
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise SettingsError(f"There is no preset {name!r}: {hint}")
    return tomllib.loads((resources.files(__name__) / f"{name}{_ENDING}").read_text("utf-8"))


def scheme_of(name: str) -> dict[str, Any]:
    """Return the part of a preset that `Scheme.parse` reads; raises `SettingsError` as `preset` does."""
    return {key: value for key, value in preset(name).items() if key in Scheme.KEYS}
