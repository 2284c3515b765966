"""How a supplier's API is asked about orders: what its preset says, and what is said against that."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, StrictStr, model_validator

from webhookctl.config import units
from webhookctl.config.tables import PositiveDuration, Reference, Refusals, Table, by
from webhookctl.core.asking import AskPolicy
from webhookctl.core.deliveries import HEADER_NAME
from webhookctl.core.errors import SettingsError
from webhookctl.core.mapping import Mapping as BodyMapping
from webhookctl.core.ports.supplier import Api, ListCall, SecondCall
from webhookctl.core.retries import SECOND
from webhookctl.suppliers import api as presets

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", re.ASCII)
_MOST_CONNECTIONS: Final = 100
_WHOLE: Final = 100
_CAN_BE_OFF: Final = ("then", "list")


class AuthKind(StrEnum):
    """How a question shows who asks."""

    NONE = "none"
    BEARER = "bearer"
    HEADER = "header"
    QUERY = "query"
    BASIC = "basic"
    OAUTH2 = "oauth2"


def _share(written: object) -> float:
    match = _PERCENT.fullmatch(written) if isinstance(written, str) else None
    if match is None or float(match[1]) > _WHOLE:
        raise SettingsError('must be a share in quotes, such as "2%"')
    return float(match[1]) / _WHOLE


def _connections(written: object) -> int:
    if not isinstance(written, int) or isinstance(written, bool) or not 1 <= written <= _MOST_CONNECTIONS:
        raise SettingsError(f"must be a whole number from 1 to {_MOST_CONNECTIONS}")
    return written


def _address(written: object) -> str:
    url = units.web_address(written)
    parts = urlsplit(url)
    if parts.scheme == "http" and not units.Address(parts.hostname or "", 0).is_loopback:
        raise SettingsError("must begin with https:// (http:// is for this machine only): codes come over it")
    if parts.query:
        raise SettingsError("must not have a query: say what goes with each question by `auth` or `headers`")
    return url.rstrip("/")


def _headers(written: object) -> dict[str, str]:
    if not isinstance(written, dict) or not all(isinstance(value, str) for value in written.values()):
        raise SettingsError('must be a table of headers, such as { Accept = "application/json" }')
    for name, value in written.items():
        if not HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise SettingsError("must be a table of headers with values of one line")
    return {name.lower(): value for name, value in written.items()}


class AuthSettings(Table):
    """What proves who asks; the references depend on the kind."""

    kind: AuthKind = AuthKind.NONE
    bearer: Reference | None = None
    """Short for kind = "bearer" with this token."""
    token: Reference | None = None
    username: Reference | None = None
    password: Reference | None = None
    client_id: Reference | None = None
    client_secret: Reference | None = None
    header: StrictStr | None = None
    parameter: StrictStr | None = None
    token_url: Annotated[str, by(_address)] | None = None
    audience: StrictStr | None = None
    scope: StrictStr | None = None
    json_body: StrictBool = Field(default=False, alias="json")
    """The token is asked for in JSON; else by a form."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, table: object) -> object:
        if isinstance(table, dict) and "bearer" in table and not {"kind", "token"} & set(table):
            return {"kind": "bearer", "token": table["bearer"], **table}
        return table

    @model_validator(mode="after")
    def _complete(self) -> Self:
        said, secret = presets.KINDS[self.kind]
        optional = {"audience", "scope"}
        missing = [name for name in sorted((said - optional) | secret) if getattr(self, name) is None]
        written = {name if name != "json_body" else "json" for name in self.model_fields_set}
        known = said | secret | {"kind"} | ({"json"} if self.kind is AuthKind.OAUTH2 else set())
        known |= {"bearer"} if self.kind is AuthKind.BEARER else set()
        surplus = sorted(written - known)
        refusals = [(name, f"is missing: kind = {self.kind.value!r} needs it") for name in missing]
        refusals += [(name, f"has no meaning beside kind = {self.kind.value!r}: remove it") for name in surplus]
        if refusals:
            raise Refusals(*refusals)
        return self


