"""Is a code a picture? Some suppliers give a card as a scan, in base64."""

import base64
import binascii
import mimetypes
from dataclasses import dataclass, field
from typing import Final

_BEGINNINGS: Final = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"RIFF": "image/webp",
}
_SUFFIXES: Final = {"image/jpeg": ".jpg", "image/webp": ".webp"}
_SHORTEST: Final = 64
"""Signs of base64: no picture is shorter, and a code that happens to be base64 is."""


@dataclass(frozen=True, slots=True)
class Image:
    """A code that can't be read as text."""

    media_type: str
    data: bytes = field(repr=False)

    @property
    def suffix(self) -> str:
        """What a file's name ends with."""
        return _SUFFIXES.get(self.media_type) or mimetypes.guess_extension(self.media_type) or ".bin"


def image_of(code: str, media_type: str | None = None) -> Image | None:
    """Return the picture that `code` is, by what the supplier says of it or by how it begins; None where it is text."""
    said, comma, base64_text = code.partition(",")
    if not comma or not said.startswith("data:"):
        said, base64_text = "", code
    if media_type is None and not said and len(code) < _SHORTEST:
        return None
    try:
        data = base64.b64decode("".join(base64_text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    seen = next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)
    kind = seen or media_type or said.removeprefix("data:").partition(";")[0]
    return Image(kind, data) if kind and data and not kind.startswith("text/") else None
