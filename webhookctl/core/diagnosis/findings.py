"""What a diagnosis says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from webhookctl.core.diagnosis.words import WORDS


class Confidence(StrEnum):
    """How sure a diagnosis is."""

    CERTAIN = "certain"
    """With the mistakes undone the signature verifies: that can't be chance."""
    LIKELY = "likely"
    """All speaks for it, and nothing proves it."""
    NONE = "none"
    """Nothing that was tried explains it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that differs between what was signed and what we were told or given."""

    name: str
    """`part.kind`, as `body.newline_added`: stays the same, for programs."""
    detail: str = ""
    """What exactly, where the name leaves it open; never a secret or a signature."""

    @property
    def part(self) -> str:
        """`body`, `secret`, `signed`, `digest`, `header`, `time` or `scheme`."""
        return self.name.partition(".")[0]

    @property
    def what(self) -> str:
        """Say what is wrong."""
        return WORDS[self.name][0].replace("{detail}", self.detail)

    @property
    def advice(self) -> str:
        """Say what to do about it."""
        return WORDS[self.name][1].replace("{detail}", self.detail)


Mistakes: TypeAlias = tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a signature does not match."""

    confidence: Confidence
    mistakes: Mistakes = ()
    """One, or several that were made together; none where nothing explains it."""
    tried: int = 0
    untried: int = 0
    """Variants that the budget left out, at the least: pairs with a body that was never made are not counted."""
    matched: str | None = None
    """The reference of the secret under which it verifies, once the mistakes are undone."""

    is_unsigned: bool = False
    """Nothing in the delivery can be a signature, so that no variant of anything could match."""

    @property
    def is_proven(self) -> bool:
        return self.confidence is Confidence.CERTAIN
