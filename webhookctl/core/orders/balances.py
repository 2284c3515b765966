"""Is what we have left at a supplier too little, and what must be done about it?"""

from decimal import Decimal, InvalidOperation
from typing import Final

from webhookctl.core.events import Event
from webhookctl.core.orders.records import ActionKind, NewAction

_LONGEST: Final = 40
"""Characters of a balance: nobody has more, and arithmetic on a million digits takes its time."""


def is_below(balance: str | None, low: Decimal | None) -> bool:
    """True where both are known and the balance is the smaller; what is no number is not known."""
    amount = _amount(balance)
    return amount is not None and low is not None and amount < low


def balance_low(event: Event, low: Decimal | None, *, cooldown_ms: int, now: int) -> tuple[NewAction, ...]:
    """Ask for a top-up and a person's eye, once per cooldown; a hint moves no money, so it only alerts."""
    amount = _amount(event.balance)
    is_known = amount is not None and (low is None or amount < low)
    than = f", below {low}" if low is not None else ""
    detail = f"The balance at {event.supplier} is {f'{amount:f}{than}' if is_known else 'low'}: top it up."
    cause = f"balance.low:{event.occurred_at or now}"
    kinds = (ActionKind.ALERT,) if event.hint else (ActionKind.TOP_UP, ActionKind.ALERT)
    return tuple(NewAction(event.supplier, "", kind, cause, detail=detail, cooldown_ms=cooldown_ms) for kind in kinds)


def _amount(text: str | None) -> Decimal | None:
    if text is None or len(text) > _LONGEST:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    # An exponent could make a text of a gigabyte of it.
    return amount if amount.is_finite() and abs(amount.adjusted()) <= _LONGEST else None
