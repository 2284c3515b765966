"""Which plain values does a scheme take from whoever uses it?"""

from collections.abc import Mapping
from typing import Any, Final

from webhookctl.core.signatures.template import params_of

_TEMPLATES: Final = ("signed", "signed_in_body")


def params_needed(table: Mapping[str, Any]) -> list[str]:
    """Return the names under `params` that the templates of a scheme's table take."""
    return [name for key in _TEMPLATES for name in params_of(str(table.get(key, "")))]


def with_params(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scheme's table with a text for each param that it needs and does not have: to look at it, not to use."""
    params = table.get("params", {})
    missing = dict.fromkeys(params_needed(table), "…")
    return {**table, "params": missing | params} if missing and isinstance(params, dict) else {**table}
