"""What the words of the command line become, where that is beyond doubt, without what typer loads to tell.

typer has pydantic make and check each value, and to load that takes longer than to look up an event. A plain text, a
whole number within its bounds, a file that may be read: these are made here, to the same values. All else, and whatever
is wrong, is left to typer.
"""

import os
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from typer import core

_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_UNDECIDED: Final = object()
by_typer: Final = core.TyperOption.process_value
"""As typer makes a value, or refuses it."""


def make_plain_ones() -> None:
    """Have all options and arguments of this process made so."""
    for kind in (core.TyperOption, core.TyperArgument):
        kind.process_value = value_of  # type: ignore[method-assign, assignment]  # the one place where values are made


def value_of(parameter: Any, context: Any, written: Any) -> Any:  # noqa: ANN401 - click's values
    """Return what `written` becomes; raises what typer raises."""
    made = _made(parameter, written)
    if made is _UNDECIDED:
        return by_typer(parameter, context, written)
    return made if parameter.callback is None else parameter.callback(context, parameter, made)


def _made(parameter: Any, written: Any) -> Any:  # noqa: ANN401 - click's values
    kind = getattr(parameter, "type_descriptor", None)
    if kind is None or parameter.nargs != 1 or parameter.multiple:
        return _UNDECIDED
    if written is None:
        return _UNDECIDED if parameter.required else None
    make = _MAKING.get(kind.annotation) if kind.parameter_info.parser is None else None
    if make is None:
        return written if isinstance(written, Enum) and type(written) is kind.annotation else _UNDECIDED
    return make(written, kind.parameter_info)


def _text(written: object, _about: Any) -> object:  # noqa: ANN401 - as typer has it
    return written if isinstance(written, str) and written.isascii() else _UNDECIDED


def _whole_number(written: object, about: Any) -> object:  # noqa: ANN401 - as typer has it
    if type(written) is not int and not (isinstance(written, str) and _NUMBER.fullmatch(written)):
        return _UNDECIDED
    number = int(written)
    low, high = about.min is None or about.min <= number, about.max is None or number <= about.max
    return number if low and high else _UNDECIDED


def _file(written: object, about: Any) -> object:  # noqa: ANN401 - as typer has it
    usual = about.file_okay and about.dir_okay and not about.resolve_path and about.path_type is None
    if not usual or about.exists or about.writable or not (isinstance(written, str) and written.isascii()):
        return _UNDECIDED
    return Path(written) if not os.path.lexists(written) or os.access(written, os.R_OK) else _UNDECIDED


_MAKING: Final[Mapping[Any, Callable[[object, Any], object]]] = {str: _text, int: _whole_number, Path: _file}
