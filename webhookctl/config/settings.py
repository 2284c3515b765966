"""What can be set, with its type and its default."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    StrictBool,
    StrictStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from webhookctl import suppliers
from webhookctl.config import units
from webhookctl.config.secrets import SecretRef
from webhookctl.core.errors import SchemeError, SettingsError
from webhookctl.core.mapping import Mapping as BodyMapping
from webhookctl.core.orders import ActionKind, CodesRule, Policy
from webhookctl.core.ports.handler import Repeat
from webhookctl.core.retries import SECOND, RetryPolicy
from webhookctl.core.signatures import Scheme, Secret

_T = TypeVar("_T")


class Refusals(ValueError):  # noqa: N818 - what it carries are the errors; pydantic collects ValueErrors only
    """What is wrong with one table: pairs of a key (empty: the table itself) and words."""

    def __init__(self, *refusals: tuple[str, str]) -> None:
        super().__init__("; ".join(words for _, words in refusals))
        self.refusals = refusals


class UnknownKeyError(ValueError):
    """There is no such key."""


def _by(parse: Callable[[object], _T]) -> PlainValidator:
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


def _supplier_name(name: str) -> str:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
    if not 1 <= len(name) <= 32 or set(name) - set(allowed) or name[0] in "-_":  # noqa: PLR2004 - part of the URL's rule
        raise Refusals(
            ("", "is no name for a supplier: it stands in the URL, so use a-z, 0-9, - and _, at most 32 of them")
        )
    return name


def _scheme_key(key: str) -> str:
    if key not in Scheme.KEYS:
        raise UnknownKeyError
    return key


Duration: TypeAlias = Annotated[int, _by(units.duration)]
PositiveDuration: TypeAlias = Annotated[int, _by(units.positive_duration)]
Reference: TypeAlias = Annotated[SecretRef, _by(SecretRef.parse)]
References: TypeAlias = Annotated[tuple[Reference, ...], Field(min_length=1)]
FilePath: TypeAlias = Annotated[Path, PlainValidator(_path)]


class _Table(BaseModel):
    # Inputs are hidden: what stands at the wrong place may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


class StoreSettings(_Table):
    """Where events are kept, and the keys that they are encrypted with."""

    url: StrictStr
    keys: References
    """The first encrypts, all decrypt; each 32 bytes as hex or base64."""
    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The database's file; a relative one lies in the settings' folder."""
        return self._path

    @model_validator(mode="after")
    def _locate(self, info: ValidationInfo) -> Self:
        if self.url.startswith(("postgresql:", "postgres:")):
            raise Refusals(("url", "names a PostgreSQL store, which this version does not have: use sqlite:PATH"))
        name = self.url.removeprefix("sqlite:")
        if name == self.url or not name or "\0" in name or name.startswith(":memory:"):
            raise Refusals(("url", "must be sqlite:PATH with the path of a file, such as sqlite:webhookctl.db"))
        if name.startswith("//") and not name.startswith("///"):
            raise Refusals(("url", "must be sqlite:PATH, without the two slashes"))
        self._path = Path(info.context or "") / name
        return self


