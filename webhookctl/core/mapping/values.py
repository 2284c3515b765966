"""Bodies as values: JSON and forms, read strictly, numbers in their own digits."""

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

Value: TypeAlias = Any
"""Any JSON value, or `Absent`."""

ALL: Final = "*"
"""The token that stands for each element of a list."""
_MOST_FIELDS: Final = 10_000
_DEEPEST: Final = 32
_LONGEST_INDEX: Final = 9
_FIELD: Final = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)")


class Absent(Enum):
    """Why there is no value."""

    ABSENT = "absent"
    DUPLICATED = "duplicated"
    """The object names this member twice: which one is meant is anybody's guess."""


class UnreadableError(Exception):
    """The delivery should say something to an order and can't be read; the text is for the operator."""


class _Number(str):
    """A JSON number in its own digits: 2^64 stays 2^64."""

    __slots__ = ()


def parse_json(body: bytes) -> Value:
    """Parse strictly; raises `UnreadableError` with a sentence."""
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UnreadableError(f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        what = "begins with a byte order mark" if body.startswith(b"\xef\xbb\xbf") else "is not JSON"
        raise UnreadableError(f"the body {what} (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise UnreadableError("the body is nested too deeply") from None


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                members[key] = Absent.DUPLICATED
            seen.add(key)
    return members


def _refuse_constant(name: str) -> object:
    raise UnreadableError(f"the body is not JSON: {name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant
)


def parse_form(body: bytes) -> Value:
    """Parse name=value pairs to an object, `data[trxid]` to a member of a member; raises `UnreadableError`."""
    if b"=" not in body:
        raise UnreadableError("the body is no form: it has no name=value")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except UnicodeDecodeError:
        raise UnreadableError("the body is a form, but not in UTF-8") from None
    except ValueError:
        raise UnreadableError(f"the body is a form of more than {_MOST_FIELDS} fields") from None
    fields: dict[str, Value] = {}
    for name, value in pairs:
        _put(fields, _field_tokens(name), value)
    return {name: _with_lists(value) for name, value in fields.items()}


def _field_tokens(name: str) -> list[str]:
    match = _FIELD.fullmatch(name)
    if match is None or not match[1]:
        return [name]
    tokens = [match[1], *match[2][1:-1].split("][")] if match[2] else [match[1]]
    if len(tokens) > _DEEPEST:
        raise UnreadableError("the body is nested too deeply")
    return tokens


def _put(members: dict[str, Value], tokens: list[str], value: str) -> None:
    """Put `value` where the tokens lead; an empty one (`items[]`) is the next of a list."""
    for token in tokens[:-1]:
        inner = members.setdefault(token or str(len(members)), {})
        if not isinstance(inner, dict):
            members[token] = Absent.DUPLICATED
            return
        members = inner
    last = tokens[-1] or str(len(members))
    members[last] = Absent.DUPLICATED if last in members else value


def _with_lists(value: Value) -> Value:
    """Make a list of each object whose names are 0, 1, 2 and so on."""
    if not isinstance(value, dict):
        return value
    members = {name: _with_lists(member) for name, member in value.items()}
    return list(members.values()) if list(members) == list(map(str, range(len(members)))) else members


def at(value: Value, tokens: tuple[str, ...]) -> Value:
    """Return what stands there, or `Absent`."""
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token, Absent.ABSENT)
        elif isinstance(value, list) and token.isascii() and token.isdigit() and len(token) <= _LONGEST_INDEX:
            value = value[int(token)] if int(token) < len(value) else Absent.ABSENT
        else:
            return Absent.DUPLICATED if value is Absent.DUPLICATED else Absent.ABSENT
    return value


def each(value: Value, tokens: tuple[str, ...]) -> Iterator[Value]:
    """Yield whatever stands there, each `*` being each element of a list."""
    if ALL not in tokens:
        found = at(value, tokens)
        if found is Absent.DUPLICATED:
            raise UnreadableError(f"/{'/'.join(tokens)} stands twice in its object")
        if found is not Absent.ABSENT and found is not None:
            yield found
        return
    split = tokens.index(ALL)
    elements = at(value, tokens[:split])
    if elements is Absent.DUPLICATED:
        raise UnreadableError(f"/{'/'.join(tokens[:split])} stands twice in its object")
    for element in elements if isinstance(elements, list) else ():
        yield from each(element, tokens[split + 1 :])


def scalar(value: Value, place: object) -> str:
    """Return text, a number's digits, or true and false; raises `UnreadableError` naming `place`."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            if not _is_encodable(value):
                raise UnreadableError(f"the text at {place} holds half of a surrogate pair")
            return str(value)
        case Absent.DUPLICATED:
            raise UnreadableError(f"{place} stands twice in its object: which one is meant is not known")
        case _:
            raise UnreadableError(f"{place} holds {'an object' if isinstance(value, dict) else 'a list'}, not a text")


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
