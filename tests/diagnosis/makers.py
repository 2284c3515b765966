"""Every mistake of the space, made: from a valid scene to one where just that is wrong, or None where it can't be."""

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from tests.diagnosis.bodies import BODY, REWRITTEN, Maker, text_changed
from tests.diagnosis.scene import ENCODE, NOW, Scene
from webhookctl.core.signatures import Algorithm, Encoding, Kind, SecretEncoding, TimestampFormat


def theirs(change: Callable[[bytes], bytes]) -> Maker:
    """The supplier signs with the text of the secret, changed."""

    def make(scene: Scene) -> Scene | None:
        if scene.scheme.kind is Kind.ED25519:
            return None
        if scene.scheme.secret_encoding is not SecretEncoding.UTF8:
            return None
        return scene.but(key=change(scene.key))

    return make


def key_is(make_key: Callable[[bytes], bytes | None]) -> Maker:
    """The supplier makes another key of the same text."""

    def make(scene: Scene) -> Scene | None:
        key = make_key(scene.ours[0]) if scene.scheme.kind is not Kind.ED25519 else None
        return None if key is None else scene.but(key=key)

    return make


def written_as(text: bytes, key: bytes) -> Maker:
    """A secret of text that the supplier decodes, in a scheme that takes it as text."""

    def make(scene: Scene) -> Scene | None:
        if scene.scheme.kind is Kind.ED25519 or scene.scheme.secret_encoding is not SecretEncoding.UTF8:
            return None
        if scene.scheme.kind is Kind.TOKEN and not key.isascii():
            return None  # no header could hold it
        return scene.but(ours=(text,), key=key)

    return make


def text_is_key(scene: Scene) -> Scene | None:
    if scene.scheme.secret_encoding is SecretEncoding.UTF8 or scene.scheme.kind is Kind.ED25519:
        return None
    return scene.but(key=scene.ours[0])


def other_secret(scene: Scene) -> Scene | None:
    return scene.but(others=scene.ours, ours=(wrong(scene),))


def wrong(scene: Scene) -> bytes:
    text = scene.ours[0].removeprefix(scene.scheme.secret_prefix)
    return (
        scene.scheme.secret_prefix + text[::-1].lstrip(b"=")
        if b"=" not in text
        else (scene.scheme.secret_prefix + base64.b64encode(bytes(32)))
    )


def without_padding(scene: Scene) -> Scene | None:
    text = scene.ours[0]
    return scene.but(ours=(text.rstrip(b"="),)) if text.endswith(b"=") else None


SECRET: Final[Mapping[str, Maker]] = {
    "secret.blanks_around": text_changed(lambda text: b" " + text + b"\n"),
    "secret.blanks_missing": theirs(lambda key: key + b"\n"),
    "secret.quotes_around": text_changed(lambda text: b'"' + text + b'"'),
    "secret.quotes_missing": theirs(lambda key: b'"' + key + b'"'),
    "secret.name_in_front": text_changed(lambda text: b"ACME_SECRET=" + text),
    "secret.bom": text_changed(lambda text: b"\xef\xbb\xbf" + text),
    "secret.twice": text_changed(lambda text: text + text),
    "secret.other": other_secret,
    "secret.padding_missing": without_padding,
    "secret.text": text_is_key,
    "secret.base64": written_as(b"whsec_" + base64.b64encode(b"0123456789abcdefghij"), b"0123456789abcdefghij"),
    "secret.hex": written_as(b"00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")),
    "secret.encoded": theirs(base64.b64encode),
    "secret.prefix_cut": written_as(b"whsec_0123456789-0123456789", b"0123456789-0123456789"),
    "secret.prefix_missing": theirs(lambda key: b"whsec_" + key),
    "secret.url_escaped": text_changed(lambda text: quote(text, safe="").encode()),
    "secret.url_unescaped": theirs(lambda key: quote(key, safe="").encode()),
    "secret.html_escaped": text_changed(lambda text: html.escape(text.decode()).encode()),
    "secret.html_unescaped": theirs(lambda key: html.escape(key.decode()).encode()),
    "secret.upper_case": theirs(bytes.upper),
    "secret.lower_case": theirs(bytes.lower),
    "secret.test_for_live": theirs(lambda key: key.replace(b"test", b"live")),
}