class ServeSettings(_Table):
    """Where suppliers come in."""

    listen: Annotated[units.Address, _by(units.address)] = units.Address("127.0.0.1", 8700)
    max_body: Annotated[int, _by(units.body_size)] = 1024 * 1024
    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    grace: Duration = 10 * SECOND
    """How long open requests and actions may take to end when the process is told to stop."""
    max_connections: Annotated[int, _by(units.count)] = 1000
    """Of all clients together; fewer where the system allows fewer open files."""
    max_per_address: Annotated[int, _by(units.count)] = 100
    trusted_proxies: Annotated[tuple[units.Network, ...], _by(units.networks)] = units.networks(["127.0.0.0/8", "::1"])
    """Many clients come from one of their addresses: `max_per_address` is not for them."""

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key, or None behind a TLS proxy."""
        return (self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        for here, there in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
            if getattr(self, here) and not getattr(self, there):
                raise Refusals((there, f"is missing: {here} is of no use without it"))
        return self


class SupplierSettings(_Table):
    """One supplier; every key of its preset can be overridden in the same table."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Annotated[str, AfterValidator(_scheme_key)], Any]

    preset: StrictStr | None = None
    secrets: References
    """Any may match: that is how a secret is rotated."""
    allow_short: StrictBool = False
    sla: PositiveDuration | None = None
    codes: CodesRule = CodesRule.REQUIRED
    head_ok: StrictBool = False
    """HEAD on the hook's path is answered 200: some suppliers probe it so."""
    map: dict[str, Any] = Field(default_factory=dict)
    _scheme: Scheme = PrivateAttr()
    _mapping: BodyMapping = PrivateAttr()
    _codes: CodesRule = PrivateAttr()
    _answers_head: bool = PrivateAttr()

    @property
    def scheme(self) -> Scheme:
        """How this supplier signs."""
        return self._scheme

    @property
    def mapping(self) -> BodyMapping:
        """Where the order's parts stand in this supplier's JSON."""
        return self._mapping

    @property
    def answers_head(self) -> bool:
        """What was set, else what the preset says."""
        return self._answers_head

    @property
    def policy(self) -> Policy:
        """What holds for this supplier's orders."""
        return Policy(codes=self._codes, sla_ms=self.sla)

    @model_validator(mode="after")
    def _merge(self) -> Self:
        preset = self._preset()
        refusals: list[tuple[str, str]] = []
        merged = {key: value for key, value in preset.items() if key in Scheme.KEYS} | (self.model_extra or {})
        try:
            self._scheme = Scheme.parse(merged)
        except SchemeError as error:
            refusals.append((error.key, str(error).removeprefix(f"{error.key} ")))
        try:
            self._mapping = BodyMapping.parse(_merged(preset.get("map", {}), self.map))
        except SettingsError as error:
            key, _, words = str(error).partition(" ")
            refusals.append((key, words))
        if refusals:
            raise Refusals(*refusals)
        written = self.model_fields_set
        self._codes = self.codes if "codes" in written else CodesRule(preset.get("codes", self.codes))
        self._answers_head = self.head_ok if "head_ok" in written else bool(preset.get("head_ok", self.head_ok))
        return self

    def _preset(self) -> Mapping[str, Any]:
        if self.preset is None and not self.model_extra:
            raise Refusals(
                (
                    "preset",
                    f"is missing: name one of {', '.join(suppliers.names())}, or describe the signature yourself",
                )
            )
        try:
            return suppliers.preset(self.preset) if self.preset is not None else {}
        except SettingsError as error:
            raise Refusals(("preset", f"is refused: {error}")) from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; a table within (`types`, `statuses`) gains words and loses none."""
    both = {key: below[key] | above[key] for key in above if _is_table(below.get(key)) and _is_table(above[key])}
    return {**below, **above, **both}


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


class RetrySettings(_Table):
    """When a failed action is tried again, and when given up."""

    first: PositiveDuration = RetryPolicy().first
    longest: PositiveDuration = RetryPolicy().longest
    give_up_after: PositiveDuration = RetryPolicy().give_up_after

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.longest:
            raise Refusals(("longest", "must not be shorter than `first`"))
        return self


class HandlerSettings(_Table):
    """What is done for one kind of action: exactly one of `http`, `command` and `log`."""

    http_repeat: ClassVar[Repeat] = Repeat.AT_LEAST_ONCE

    http: Annotated[str, _by(units.web_address)] | None = None
    command: Annotated[tuple[str, ...], _by(units.words)] | None = None
    log: StrictBool = False
    secret: Reference | None = None
    """Signs the requests to the shop by the Standard Webhooks rule."""
    timeout: PositiveDuration = 10 * SECOND
    written_repeat: Repeat | None = Field(default=None, alias="repeat")
    retry: RetrySettings = RetrySettings()

    @property
    def repeat(self) -> Repeat:
        """What was set, or the default: what spends money and what runs a program is not repeated by itself."""
        if self.written_repeat is not None:
            return self.written_repeat
        if self.command is not None:
            return Repeat.AT_MOST_ONCE
        return self.http_repeat if self.http is not None else Repeat.AT_LEAST_ONCE

    @property
    def retries(self) -> RetryPolicy:
        return RetryPolicy(self.retry.first, self.retry.longest, self.retry.give_up_after)

    @property
    def shown_url(self) -> str:
        """The URL fit to be shown: what follows a question mark is often a token."""
        address, question, _ = (self.http or "").partition("?")
        return f"{address}?…" if question else address

    @property
    def travels_in_clear(self) -> bool:
        """True where the document leaves this machine without TLS."""
        parts = urlsplit(self.http or "")
        return parts.scheme == "http" and not units.Address(parts.hostname or "", 0).is_loopback

    @model_validator(mode="after")
    def _one_handler(self) -> Self:
        if [self.http is not None, self.command is not None, self.log].count(True) != 1:
            raise Refusals(("", "must have exactly one of http = URL, command = [words] and log = true"))
        if self.http is not None and self.secret is None:
            raise Refusals(("secret", "is missing: without it the shop can't tell our requests from anybody's"))
        if self.http is None and self.secret is not None:
            raise Refusals(("secret", "belongs to http only: nothing is signed here, remove it"))
        if self.log and "timeout" in self.model_fields_set:
            raise Refusals(("timeout", "has no meaning beside log = true: remove it"))
        return self


class SpendingHandlerSettings(HandlerSettings):
    """A handler that moves money: a request that may have arrived is not made again by itself."""

    http_repeat: ClassVar[Repeat] = Repeat.AT_MOST_ONCE


class ActionsSettings(_Table):
    """What is done for each kind of action; a kind without a handler waits."""

    deliver: HandlerSettings | None = None
    refund: SpendingHandlerSettings | None = None
    notify: HandlerSettings | None = None
    top_up: SpendingHandlerSettings | None = None
    alert: HandlerSettings = HandlerSettings(log=True)

    def by_kind(self) -> dict[ActionKind, HandlerSettings]:
        """Return the handlers that are set, and the alert's default."""
        handlers = {kind: getattr(self, kind.value) for kind in ActionKind}
        return {kind: handler for kind, handler in handlers.items() if handler is not None}


