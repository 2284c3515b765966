"""Delivering once more what the shop has lost: named orders only, each asked about, each written down."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from webhookctl.cli import options, output
from webhookctl.cli.orders.naming import supplier_of, unknown
from webhookctl.cli.replaying import How
from webhookctl.core.errors import UsageError
from webhookctl.core.orders import Intervention

if TYPE_CHECKING:
    from webhookctl.config import Settings


@dataclass(frozen=True, slots=True)
class Named:
    """Which orders, and why."""

    what: Sequence[str]
    references: Sequence[str]
    supplier: str | None
    filters: Sequence[str | None]
    reason: str

    def check(self) -> None:
        """Raise `UsageError` where no order is named, or why is not said."""
        if not self.references:
            raise UsageError("--redeliver is for orders that are named one by one: --reference REF, several if needed.")
        if self.what or any(self.filters):
            raise UsageError("--redeliver takes the orders of --reference alone: leave out events, filters and --to.")
        if not self.reason.strip():
            raise UsageError("--reason is empty: say why; it is kept in the order's story.")


def redeliver(context: typer.Context, named: Named, how: How) -> None:
    """Deliver each of the orders once more, if whoever is asked says so; all are looked at before the first."""
    from webhookctl import wiring

    named.check()
    if not (how.yes or how.dry_run or sys.stdin.isatty()):
        raise UsageError("Each order is asked about, and there is no terminal to ask on: add --yes if all are meant.")
    settings = wiring.settings(context.obj.config)
    by = Intervention(options.now_ms(), wiring.who(), "delivered once more", named.reason)
    with wiring.store(settings) as store:
        desk = _Desk(settings, store, by, how)
        keys = [(supplier_of(store, one, named.supplier), one) for one in dict.fromkeys(named.references)]
        rows = [desk.deliver(key, generation) for key, generation in [(key, desk.generation(key)) for key in keys]]
    if how.as_json:
        output.show_json({"dry_run": how.dry_run, "orders": rows})


@dataclass(frozen=True, slots=True)
class _Desk:
    """Looks at orders, asks, and delivers."""

    settings: "Settings"
    store: Any
    by: Intervention
    how: How

    def generation(self, key: tuple[str, str]) -> int:
        """Return which generation it would be; raises where the order is not to be delivered once more."""
        from webhookctl.flows import decide

        story = self.store.orders.story(*key)
        if story is None:
            raise unknown(key[1])
        return decide.redelivery(story, self.by, needs_codes=self._needs_codes(key))

    def deliver(self, key: tuple[str, str], generation: int) -> dict[str, Any]:
        """Ask, deliver, and say what was done."""
        from webhookctl.flows import decide

        row: dict[str, Any] = {"supplier": key[0], "reference": key[1], "generation": generation, "webhook_id": None}
        what = f"order {key[1]} of {key[0]} once more, as generation {generation}"
        if self.how.dry_run:
            self._tell(f"This would deliver {what}.")
        elif self.how.yes or typer.confirm(f"Deliver {what}?", err=True):
            again = decide.redeliver_order(self.store.orders, key, self.by, needs_codes=self._needs_codes(key))
            self._tell(f"The worker delivers {what}, webhook-id {again.id}.")
            row |= {"generation": again.generation, "webhook_id": again.id}
        else:
            self._tell(f"Order {key[1]} is left alone.")
        return row

    def _needs_codes(self, key: tuple[str, str]) -> bool:
        from webhookctl.wiring.replaying import needs_codes

        return needs_codes(self.settings, key[0])

    def _tell(self, words: str) -> None:
        if not self.how.as_json:
            output.emit(words)
