"""Where in this supplier's body is the order id, the status, the code?"""

from webhookctl.core.mapping.reading import MOST_ORDERS, Reading, codes_in, form_of, read, read_answer, read_items
from webhookctl.core.mapping.table import LONGEST_NAME, BodyForm, Mapping

__all__ = [
    "LONGEST_NAME",
    "MOST_ORDERS",
    "BodyForm",
    "Mapping",
    "Reading",
    "codes_in",
    "form_of",
    "read",
    "read_answer",
    "read_items",
]
