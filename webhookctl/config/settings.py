"""All that can be set, in one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator

from webhookctl.config.action_settings import ActionsSettings, HandlerSettings, RetrySettings
from webhookctl.config.alarm_settings import AlarmSettings
from webhookctl.config.api_settings import ApiSettings, AuthSettings, ListSettings, ThenSettings
from webhookctl.config.place_settings import QuarantineSettings, ServeSettings, StoreSettings
from webhookctl.config.replay_settings import ReplaySettings
from webhookctl.config.supplier_settings import SupplierSettings
from webhookctl.config.tables import Refusals, Table
from webhookctl.core.deliveries import SUPPLIER_NAME
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.secrets import SecretRef


def _supplier_name(name: str) -> str:
    if not SUPPLIER_NAME.fullmatch(name):
        raise Refusals(
            ("", "is no name for a supplier: it stands in the URL, so use a-z, 0-9, - and _, at most 32 of them")
        )
    return name


class Root(Table):
    """The settings file as a whole."""

    store: StoreSettings
    serve: ServeSettings = ServeSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    suppliers: dict[Annotated[str, AfterValidator(_supplier_name)], SupplierSettings] = Field(default_factory=dict)
    actions: ActionsSettings = ActionsSettings()
    alarms: AlarmSettings = AlarmSettings()
    replay: ReplaySettings = ReplaySettings()

    @field_validator("suppliers", mode="after")
    @classmethod
    def _sorted(cls, value: dict[str, SupplierSettings]) -> dict[str, SupplierSettings]:
        return dict(sorted(value.items()))


TABLES: Final[Mapping[tuple[str, ...], type[Table]]] = {
    (): Root,
    ("store",): StoreSettings,
    ("serve",): ServeSettings,
    ("quarantine",): QuarantineSettings,
    ("suppliers", "*"): SupplierSettings,
    ("suppliers", "*", "api"): ApiSettings,
    ("suppliers", "*", "api", "auth"): AuthSettings,
    ("suppliers", "*", "api", "then"): ThenSettings,
    ("suppliers", "*", "api", "list"): ListSettings,
    ("actions",): ActionsSettings,
    ("actions", "*"): HandlerSettings,
    ("actions", "*", "retry"): RetrySettings,
    ("alarms",): AlarmSettings,
    ("replay",): ReplaySettings,
}
"""Which table has which keys; `*` stands for any name."""


def keys_of(table: type[Table]) -> list[str]:
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
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    demo: bool = False
    """There is no settings file: this machine only."""
    quarantine: QuarantineSettings = field(default_factory=QuarantineSettings)
    replay: ReplaySettings = field(default_factory=ReplaySettings)

    def read(self, references: Sequence[SecretRef], environ: Mapping[str, str]) -> list[Secret]:
        """Read secrets, in the order of `references`; raises `SettingsError`."""
        return [reference.read(environ, self.folder) for reference in references]
