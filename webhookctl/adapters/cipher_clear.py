"""No cipher: what an operator gets who wants codes to lie in clear, and says so in the settings."""

from dataclasses import dataclass
from typing import Final

from webhookctl.core.errors import SealedError

MARK: Final = b"clear:"
"""What a value in clear begins with; no encrypted one does."""


@dataclass(frozen=True, slots=True)
class ClearCipher:
    """Writes values as they are; those that are encrypted need a key that is not there."""

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        del bound_to  # nothing here could hold it together
        return MARK + plain

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        del bound_to
        if not sealed.startswith(MARK):
            raise SealedError(
                f"A stored value needs the key {sealed[1:5].hex()}, and [store] names no key at all: "
                "add that key to [store] keys."
            )
        return sealed.removeprefix(MARK)

    def is_current(self, sealed: bytes) -> bool:
        return sealed.startswith(MARK)