class Root(_Table):
    """The settings file as a whole."""

    store: StoreSettings
    serve: ServeSettings = ServeSettings()
    suppliers: dict[Annotated[str, AfterValidator(_supplier_name)], SupplierSettings] = Field(default_factory=dict)
    actions: ActionsSettings = ActionsSettings()

    @field_validator("suppliers", mode="after")
    @classmethod
    def _sorted(cls, value: dict[str, SupplierSettings]) -> dict[str, SupplierSettings]:
        return dict(sorted(value.items()))


TABLES: Final[Mapping[tuple[str, ...], type[_Table]]] = {
    (): Root,
    ("store",): StoreSettings,
    ("serve",): ServeSettings,
    ("suppliers", "*"): SupplierSettings,
    ("actions",): ActionsSettings,
    ("actions", "*"): HandlerSettings,
    ("actions", "*", "retry"): RetrySettings,
}
"""Which table has which keys; `*` stands for any name."""


def keys_of(table: type[_Table]) -> list[str]:
    """Return the keys that may stand in a table, as they are written."""
    own = [about.alias or name for name, about in table.model_fields.items()]
    return own + sorted(Scheme.KEYS) if table is SupplierSettings else own


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; holds references to secrets, never a secret."""

    source: Path | None
    """The file that was read; None: there is none."""
    folder: Path
    """What relative paths in the settings are relative to."""
    store: StoreSettings
    serve: ServeSettings = field(default_factory=ServeSettings)
    suppliers: Mapping[str, SupplierSettings] = field(default_factory=dict)
    actions: ActionsSettings = field(default_factory=ActionsSettings)
    demo: bool = False
    """There is no settings file: this machine only."""

    def read(self, references: Sequence[SecretRef], environ: Mapping[str, str]) -> list[Secret]:
        """Read secrets, in the order of `references`; raises `SettingsError`."""
        return [reference.read(environ, self.folder) for reference in references]
