"""Where does the settings file lie, and is it one that can be read?"""

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from webhookctl.core.errors import SettingsError
from webhookctl.core.redaction import printable

FILE_NAME: Final = "webhookctl.toml"
SYSTEM_FILE: Final = Path("/etc/webhookctl/webhookctl.toml")
PREFIX: Final = "WEBHOOKCTL_"
"""Of the variables that set something."""
DEMO_MARK: Final = "demo.secret"
"""In the folder of a demo, which has no settings file."""
_LARGEST_FILE: Final = 1024 * 1024
_TOML_PLACE: Final = re.compile(r"(?P<what>.*) \(at (?P<where>[^()]*)\)", re.DOTALL)


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path, *, system: Path = SYSTEM_FILE) -> Path | None:
    """Return the settings file to read, or None; one that was named and is missing raises `SettingsError`."""
    named = explicit or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    if named is not None:
        if not _is_there(cwd / named):
            who = "--config" if explicit else "the environment variable WEBHOOKCTL_CONFIG"
            raise SettingsError(f"There is no settings file {named}, which {who} names.")
        return cwd / named
    if _is_there(cwd / FILE_NAME):
        return _trusted(cwd / FILE_NAME)
    from platformdirs import user_config_path  # noqa: PLC0415 - not needed where the file was named

    return next(filter(_is_there, (user_config_path("webhookctl") / FILE_NAME, system)), None)


def _is_there(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a folder that we may not enter holds no file for us
        return path.exists()
    return False


def _trusted(path: Path) -> Path:
    """Refuse a stranger's file that merely lies in the working folder: settings name programs to run."""
    if path.stat().st_uid not in {os.geteuid(), 0}:
        raise SettingsError(f"{path} belongs to another user and was not asked for: name it with --config to trust it.")
    return path


def parsed(path: Path) -> dict[str, Any]:
    """Read the file's tables, of which nothing is checked yet; raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {(error.strerror or 'refused').lower()}.") from None
    if len(raw) > _LARGEST_FILE:
        raise SettingsError(f"{path} is larger than 1 MiB: that is no settings file.")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: this is not UTF-8 text; save the file as UTF-8.") from None
    except RecursionError:
        raise SettingsError(f"{path} is nested too deeply.") from None
    except ValueError as error:
        match = _TOML_PLACE.fullmatch(str(error))
        what, where = (match["what"], f", {match['where']}") if match else ("a number or a date is not one", "")
        raise SettingsError(f"{path}{where}: this is not TOML: {printable(what)}.") from None
