"""The way in: verified deliveries become durable."""

from collections.abc import Sequence
from typing import Protocol

from webhookctl.core.deliveries import Verified


class Intake(Protocol):
    """Appends, and asks nothing."""

    def accept(self, deliveries: Sequence[Verified]) -> None:
        """Make `deliveries` durable, all or none: committed and fsynced when this returns.

        Raises `StoreBusyError` after the busy timeout, `StoreFullError`, `StoreError`.
        """