class ThenSettings(Table):
    """A second call, where the codes come apart from the order."""

    path: StrictStr
    first_page: int = 1
    page_size: int = Field(default=100, gt=0)
    headers: Annotated[dict[str, str], by(_headers)] = Field(default_factory=dict)
    map: dict[str, Any] = Field(default_factory=dict)


class ListSettings(Table):
    """Many orders in one call."""

    path: StrictStr | None = None
    ids: StrictStr | None = None
    first_page: int = 1
    page_size: int = Field(default=100, gt=0)
    headers: Annotated[dict[str, str], by(_headers)] = Field(default_factory=dict)
    map: dict[str, Any] = Field(default_factory=dict)


class ApiSettings(Table):
    """How a supplier is asked; without this table in the settings it is not."""

    base_url: Annotated[str, by(_address)]
    order: StrictStr | tuple[StrictStr, ...]
    auth: AuthSettings = Field(default_factory=AuthSettings)
    headers: Annotated[dict[str, str], by(_headers)] = Field(default_factory=dict)
    rate: Annotated[float, by(units.rate)] | None = None
    concurrency: Annotated[int, by(_connections)] = 4
    timeout: PositiveDuration = 10 * SECOND
    map: dict[str, Any] = Field(default_factory=dict)
    then: ThenSettings | None = None
    listing: ListSettings | None = Field(default=None, alias="list")
    after: PositiveDuration = AskPolicy().after
    give_up: PositiveDuration = AskPolicy().give_up
    patience: PositiveDuration = AskPolicy().patience
    missed_alert: Annotated[float, by(_share)] = 0.02

    @property
    def policy(self) -> AskPolicy:
        return AskPolicy(self.after, self.give_up, self.patience)

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, table: object) -> object:
        """Have the paths and maps checked by the rule of the presets."""
        if not isinstance(table, dict):
            return table
        part = {key: value for key, value in table.items() if key in {"order", "then", "list", "map"}}
        try:
            presets.check(part)
        except SettingsError as error:
            key, _, words = str(error).removeprefix("api.").partition(" ")
            raise Refusals((key, words)) from None
        return table

    def api(self, below: BodyMapping) -> Api:
        """Return how to ask; what `map` leaves out of statuses comes from `below`, the mapping of webhooks."""
        return Api(
            base_url=self.base_url,
            order=(self.order,) if isinstance(self.order, str) else self.order,
            places=_places(self.map, below),
            headers=self.headers,
            per_second=self.rate,
            concurrency=self.concurrency,
            timeout_s=self.timeout / SECOND,
            then=_second_call(self.then, below) if self.then else None,
            list=_list_call(self.listing, below) if self.listing else None,
        )


def _second_call(then: ThenSettings, below: BodyMapping) -> SecondCall:
    return SecondCall(then.path, _places(then.map, below), then.first_page, then.page_size, then.headers)


def _list_call(one: ListSettings, below: BodyMapping) -> ListCall:
    return ListCall(_places(one.map, below), one.ids, one.path, one.first_page, one.page_size, one.headers)


def _places(table: Mapping[str, Any], below: BodyMapping) -> BodyMapping:
    inherited = {"statuses": {word: status.value for word, status in below.statuses.items()}}
    return BodyMapping.parse_answer({**inherited, **table})


def laid_over(preset: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the settings' table over the preset's, key by key; another kind of `auth` replaces the preset's wholly.

    A call that the preset has and this supplier's API does not is switched off by `false`.
    """
    off = {key for key in _CAN_BE_OFF if written.get(key) is False}
    merged = {key: value for key, value in preset.items() if key not in off}
    for key, value in written.items():
        if key in off:
            continue
        below = merged.get(key)
        replaces = key == "auth" and isinstance(value, dict) and bool({"kind", "bearer"} & set(value))
        both = isinstance(below, dict) and isinstance(value, dict) and not replaces
        merged[key] = {**below, **value} if both and isinstance(below, dict) else value
    return merged
