"""Who sends, by a preset and what is said against it."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, StrictBool, StrictStr, model_validator

from webhookctl import suppliers
from webhookctl.config import units
from webhookctl.config.api_settings import ApiSettings, laid_over
from webhookctl.config.door_settings import CONTRADICTIONS, NOT_NEEDED, DoorSettings, Secrets, is_status_signed
from webhookctl.config.tables import PositiveDuration, Refusals, UnknownKeyError, by
from webhookctl.core.errors import SchemeError, SettingsError
from webhookctl.core.mapping import Mapping as BodyMapping
from webhookctl.core.orders import CodesRule, ConfirmRule, Policy
from webhookctl.core.ports.supplier import Api
from webhookctl.core.retries import SECOND
from webhookctl.core.signatures import Scheme
from webhookctl.suppliers.schema import are_at_odds, mapping_over, overlaid, scheme_over


def _scheme_key(key: str) -> str:
    if key not in Scheme.KEYS:
        raise UnknownKeyError
    return key


_OF_PRESETS: Final = frozenset({*DoorSettings.model_fields, "codes", "return_window"})
"""What a preset can say beside scheme, mapping and API: the same key in the settings takes its place."""


class SupplierSettings(DoorSettings):
    """One supplier; every key of its preset can be overridden in the same table."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Annotated[str, AfterValidator(_scheme_key)], Any]

    preset: StrictStr | None = None
    secrets: Secrets
    """Any may match: that is how a secret is rotated."""
    allow_short: StrictBool = False
    sla: PositiveDuration | None = None
    codes: CodesRule = CodesRule.REQUIRED
    low_balance: Annotated[Decimal, by(units.amount)] | None = None
    """A balance below it, told along with an order, is as good as a `balance.low`."""
    balance_cooldown: PositiveDuration = 60 * 60 * SECOND
    """How long no second top-up is asked for."""
    return_window: PositiveDuration | None = None
    """How long after its fulfilment the supplier takes an order back."""
    map: dict[str, Any] = Field(default_factory=dict)
    api: ApiSettings | None = None
    """Laid over the preset's; without this table nobody asks."""
    _scheme: Scheme = PrivateAttr()
    _asked: Api | None = PrivateAttr(default=None)
    _mapping: BodyMapping = PrivateAttr()
    _confirm: ConfirmRule = PrivateAttr()

    @property
    def scheme(self) -> Scheme:
        """How this supplier signs."""
        return self._scheme

    @property
    def mapping(self) -> BodyMapping:
        """Where the order's parts stand in this supplier's JSON."""
        return self._mapping

    @property
    def policy(self) -> Policy:
        """What holds for this supplier's orders."""
        return Policy(
            codes=self.codes,
            sla_ms=self.sla,
            confirm=self._confirm,
            can_ask=self._asked is not None,
            balance_cooldown_ms=self.balance_cooldown,
            low_balance=self.low_balance,
            return_window_ms=self.return_window,
        )

    @property
    def asked(self) -> Api | None:
        """How it is asked about orders; None where it is not."""
        return self._asked

    @model_validator(mode="before")
    @classmethod
    def _over_the_preset(cls, written: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        """Lay the table over what its preset says of the door; the scheme and the mapping have rules of their own."""
        if not isinstance(written, dict):
            return written
        preset: Mapping[str, Any] = {}
        with suppress(SettingsError):  # told by `_preset`
            preset = suppliers.preset(written["preset"]) if isinstance(written.get("preset"), str) else {}
        below = {key: value for key, value in preset.items() if key in _OF_PRESETS}
        if written.get("kind", preset.get("kind")) == "none":
            below["secrets"] = NOT_NEEDED
        if isinstance(written.get("api"), dict):
            written = {**written, "api": laid_over(preset.get("api", {}), written["api"])}
        return below | written

    @model_validator(mode="after")
    def _merge(self) -> Self:
        preset = self._preset()
        refusals: list[tuple[str, str]] = []
        try:
            self._scheme = scheme_over(preset, self.model_extra or {})
        except SchemeError as error:
            refusals.append((error.key, str(error).removeprefix(f"{error.key} ")))
        try:
            self._mapping = mapping_over(preset, self.map)
        except SettingsError as error:
            key, _, words = str(error).partition(" ")
            refusals.append((key, words))
        if not refusals and are_at_odds(self._scheme, self._mapping):
            refusals.append(("map.body", "must not be form: this scheme looks into the body, which takes JSON"))
        if not refusals:
            refusals += [
                (key, words) for key, holds, words in CONTRADICTIONS if holds(self, self._scheme, self.secrets)
            ]
        if refusals:
            raise Refusals(*refusals)
        self._asked = self.api.api(self._mapping) if self.api else None
        status = overlaid(preset.get("map", {}), self.map).get("status")
        unsigned = ConfirmRule.NONE if is_status_signed(self._scheme, status) else ConfirmRule.POLL
        self._confirm = self.confirm or unsigned
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
