"""Places where a value may stand, and event ids made of several."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from webhookctl.core import spelling
from webhookctl.core.deliveries import HEADER_NAME
from webhookctl.core.errors import SettingsError
from webhookctl.core.mapping.values import ALL

_HEADER: Final = "header:"
_WORDS: Final = "must be a JSON Pointer such as /data/reference, header:NAME, or a list of these"
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_NAMED: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a value may stand: a JSON Pointer into the body (RFC 6901), or a header."""

    written: str
    tokens: tuple[str, ...] = ()
    header: bytes | None = None

    @classmethod
    def parse(cls, written: object, key: str, *, lists: bool = False) -> "Place":
        """Read `/data/reference`, `header:X-Event` or, with `lists`, `/items/*`; raises `SettingsError`."""
        if not isinstance(written, str):
            raise SettingsError(f"map.{key} {_WORDS}")
        if written.startswith(_HEADER):
            name = written.removeprefix(_HEADER).strip()
            if lists or not HEADER_NAME.fullmatch(name):
                raise SettingsError(f"map.{key} {_WORDS}; {written!r} is no header that could hold it")
            return cls(written, header=name.lower().encode())
        if written and not written.startswith("/"):
            raise SettingsError(f"map.{key} {_WORDS}; {written!r} does not begin with a slash")
        if _BAD_ESCAPE.search(written):
            raise SettingsError(
                f"map.{key} is no JSON Pointer: {written!r} has a ~ that is not ~0 (for ~) or ~1 (for /)"
            )
        tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in written.split("/")[1:])
        if ALL in tokens and not lists:
            raise SettingsError(f"map.{key} holds *: only map.each and map.items go through a list")
        return cls(written, tokens)

    def __str__(self) -> str:
        return self.written or "the whole body"


Places: TypeAlias = tuple[Place, ...]
"""Alternatives, of which the first that holds something counts."""


@dataclass(frozen=True, slots=True)
class Template:
    """An event id made of mapped fields and of places in the body: `{order_id}:{status}:{/updated}`."""

    literals: tuple[str, ...]
    """What stands before, between and behind the parts: one more than those."""
    parts: tuple[str | Place, ...]

    @classmethod
    def parse(cls, written: str, names: Collection[str]) -> "Template":
        """Read a template over `names`; raises `SettingsError` with the nearest right name."""
        pieces = _NAMED.split(written)
        literals = tuple(pieces[::2])
        if any("{" in literal or "}" in literal for literal in literals):
            raise SettingsError(f"map.event_id is no template: {written!r} has a brace without its other half")
        parts = tuple(_part(name, names) for name in pieces[1::2])
        return cls(literals, parts)


def _part(name: str, names: Collection[str]) -> str | Place:
    if name.startswith("/"):
        return Place.parse(name, "event_id")
    if name in names:
        return name
    hint = spelling.nearest(name, names, "{{}}") or f"there are {', '.join(names)}, and pointers such as {{/id}}"
    raise SettingsError(f"map.event_id names {{{name}}}, which is not known; {hint}")


def parse_places(value: object, key: str, *, lists: bool = False) -> Places:
    """Read one place or a list of alternatives; raises `SettingsError` naming `key`."""
    alternatives = value if isinstance(value, list) else [value]
    return tuple(Place.parse(alternative, key, lists=lists) for alternative in alternatives)


def listed(places: Places) -> str:
    """Name the places, for a sentence."""
    return " or ".join(map(str, places))
