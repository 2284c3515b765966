"""What the tables of the settings are made of."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo

from webhookctl.config import units
from webhookctl.core.errors import SettingsError
from webhookctl.secrets import SecretRef

_T = TypeVar("_T")


class Refusals(ValueError):  # noqa: N818 - what it carries are the errors; pydantic collects ValueErrors only
    """What is wrong with one table: pairs of a key (empty: the table itself) and words."""

    def __init__(self, *refusals: tuple[str, str]) -> None:
        super().__init__("; ".join(words for _, words in refusals))
        self.refusals = refusals


class UnknownKeyError(ValueError):
    """There is no such key."""


def by(parse: Callable[[object], _T]) -> PlainValidator:
    """Let pydantic collect what `parse` refuses."""

    def validate(written: object) -> _T:
        try:
            return parse(written)
        except SettingsError as error:
            raise Refusals(("", str(error))) from None

    return PlainValidator(validate)


def _path(written: object, info: ValidationInfo) -> Path:
    if not isinstance(written, str) or not written or "\0" in written:
        raise Refusals(("", "must be the path of a file, in quotes"))
    return Path(info.context or "") / written


Duration: TypeAlias = Annotated[int, by(units.duration)]
PositiveDuration: TypeAlias = Annotated[int, by(units.positive_duration)]
Reference: TypeAlias = Annotated[SecretRef, by(SecretRef.parse)]
References: TypeAlias = Annotated[tuple[Reference, ...], Field(min_length=1)]
FilePath: TypeAlias = Annotated[Path, PlainValidator(_path)]


class Table(BaseModel):
    """One table; what it does not know is refused."""

    # Inputs are hidden: what stands at the wrong place may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
