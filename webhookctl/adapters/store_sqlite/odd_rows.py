"""What is said of a row that holds what no webhookctl of this version writes."""

from typing import Final

from webhookctl.core.errors import RowError

MISREAD: Final = (ValueError, KeyError, TypeError)
"""What making our own words of such a row raises. Their text quotes the row: it is never shown."""


def odd(what: str) -> RowError:
    """Return the error to raise for the row `what`."""
    return RowError(f"The row of {what} holds what no webhookctl of this version writes: `webhookctl store check`.")
