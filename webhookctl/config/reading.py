"""From a file, the environment and flags to settings, or to a list of all that is wrong with them."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from webhookctl.config.settings import TABLES, Root, Settings, keys_of
from webhookctl.config.tables import Refusals, UnknownKeyError
from webhookctl.core import spelling
from webhookctl.core.errors import SettingsError
from webhookctl.core.redaction import printable
from webhookctl.settings_file import PREFIX, parsed

# Variables that begin like a setting and are none: what the command line reads itself, what a `command` handler is
# given (it may well call webhookctl), and what Kubernetes sets in each pod beside a Service of the name "webhookctl".
_NO_SETTING: Final = re.compile(
    r"WEBHOOKCTL_(CONFIG|TRACEBACK|KIND|SUPPLIER|REFERENCE|ATTEMPT)=.*"
    r"|WEBHOOKCTL_SERVICE_(HOST|PORT|PORT_[A-Z0-9_]+)=.*"
    r"|WEBHOOKCTL_PORT=[a-z]+://.*"
    r"|WEBHOOKCTL_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*",
    re.DOTALL,
)

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "too_short": "must have at least one entry",
    "enum": "must be {expected}",
}
"""pydantic's kinds of error in our words; none of them repeats the value."""
_HINTS: Final[Mapping[str, str]] = {
    "store.url": ': say where events are kept, such as url = "sqlite:webhookctl.db"',
    "secrets": ': say where the secret lies that this supplier signs with, such as secrets = ["env:ACME_SECRET"]',
}
"""What to do about a key that is missing."""