def signs(scene: Scene) -> bool:
    """Say whether bytes are signed: a token signs none."""
    return scene.scheme.kind is not Kind.TOKEN


CONTENTS: Final = (
    "{body}",
    "{timestamp}.{body}",
    "{body}:{timestamp}",
    "v0:{timestamp}:{body}",
    "{id}.{timestamp}.{body}",
    "{url}{body}",
    "{timestamp}{body}",
    "{timestamp}:{body}",
)


def filled(written: str, scene: Scene) -> bytes:
    """Put together what is signed, in another way than the program does."""
    parts = {
        b"{body}": scene.document,
        b"{timestamp}": scene.signed_timestamp.encode(),
        b"{id}": scene.message_id.encode(),
        b"{url}": scene.url.encode(),
    }
    return b"".join(parts.get(part, part) for part in re.split(rb"(\{[a-z]+\})", written.encode()))


def content(name: str) -> Maker:
    """The supplier signs another text."""

    def make(scene: Scene) -> Scene | None:
        if not signs(scene) or scene.scheme.kind is Kind.DIGEST or scene.in_body:
            return None
        if "{timestamp}" in name and not scene.scheme.timestamp_sources:
            scene = scene.but(dress=lambda headers: [*headers, ("X-Request-Timestamp", scene.timestamp)])
        if "{id}" in name and id_header(scene) is None:
            before = scene.dress
            scene = scene.but(dress=lambda headers: [*before(headers), ("X-Event-Id", scene.message_id)])
        return scene.but(content=lambda of: filled(name, of))

    return make


SIGNED: Final[Mapping[str, Maker]] = {f"signed.content ({name})": content(name) for name in CONTENTS} | {
    "signed.url": lambda scene: (
        scene.but(received_url=scene.url.replace("https", "http")) if "url" in scene.scheme.signed.names else None
    ),
}


def algorithm(name: str) -> Maker:
    def make(scene: Scene) -> Scene | None:
        if scene.scheme.algorithm.value == name:
            return None
        if scene.scheme.kind is Kind.HMAC:
            return scene.but(digest=lambda key, message: hmac.digest(key, message, name))
        if scene.scheme.kind is Kind.DIGEST:
            return scene.but(digest=lambda _, message: hashlib.new(name, message).digest())
        return None

    return make


def made(kind: Kind, digest: Callable[[str, bytes, bytes], bytes]) -> Maker:
    def make(scene: Scene) -> Scene | None:
        if scene.scheme.kind is not kind:
            return None
        name = scene.scheme.algorithm.value
        return scene.but(digest=lambda key, message: digest(name, key, message))

    return make


def encoded(encoding: Encoding) -> Maker:
    def make(scene: Scene) -> Scene | None:
        if scene.scheme.kind is Kind.TOKEN or scene.scheme.encoding is encoding:
            return None
        return scene.but(encode=ENCODE[encoding])

    return make


def cut(scene: Scene) -> Scene | None:
    if scene.scheme.kind not in {Kind.HMAC, Kind.DIGEST}:
        return None
    encode = ENCODE[scene.scheme.encoding]
    return scene.but(encode=lambda raw: encode(raw)[:-9])


ENCODINGS: Final[Mapping[str, Maker]] = {f"digest.encoding ({one.value})": encoded(one) for one in Encoding}
DIGEST: Final[Mapping[str, Maker]] = {
    **{f"digest.algorithm ({one.value})": algorithm(one.value) for one in Algorithm if one is not Algorithm.MD5},
    "digest.plain (secret first)": made(Kind.HMAC, lambda name, key, text: hashlib.new(name, key + text).digest()),
    "digest.plain (text first)": made(Kind.HMAC, lambda name, key, text: hashlib.new(name, text + key).digest()),
    "digest.no_secret": made(Kind.HMAC, lambda name, _, text: hashlib.new(name, text).digest()),
    "digest.swapped": made(Kind.HMAC, lambda name, key, text: hmac.digest(text, key, name)),
    "digest.hmac": made(Kind.DIGEST, lambda name, key, text: hmac.digest(key, text, name)),
    **ENCODINGS,
    "digest.hex_in_base64": lambda scene: (
        scene.but(encode=lambda raw: base64.b64encode(raw.hex().encode()).decode()) if signs(scene) else None
    ),
    "digest.cut_short": cut,
}


