"""Path templates of a supplier's API, filled with what is known of an order."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from webhookctl.core.orders import Order

_NAMED: Final = re.compile(r"\{([a-z_]+)\}")


def of_order(templates: Sequence[str], order: Order) -> tuple[str, bool] | None:
    """Return the first path of which everything is known, and whether it names the reference; None where none is."""
    known = {"order_id": order.order_id, "reference": order.reference}
    for template in templates:
        names = set(_NAMED.findall(template)) & set(known)
        if all(_can_stand(known[name]) for name in names):
            filled = fill(template, {name: value for name, value in known.items() if value is not None})
            return filled, "reference" in names
    return None


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put percent-encoded values into `template`; a name without a value stays."""
    return _NAMED.sub(lambda found: quote(values[found[1]], safe="") if found[1] in values else found[0], template)


def _can_stand(value: str | None) -> bool:
    """A path of `.` or `..` would be another one, whatever is done to encode it."""
    return value is not None and value not in {"", ".", ".."}