def load(path: Path, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Settings:
    """Read and check the settings; `flags` are dotted keys with what the command line says.

    Raises `SettingsError` that lists everything that is wrong.
    """
    return build(parsed(path), environ, flags or {}, path)


def build(
    table: dict[str, Any], environ: Mapping[str, str], flags: Mapping[str, object], where: Path, *, demo: bool = False
) -> Settings:
    """Lay environment and flags over `table` (which is changed) and check the whole.

    `where` is the settings file, or the demo's folder.
    """
    overlay = _Overlay(table, {})
    overlay.take_environment(environ)
    for dotted, value in flags.items():
        overlay.put(tuple(dotted.split(".")), value, "--" + dotted.rpartition(".")[2].replace("_", "-"))
    table.setdefault("store", {})
    folder = where if demo else where.absolute().parent
    try:
        root = Root.model_validate(table, context=folder)
    except ValidationError as error:
        faults = list(dict.fromkeys(overlay.sentences(error)))
        raise SettingsError(_listed("The demo's settings" if demo else str(where), faults)) from None
    source = None if demo else where
    return Settings(
        source,
        folder,
        root.store,
        root.serve,
        root.suppliers,
        root.actions,
        root.alarms,
        demo,
        root.quarantine,
        replay=root.replay,
    )


def _listed(where: str, faults: list[str]) -> str:
    if len(faults) == 1:
        told = f"{where}: {faults[0]}"
    else:
        numbered = "; ".join(f"({number}) {fault}" for number, fault in enumerate(faults, 1))
        told = f"{where} has {len(faults)} faults: {numbered}"
    return told if told.endswith("?") else f"{told}."


@dataclass(frozen=True, slots=True)
class _Overlay:
    """The settings' table, and what in it does not come from the file."""

    table: dict[str, Any]
    origins: dict[tuple[str | int, ...], str]

    def take_environment(self, environ: Mapping[str, str]) -> None:
        referenced = {text.removeprefix("env:") for text in _texts(self.table) if text.startswith("env:")}
        for name, value in sorted(environ.items()):
            if name.startswith(PREFIX) and name not in referenced and not _NO_SETTING.fullmatch(f"{name}={value}"):
                path = tuple(name.removeprefix(PREFIX).lower().split("__"))
                self.put(self._as_written(path), _toml_value(value), name)

    def _as_written(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """A variable's name has no hyphen: ACME_EU is `acme-eu` where there is such a supplier."""
        names = self.table.get("suppliers")
        if path[0] != "suppliers" or len(path) == 1 or not isinstance(names, dict) or path[1] in names:
            return path
        same = [name for name in names if name.replace("-", "_") == path[1]]
        return (path[0], *same[:1], *path[2:]) if same else path

    def put(self, path: tuple[str, ...], value: object, origin: str) -> None:
        table = self.table
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{origin} sets {_dotted(path)}, but {part} holds no other settings.")
            table = inner
        table[path[-1]] = value
        self.origins[path] = origin

    def sentences(self, error: ValidationError) -> Iterator[str]:
        for fault in error.errors(include_url=False, include_input=False):
            path = tuple(part for part in fault["loc"] if part != "[key]")
            cause = fault.get("ctx", {}).get("error")
            if isinstance(cause, Refusals):
                for key, words in cause.refusals:
                    yield self._sentence((*path, key) if key else path, words)
            elif fault["type"] == "extra_forbidden" or isinstance(cause, UnknownKeyError):
                yield self._unknown(path)
            else:
                words = _WORDS.get(fault["type"], "is not usable").format(**fault.get("ctx", {}))
                yield self._sentence(path, words + (_hint(path) if fault["type"] == "missing" else ""))

    def _sentence(self, path: tuple[str | int, ...], words: str) -> str:
        origin = next((self.origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.origins), None)
        return _dotted(path) + (f" (set by {origin}) " if origin else " ") + words.rstrip(".")

    def _unknown(self, path: tuple[str | int, ...]) -> str:
        names = tuple(map(str, path))
        origin = self.origins.get(names)
        if origin and origin.startswith(PREFIX):
            return f"the environment variable {origin} is no setting" + spelling.behind(origin, self._variables())
        return self._sentence(path, "is not known" + _nearest(names))

    def _variables(self) -> list[str]:
        """Return the environment's name of each setting, for the suppliers that there are."""
        paths = [
            (*prefix, key)
            for pattern, table in TABLES.items()
            for prefix in self._fill(pattern)
            for key in keys_of(table)
        ]
        return [PREFIX + "__".join(path).upper().replace("-", "_") for path in paths]

    def _fill(self, pattern: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        if "*" not in pattern:
            return [pattern]
        suppliers = self.table.get("suppliers")
        names = (
            keys_of(TABLES["actions",]) if pattern[0] == "actions" else suppliers if isinstance(suppliers, dict) else ()
        )
        return [tuple(name if part == "*" else part for part in pattern) for name in names]


def _nearest(path: tuple[str, ...]) -> str:
    """Say which key was meant: one of the same table with nearly this name, or of another with just this name."""
    here = tuple("*" if number == 1 and len(path) > 2 else part for number, part in enumerate(path[:-1]))  # noqa: PLR2004 - actions.* and suppliers.*
    keys = keys_of(TABLES[here]) if here in TABLES else ()
    if asked := spelling.behind(path[-1], keys, _dotted((*path[:-1], "{}"))):
        return asked
    homes = [pattern for pattern, table in TABLES.items() if path[-1] in keys_of(table) and pattern != here]
    return f"; it belongs into [{_dotted(homes[0]).replace('*', 'NAME')}]" if homes and homes[0] else ""


def _hint(path: tuple[str | int, ...]) -> str:
    return _HINTS.get(_dotted(path)) or _HINTS.get(str(path[-1]), "")


def _dotted(path: Iterable[str | int]) -> str:
    """Write a key as the file has it; what could act on a terminal is escaped."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{printable(part)}" for part in path)
    return text.removeprefix(".")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)


def _toml_value(text: str) -> object:
    """Read what TOML has no text for (a list, a table, true and false); anything else is text as it stands."""
    if text in {"true", "false"} or text.startswith(("[", "{")):
        with suppress(ValueError, RecursionError):
            return tomllib.loads(f"value = {text}")["value"]
    return text
