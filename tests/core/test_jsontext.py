"""The scanner finds in any JSON what a parser finds, and on anything else gives up in words."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core import jsontext
from webhookctl.core.jsontext import Pointer, RepeatedMemberError, UnreadableJsonError

SIGNATURE = Pointer.parse("/signature")

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
layouts = st.fixed_dictionaries(
    {
        "indent": st.none() | st.integers(0, 3),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]),
        "ensure_ascii": st.booleans(),
    }
)


def with_member(value: dict[str, Any], name: str, member: object, place: int) -> dict[str, Any]:
    pairs = [pair for pair in value.items() if pair[0] != name]
    pairs.insert(min(place, len(pairs)), (name, member))
    return dict(pairs)


@given(st.dictionaries(texts, values, max_size=5), values, st.integers(0, 5), layouts, st.sampled_from(["", " ", "\n"]))
def test_cutting_leaves_the_rest(
    value: dict[str, Any], member: object, place: int, layout: dict[str, Any], blank: str
) -> None:
    """Wherever the member stood and whatever it held, without it the bytes mean the object without it."""
    whole = with_member(value, "signature", member, place)
    text = json.dumps(whole, **layout)
    body = f"{blank}{text[:-1]}{blank}}}{blank}".encode()

    cut = json.loads(jsontext.without(body, SIGNATURE))

    assert cut == {name: other for name, other in whole.items() if name != "signature"}
    assert list(cut) == [name for name in whole if name != "signature"]


@given(st.dictionaries(texts, values, max_size=5), texts, layouts)
def test_putting_in_and_cutting_out(value: dict[str, Any], text: str, layout: dict[str, Any]) -> None:
    """What is put in as the last member is found there, and cutting it out gives the very bytes from before."""
    value.pop("signature", None)
    body = json.dumps(value, **layout).encode()

    signed = jsontext.with_text(body, SIGNATURE, text)

    assert json.loads(signed) == value | {"signature": text}
    assert jsontext.scalar(signed, SIGNATURE) == text.encode()
    assert jsontext.without(signed, SIGNATURE) == body or value == {}
    assert jsontext.with_text(signed, SIGNATURE, "other") == jsontext.with_text(body, SIGNATURE, "other")


@given(st.data(), values, layouts)
def test_finds_what_a_parser_finds(data: st.DataObject, value: object, layout: dict[str, Any]) -> None:
    """Along any path, through objects and lists, the span found holds what the parser sees there."""
    body = json.dumps(value, **layout).encode()
    tokens: list[str] = []
    while isinstance(value, (dict, list)) and value:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = data.draw(st.sampled_from(keys))
        value = value[key]
        tokens.append(str(key))
    if not tokens:
        return
    pointer = Pointer("", tuple(tokens))
    span = jsontext.find(body, pointer)

    assert span is not None
    assert json.loads(body[span.start : span.end]) == value
    assert jsontext.find(body, Pointer("", (*tokens, "none"))) is None


SCRAPS = [b'"signature"', b'"a"', b":", b",", b"{", b"}", b"[", b"]", b"1", b"null", b'"', b"\\", b" ", b"\xff", b"-"]


@given(st.lists(st.sampled_from(SCRAPS)).map(b"".join) | st.binary())
def test_any_bytes(body: bytes) -> None:
    """Whatever the bytes: an answer or `UnreadableJsonError`; and where a parser is content, so is the scanner."""
    try:
        parsed: object = json.loads(body.decode(), object_pairs_hook=tuple)
    except ValueError:
        parsed = None
    try:
        found = jsontext.scalar(body, SIGNATURE)
    except RepeatedMemberError:
        found = None
        assert parsed is None or isinstance(parsed, tuple)
    except UnreadableJsonError:
        found = None
        named = [value for name, value in parsed if name == "signature"] if isinstance(parsed, tuple) else []
        assert parsed is None or isinstance(named[0], (tuple, list))

    assert found is None or isinstance(found, bytes)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ('{"a":1,"signature":"x"}', '{"a":1}'),
        ('{"a":1 , "signature" : "x" }', '{"a":1  }'),
        ('{\n  "a": 1,\n  "signature": "x"\n}', '{\n  "a": 1\n}'),
        ('{"signature":"x","a":1}', '{"a":1}'),
        ('{ "signature": "x" , "a":1}', '{ "a":1}'),
        ('{"a":1,"signature":"x","b":2}', '{"a":1,"b":2}'),
        ('{"a":1,\n "signature":{"x":[1,"}"]},\n "b":2}', '{"a":1,\n "b":2}'),
        ('{"signature":"x"}', "{}"),
        ('{ "signature" : "x" }', "{}"),
        ('{"data":{"signature":"x"},"a":"signature"}', '{"data":{"signature":"x"},"a":"signature"}'),
        ('{"\\u0073ignature":"x","a":1}', '{"a":1}'),
        ("[1,2]", "[1,2]"),
        ('"signature"', '"signature"'),
    ],
)
def test_what_is_cut(body: str, left: str) -> None:
    """A last member from the comma before it on, any other up to the next key, an only one with all in the braces."""
    assert jsontext.without(body.encode(), SIGNATURE) == left.encode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"a":{"b":["x","y"]}}', b"y"),
        ('{"a":{"b":[0,100000.00]}}', b"100000.00"),
        ('{"a":{"b":[0,18446744073709551616]}}', b"18446744073709551616"),
        ('{"a":{"b":[0,-1.5e-7]}}', b"-1.5e-7"),
        ('{"a":{"b":[0,true]}}', b"true"),
        ('{"a":{"b":[0,null]}}', None),
        ('{"a":{"b":[0]}}', None),
        ('{"a":{"b":{"1":"key"}}}', b"key"),
        ('{"a":{"b":"x"}}', None),
        ('{"a":{"b":[0,"caf\\u00e9 \\/ \\ud83d\\ude00"]}}', "café / 😀".encode()),
        ('{"a":{"b":[0,""]}}', b""),
    ],
)
def test_scalars(body: str, text: bytes | None) -> None:
    """Numbers keep the digits received, strings lose quotes and escapes, what is null or missing is None."""
    assert jsontext.scalar(body.encode(), Pointer.parse("/a/b/1")) == text


def test_other_encodings_pass_through() -> None:
    """A text that is not UTF-8 comes as the bytes it is."""
    assert jsontext.scalar(b'{"signature":"caf\xe9"}', SIGNATURE) == b"caf\xe9"


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a":{"b":1},"b":1,"a":2}'])
def test_repeated_members(body: bytes) -> None:
    """A member that stands twice on the way, however it is escaped, is nobody's guess."""
    with pytest.raises(RepeatedMemberError, match="'a' stands twice"):
        jsontext.find(body, Pointer.parse("/a/b"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON value begins at byte 0"),
        (b"hello", "no JSON value"),
        (b'\xef\xbb\xbf{"signature":1}', "no JSON value"),
        ('{"signature":"x"}'.encode("utf-16"), "no JSON value"),
        (b'{"signature"', "no member begins"),
        (b'{"signature":', "no JSON value begins"),
        (b'{"signature":"x"', "comma or bracket is missing"),
        (b'{"signature":"x', "no JSON value begins"),
        (b'{"signature":"x",}', "no member begins"),
        (b'{signature:"x"}', "no member begins"),
        (b'{"signature":{"a":1}', "comma or bracket is missing"),
        (b'{"signature":{"a":"1}', "it ends within"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 256 levels"),
        (b'{"a":[' + b"[]," * 30_000 + b"1]}", "more than 20000 opening brackets"),
        (b"{" + b'"a":1,' * 2_000 + b'"b":1}', "more than 1000 members"),
        (b'{"signature":["x"]}', "holds a list, not a text"),
        (b'{"signature":{}}', "holds an object, not a text"),
        (b'{"signature":"\\q"}', "an escape that means nothing"),
        (b'{"signature":"\\ud800"}', "an escape that means nothing"),
        (b'{"signature":"\\', "no JSON value begins"),
    ],
)
def test_what_can_not_be_searched(body: bytes, words: str) -> None:
    """Text that is no JSON, or more than any supplier sends, is refused in words, and stays within its limits."""
    with pytest.raises(UnreadableJsonError, match=words):
        jsontext.scalar(body, SIGNATURE)


def test_deep_but_within_the_limit() -> None:
    """Two hundred levels are no trouble, before the wanted member or around it."""
    deep = b"[" * 200 + b"]" * 200
    around = b'{"a":' * 200 + b"7" + b"}" * 200

    assert jsontext.scalar(b'{"a":' + deep + b',"signature":"x"}', SIGNATURE) == b"x"
    assert jsontext.scalar(around, Pointer("", ("a",) * 200)) == b"7"


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b'{"data":[]}', b'{"data":1}', b"{}"])
def test_no_place_to_put_it(body: bytes) -> None:
    """A text is put into an object that is there, nowhere else."""
    with pytest.raises(UnreadableJsonError, match="no object that /data/signature could stand in"):
        jsontext.with_text(body, Pointer.parse("/data/signature"), "x")


