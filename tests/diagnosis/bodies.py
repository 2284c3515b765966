"""What can happen to a body on its way, made: each a change to a scene."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

from tests.diagnosis.scene import Scene

Maker = Callable[[Scene], Scene | None]

FORM: Final = b"payload=%7B%22a%22%3A1%7D&note=x+y&b=2"


def indented_by_four(number: bytes) -> bytes:
    lines = [
        b'    "b\\/c": "\\u00e9<&>\'=",',
        b'    "a": [',
        *(b"        " + one for one in (b"1,", b"2.0,", b"{},", number)),
    ]
    return b"\n".join([b"{", *lines, b"    ]", b"}"])


# The same JSON by several writers, each from its own documentation or output; what is received is WRITTEN_HERE.
WRITTEN_HERE: Final = '{ "b/c" :"é<&>\'=", "a": [1,\t2.0, {}, 1e3 ] }'.encode()
WRITTEN: Final[Mapping[str, bytes]] = {
    "JavaScript": '{"b/c":"é<&>\'=","a":[1,2,{},1000]}'.encode(),
    "JavaScript, indented": '{\n  "b/c": "é<&>\'=",\n  "a": [\n    1,\n    2,\n    {},\n    1000\n  ]\n}'.encode(),
    "Python": b'{"b/c": "\\u00e9<&>\'=", "a": [1, 2.0, {}, 1000.0]}',
    "Python, as text": '{"b/c": "é<&>\'=", "a": [1, 2.0, {}, 1000.0]}'.encode(),
    "Python, compact": b'{"b/c":"\\u00e9<&>\'=","a":[1,2.0,{},1000.0]}',
    "Python, sorted": b'{"a": [1, 2.0, {}, 1000.0], "b/c": "\\u00e9<&>\'="}',
    "Python, indented by 4": indented_by_four(b"1000.0").replace(b"b\\/c", b"b/c"),
    "PHP": b'{"b\\/c":"\\u00e9<&>\'=","a":[1,2.0,{},1e3]}',
    "PHP, JSON_UNESCAPED_UNICODE": '{"b\\/c":"é<&>\'=","a":[1,2.0,{},1e3]}'.encode(),
    "PHP, JSON_PRETTY_PRINT": indented_by_four(b"1e3"),
    "Go": '{"b/c":"é\\u003c\\u0026\\u003e\'=","a":[1,2.0,{},1e3]}'.encode(),
    "Gson": '{"b/c":"é\\u003c\\u0026\\u003e\\u0027\\u003d","a":[1,2.0,{},1e3]}'.encode(),
    ".NET": b'{"b/c":"\\u00E9\\u003C\\u0026\\u003E\\u0027=","a":[1,2.0,{},1e3]}',
    "numbers as they were, compact": '{"b/c":"é<&>\'=","a":[1,2.0,{},1e3]}'.encode(),
    "tabs": '{\n\t"b/c": "é<&>\'=",\n\t"a": [\n\t\t1,\n\t\t2.0,\n\t\t{},\n\t\t1e3\n\t]\n}'.encode(),
}


def received(change: Callable[[bytes], bytes]) -> Maker:
    """The body is changed on its way."""
    return lambda scene: scene.but(mangle=change)


def signed(change: Callable[[bytes], bytes]) -> Maker:
    """The supplier signs something else than it sends."""

    def make(scene: Scene) -> Scene | None:
        if scene.in_body or scene.scheme.signed.fields:
            return None
        document = scene.document
        return scene.but(document=change(document), mangle=lambda _: document)

    return make


def instead(signed_body: bytes, received_body: bytes) -> Maker:
    """Another body, signed in one form and received in another."""

    def make(scene: Scene) -> Scene | None:
        if scene.in_body or scene.scheme.signed.fields:
            return None
        return scene.but(document=signed_body, mangle=lambda _: received_body)

    return make


def indented(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode()


def pretty(change: Callable[[bytes], bytes], before: Callable[[bytes], bytes] = lambda body: body) -> Maker:
    """A body of several lines whose line ends change."""
    return lambda scene: scene.but(document=before(indented(scene.document)), mangle=change)


def with_signature(body: bytes) -> bytes:
    return body.rstrip()[:-1] + b', "signature": "abcdef0123456789"}'


BODY: Final[Mapping[str, Maker]] = {
    "body.newline_added": received(lambda body: body + b"\n"),
    "body.newline_missing": signed(lambda body: body + b"\n"),
    "body.crlf_added": received(lambda body: body + b"\r\n"),
    "body.crlf_missing": signed(lambda body: body + b"\r\n"),
    "body.lf_became_crlf": pretty(lambda body: body.replace(b"\n", b"\r\n")),
    "body.crlf_became_lf": pretty(lambda body: body.replace(b"\r\n", b"\n"), lambda body: body.replace(b"\n", b"\r\n")),
    "body.bom_added": received(lambda body: b"\xef\xbb\xbf" + body),
    "body.bom_missing": signed(lambda body: b"\xef\xbb\xbf" + body),
    "body.blanks_around": received(lambda body: b"  " + body + b" \n"),
    "body.double_utf8": received(lambda body: body.decode("latin-1").encode()),
    "body.latin1_signed": signed(lambda body: body.decode().encode("latin-1")),
    "body.utf8_signed": received(lambda body: body.decode().encode("latin-1")),
    "body.base64": received(base64.b64encode),
    "body.base64_signed": signed(base64.b64encode),
    "body.percent": received(lambda body: quote(body, safe="").encode()),
    "body.percent_signed": signed(lambda body: quote_plus(body).encode()),
    "body.form_decoded": signed(lambda body: b"payload=" + quote_plus(body).encode()),
    "body.form_value_signed": received(lambda body: b"payload=" + quote_plus(body).encode() + b"&v=1"),
    "body.form_rewritten": instead(FORM, FORM.replace(b"+", b"%20")),
    "body.part_signed": signed(lambda body: json.dumps(json.loads(body)["data"], ensure_ascii=False).encode()),
    "body.signature_cut": lambda scene: None if scene.in_body else scene.but(mangle=with_signature),
    "body.signature_emptied": instead(b'{"a": 1, "signature": ""}', b'{"a": 1, "signature": "abcdef0123456789"}'),
    "body.gzip": received(gzip.compress),
    "body.json_string": received(lambda body: json.dumps(body.decode()).encode()),
    "body.json_string_signed": signed(lambda body: json.dumps(body.decode(), ensure_ascii=False).encode()),
    "body.python_literal": received(lambda body: repr(body).encode()),
    "body.empty_signed": signed(lambda _: b""),
}
REWRITTEN: Final[Mapping[str, Maker]] = {
    f"body.json_rewritten ({who})": instead(text, WRITTEN_HERE) for who, text in WRITTEN.items()
}


def text_changed(change: Callable[[bytes], bytes]) -> Maker:
    """Our secret is the supplier's, changed."""
    return lambda scene: scene.but(ours=tuple(change(text) for text in scene.ours))
