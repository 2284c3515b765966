"""AES-256-GCM under several keys: what opens, what does not, and what the operator is told."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher, parse_key
from webhookctl.config import new_key
from webhookctl.core.errors import SealedError, SettingsError

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_was_sealed_opens(plain: bytes, bound_to: bytes) -> None:
    """Any bytes, bound to any bytes."""
    cipher = AesGcmCipher([NEW])

    assert cipher.open(cipher.seal(plain, bound_to), bound_to) == plain


def test_nothing_is_sealed_twice_alike() -> None:
    """Equal codes do not look equal at rest, and a sealed value holds none of the plain one."""
    cipher = AesGcmCipher([NEW])
    sealed = {cipher.seal(b"XXXXX-YYYYY-ZZZZZ", b"") for _ in range(100)}

    assert len(sealed) == 100
    assert not any(b"YYYYY" in one for one in sealed)


def test_the_first_key_seals_and_every_key_opens() -> None:
    """A new key in front leaves readable what the old one sealed."""
    before = AesGcmCipher([OLD]).seal(b"code", b"place")
    rotated = AesGcmCipher([NEW, OLD])

    assert rotated.open(before, b"place") == b"code"
    assert AesGcmCipher([NEW]).open(rotated.seal(b"code", b"place"), b"place") == b"code"


def test_a_missing_key_is_named() -> None:
    """The operator learns which key to look for, by its id."""
    sealed = AesGcmCipher([OLD]).seal(b"code", b"place")

    with pytest.raises(SealedError, match=r"needs the key 630dcd29, .* \[store\] keys"):
        AesGcmCipher([NEW]).open(sealed, b"place")


def test_a_value_in_anothers_place_does_not_open() -> None:
    """A sealed value is bound to where it was written."""
    cipher = AesGcmCipher([NEW])

    with pytest.raises(SealedError, match="it was changed, or put in another's place"):
        cipher.open(cipher.seal(b"code", b"order 1"), b"order 2")


@pytest.mark.parametrize("place", range(1 + 4 + 12 + 4 + 16))
def test_a_flipped_bit_anywhere_is_noticed(place: int) -> None:
    """Version, key id, nonce, text and tag."""
    cipher = AesGcmCipher([NEW])
    sealed = bytearray(cipher.seal(b"code", b""))
    sealed[place] ^= 0x10

    with pytest.raises(SealedError):
        cipher.open(bytes(sealed), b"")


@given(st.binary(max_size=80))
def test_any_bytes_open_or_raise_sealed_error(junk: bytes) -> None:
    """Whatever stands in the store, nothing but our own error comes out."""
    with pytest.raises(SealedError):
        AesGcmCipher([NEW]).open(junk, b"")


@pytest.mark.parametrize(
    "text",
    [
        NEW.hex().encode(),
        NEW.hex().upper().encode() + b"\r\n",
        b"  " + base64.b64encode(NEW) + b"\n",
        base64.b64encode(NEW).rstrip(b"="),
        base64.urlsafe_b64encode(NEW),
    ],
)
def test_keys_are_read_from_hex_and_base64(text: bytes) -> None:
    """As people store them: upper case, padded or not, with blanks around."""
    assert parse_key(text, "file:webhookctl.key") == NEW


@pytest.mark.parametrize("text", [b"", b"abc", NEW, b"zz" * 32, base64.b64encode(NEW[:31]), base64.b64encode(NEW * 2)])
def test_what_is_no_key_is_refused_by_place_and_without_showing_it(text: bytes) -> None:
    """The sentence names the file and says how to make a key."""
    with pytest.raises(SettingsError, match=r"file:webhookctl\.key is not 32 bytes") as caught:
        parse_key(text, "file:webhookctl.key")

    assert not text or text.decode("latin-1") not in str(caught.value)


def test_a_cipher_needs_whole_keys() -> None:
    """None at all, or a short one, is refused when it is made."""
    with pytest.raises(SettingsError, match="no key"):
        AesGcmCipher([])
    with pytest.raises(SettingsError, match="not 32 bytes"):
        AesGcmCipher([NEW, OLD[:16]])


def test_a_new_key_is_a_key_and_the_cipher_shows_none() -> None:
    """`new_key` makes what `parse_key` reads; printing a cipher tells nothing."""
    text = new_key()
    key = parse_key(text.encode(), "here")

    assert text != new_key()
    assert key.hex() not in repr(AesGcmCipher([key]))