def moved(scene: Scene) -> Scene | None:
    if scene.in_body:
        return None
    name = str(scene.scheme.signature_header[0])
    return scene.but(
        dress=lambda headers: [("X-Proxied-" + one if one == name else one, value) for one, value in headers]
    )


def without_prefix(scene: Scene) -> Scene | None:
    if not scene.scheme.prefix or scene.in_body:
        return None
    return scene.but(wrap=lambda text: text)


def other_prefix(scene: Scene) -> Scene | None:
    scheme = scene.scheme
    if scene.in_body or scheme.kind is Kind.TOKEN:
        return None
    if scheme.signature_key is None:
        return scene.but(wrap=lambda text: f"sig={text}")
    own = (scheme.signature_key + (scheme.pair_separator or b"")).decode()
    theirs = f"v9{(scheme.pair_separator or b'').decode()}"
    before = scene.wrapped
    return scene.but(wrap=lambda _: before().replace(own, theirs))


def joined(scene: Scene) -> Scene | None:
    if scene.in_body or scene.scheme.list_separator or scene.scheme.kind is Kind.TOKEN:
        return None
    before = scene.wrapped
    return scene.but(wrap=lambda _: f"{before()}, {before()[::-1]}")


def twice(scene: Scene) -> Scene | None:
    if scene.in_body:
        return None
    name = str(scene.scheme.signature_header[0])
    return scene.but(dress=lambda headers: [(name, "something-else-altogether"), *headers])


def moved_header(which: Callable[[Scene], str | None], to: str) -> Maker:
    def make(scene: Scene) -> Scene | None:
        name = which(scene)
        if name is None:
            return None
        return scene.but(dress=lambda headers: [(to if one == name else one, value) for one, value in headers])

    return make


def time_header(scene: Scene) -> str | None:
    return str(scene.scheme.timestamp_header) if scene.scheme.timestamp_header else None


def id_header(scene: Scene) -> str | None:
    names = [str(name) for name in scene.scheme.signed.headers if name != scene.scheme.timestamp_header]
    return names[0] if names else None


HEADER: Final[Mapping[str, Maker]] = {
    "header.other": moved,
    "header.prefix_missing": without_prefix,
    "header.prefix_other": other_prefix,
    "header.joined": joined,
    "header.twice": twice,
    "header.timestamp_other": moved_header(time_header, "X-Sent-At"),
    "header.id_other": moved_header(id_header, "X-Delivery-Id"),
}


def stamped(text: str, signed_text: str | None = None, skew: int = 0) -> Callable[[Scene], Scene | None]:
    def make(scene: Scene) -> Scene | None:
        if not scene.scheme.timestamp_sources or scene.scheme.timestamp_pointer:
            return None
        return scene.but(timestamp=text, signed_timestamp=signed_text or text, now=scene.now + skew)

    return make


def other_format(scene: Scene) -> Scene | None:
    """Milliseconds where seconds are meant, or the other way about."""
    if scene.scheme.timestamp_format is TimestampFormat.UNIX:
        return stamped("1777645391123")(scene)
    return stamped("1777645391")(scene) if scene.scheme.tolerance else None


def signed_otherwise(scene: Scene) -> Scene | None:
    if scene.scheme.timestamp_format is TimestampFormat.RFC3339:
        return stamped(scene.timestamp, "1777645391")(scene)
    if scene.scheme.timestamp_format is TimestampFormat.UNIX:
        return stamped(scene.timestamp, "1777645391000")(scene)
    return stamped(scene.timestamp, "1777645391")(scene)


def later(milliseconds: int) -> Maker:
    def make(scene: Scene) -> Scene | None:
        return scene.but(now=NOW + milliseconds) if scene.scheme.timestamp_sources and scene.scheme.tolerance else None

    return make


TIME: Final[Mapping[str, Maker]] = {
    "time.format": other_format,
    "time.signed_as": signed_otherwise,
    "time.local": later(-2 * 3_600_000),
    "time.old": later(1_234_567_890),
    "time.future": later(-1_234_000),
}
FAMILIES: Final[Mapping[str, Mapping[str, Maker]]] = {
    "body": BODY,
    "body, written anew": REWRITTEN,
    "secret": SECRET,
    "signed content": SIGNED,
    "digest": DIGEST,
    "header": HEADER,
    "time": TIME,
}
"""Every single mistake."""
