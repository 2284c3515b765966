"""A secret, which whoever prints it does not see."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as it was read, and where from; printing it shows only the latter."""

    value: bytes = field(repr=False)
    reference: str
    """`env:ACME_SECRET`"""
