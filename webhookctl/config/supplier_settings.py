"""Who sends, by a preset and what is said against it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, StrictBool, StrictStr, model_validator

from webhookctl import suppliers
from webhookctl.config import units
from webhookctl.config.tables import PositiveDuration, References, Refusals, Table, UnknownKeyError, by
from webhookctl.core.errors import SchemeError, SettingsError
from webhookctl.core.mapping import Mapping as BodyMapping
from webhookctl.core.orders import CodesRule, Policy
from webhookctl.core.retries import SECOND
from webhookctl.core.signatures import Scheme


def _scheme_key(key: str) -> str:
    if key not in Scheme.KEYS:
        raise UnknownKeyError
    return key


class SupplierSettings(Table):
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
    low_balance: Annotated[Decimal, by(units.amount)] | None = None
    """A balance below it, told along with an order, is as good as a `balance.low`."""
    balance_cooldown: PositiveDuration = 60 * 60 * SECOND
    """How long no second top-up is asked for."""
    return_window: PositiveDuration | None = None
    """How long after its fulfilment the supplier takes an order back."""
    map: dict[str, Any] = Field(default_factory=dict)
    _scheme: Scheme = PrivateAttr()
    _mapping: BodyMapping = PrivateAttr()
    _codes: CodesRule = PrivateAttr()
    _answers_head: bool = PrivateAttr()
    _return_window: int | None = PrivateAttr()

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
        return Policy(
            codes=self._codes,
            sla_ms=self.sla,
            balance_cooldown_ms=self.balance_cooldown,
            low_balance=self.low_balance,
            return_window_ms=self._return_window,
        )

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
        window = preset.get("return_window")
        preset_window = units.positive_duration(window) if window is not None else None
        self._return_window = self.return_window if "return_window" in written else preset_window
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