def test_pointers() -> None:
    """Slashes and tildes in names are escaped; what is no pointer is refused."""
    assert Pointer.parse("/a~1b/~0/").tokens == ("a/b", "~", "")
    assert Pointer.parse("/a/b").is_within(Pointer.parse("/a"))
    assert not Pointer.parse("/ab").is_within(Pointer.parse("/a"))
    for written in ("", "a", "/~", "/~2"):
        with pytest.raises(ValueError, match="^" + written):
            Pointer.parse(written)


def test_a_body_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many things are looked for, no part of a body is gone through twice: a tedious one costs once."""
    begun = list[int]()
    value_end = jsontext._value_end  # noqa: SLF001 - each step of going through

    def counted(body: bytes, at: int) -> int:
        begun.append(at)
        return value_end(body, at)

    monkeypatch.setattr(jsontext, "_value_end", counted)
    document = jsontext.Document(b'{"a":[{"b":1,"c":"x","d":{"e":2}},3],"f":[4,5]}')

    pointers = ["/a/0/b", "/a/0/c", "/a/0/d/e", "/a/0/none", "/a/1", "/a/2", "/f/1", "/f/0"]
    found = [document.scalar(Pointer.parse(pointer)) for pointer in pointers]

    assert found == [b"1", b"x", b"2", None, b"3", None, b"5", b"4"]
    assert len(begun) == len(set(begun)) > len(pointers)


def dumped(layout: dict[str, Any]) -> st.SearchStrategy[bytes]:
    names = st.sampled_from(["a", "signature", "0", "b"])
    inner = st.recursive(st.integers(0, 1), lambda one: st.lists(one, max_size=3) | st.dictionaries(names, one))
    return st.dictionaries(names, inner).map(lambda value: json.dumps(value, **layout).encode())


def looked(find: Callable[[], object]) -> object:
    try:
        return find()
    except UnreadableJsonError as error:
        return str(error)


PATHS = st.lists(st.sampled_from(["a", "signature", "0", "1", "2"]), min_size=1, max_size=3)


@given(st.lists(st.sampled_from(SCRAPS)).map(b"".join) | layouts.flatmap(dumped), st.lists(PATHS, max_size=6))
def test_looking_for_several_things(body: bytes, paths: list[list[str]]) -> None:
    """What was looked for before changes nothing of what is found, nor of what is refused."""
    document = jsontext.Document(body)

    for path in paths:
        pointer = Pointer("", tuple(path))
        assert looked(partial(document.find, pointer)) == looked(partial(jsontext.find, body, pointer))


def test_what_can_not_be_searched_stays_so() -> None:
    """A body that broke off once breaks off again: the second look does not take it for one without the member."""
    document = jsontext.Document(b'{"a":{"b":1,"c":')

    for pointer in ("/a/z", "/a/z", "/a/b", "/z"):
        with pytest.raises(UnreadableJsonError):
            document.scalar(Pointer.parse(pointer))
