"""Codes that are pictures are told from codes that are text."""

import base64

import pytest

from webhookctl.core.images import Image, image_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("code", "media_type", "found", "suffix"),
    [
        (b64(PNG), None, "image/png", ".png"),
        (b64(JPEG), None, "image/jpeg", ".jpg"),
        (b64(PNG), "image/jpeg", "image/png", ".png"),
        (b64(b"%PDF-1.7" + bytes(60)), None, "application/pdf", ".pdf"),
        (f"data:image/png;base64,{b64(PNG)}", None, "image/png", ".png"),
        (f"data:image/svg+xml;base64,{b64(b'<svg/>')}", None, "image/svg+xml", ".svg"),
        (b64(b"anything"), "image/gif", "image/gif", ".gif"),
        (b64(b"anything"), "application/x-nobody-knows", "application/x-nobody-knows", ".bin"),
        (f"{b64(PNG)[:40]}\n{b64(PNG)[40:]}", None, "image/png", ".png"),
    ],
)
def test_pictures(code: str, media_type: str | None, found: str, suffix: str) -> None:
    """What the bytes are wins, then what the supplier says of them."""
    image = image_of(code, media_type)

    assert image is not None
    assert (image.media_type, image.suffix) == (found, suffix)
    assert "\\x89" not in repr(image)


@pytest.mark.parametrize(
    ("code", "media_type"),
    [
        ("XXXXX-YYYYY-ZZZZZ", None),
        ("ABCD1234EFGH5678", None),
        (b64(b"not a picture" * 9), None),
        ("A" * 100 + "!", "image/png"),
        (b64(b"text"), "text/plain"),
        ("data:,hello", None),
        ("", "image/png"),
    ],
)
def test_texts(code: str, media_type: str | None) -> None:
    """A code that happens to be base64, or that is no base64 at all, is shown as the text that it is."""
    assert image_of(code, media_type) is None


def test_a_picture_is_what_was_sent() -> None:
    """Byte for byte."""
    assert image_of(b64(PNG)) == Image("image/png", PNG)
