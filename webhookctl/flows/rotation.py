"""For each secret of each supplier: when it last matched, and whether it can go."""

from collections.abc import Mapping, Sequence
from typing import Any

from webhookctl.core import moments
from webhookctl.core.ports.reports import Reports
from webhookctl.core.rotation import judge


def secret_rows(reports: Reports, suppliers: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Judge the secrets (their references) of each supplier, in the order of the settings."""
    uses = reports.secret_uses()
    return [
        {
            "supplier": supplier,
            "secret": one.reference,
            "last_matched_at": moments.on_page(one.last_at),
            "verdict": one.verdict.value,
            "why": one.why,
        }
        for supplier, references in suppliers.items()
        for one in judge(references, {name: at for (whose, name), at in uses.items() if whose == supplier})
    ]
